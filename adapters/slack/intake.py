"""What Slack says, by HTTP or by socket: looked at, dispatched by bolt, and answered. Proves nothing itself."""

import logging
from datetime import UTC, datetime

from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack import inbound, listeners
from adapters.slack.admission import Admission
from adapters.slack.strangers import Strangers
from adapters.slack.workspaces import Workspaces
from gateway.errors import Unreadable
from gateway.ports import Door

log = logging.getLogger(__name__)


class Intake:
    def __init__(self, door: Door, workspaces: Workspaces) -> None:
        self._door = door
        self._strangers = Strangers()
        self._admission = Admission(door.installations, workspaces)
        self._bolt = listeners.app(door, workspaces, self._strangers)

    async def answer(self, asked: AsyncBoltRequest) -> BoltResponse:
        """What Slack is told: 200 but where something was not kept. Raises `Unreadable` and `DatabaseAway`."""
        body = asked.body
        if not isinstance(body, dict) or not body or inbound.odd(body):
            raise Unreadable("a body Slack does not send")
        if (limited := inbound.limited(body)) is not None:
            team, minute = limited
            await self._door.inbox.held_back("slack", team, datetime.fromtimestamp(minute, UTC))
            return BoltResponse(status=200, body="")
        if await self._admission.turned_away(body):
            return BoltResponse(status=200, body="")
        answer = await self._bolt.async_dispatch(asked)
        if answer.status == 404 and listeners.is_ours(body):
            log.error("what somebody pressed in Slack was not answered in time: %s", " ".join(inbound.named(body)))
            return BoltResponse(status=503, body="")
        if answer.status == 404:  # bolt's word for what nobody listens to; Slack would send it again
            self._strangers.note(*inbound.named(body))
            return BoltResponse(status=200, body="")
        return answer
