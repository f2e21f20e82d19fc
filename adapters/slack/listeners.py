"""The bolt app: what comes from Slack, by HTTP or by socket, is kept first and then dispatched. Opens no connection."""

import logging
import re
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack import decisions, inbound, waiting
from adapters.slack.workspaces import Workspaces
from gateway.errors import DatabaseAway
from gateway.ports import Door

log = logging.getLogger(__name__)

KEPT = "kept"  # in bolt's context: what became of the event at the inbox


def app(door: Door, workspaces: Workspaces, signing_secret: str) -> AsyncApp:
    async def keep(req: AsyncBoltRequest, resp: BoltResponse, next: Any) -> BoltResponse:
        # Bolt answers 200 before a listener has run, so the row is written before bolt goes on.
        event = inbound.read(req.body)
        if event is not None:
            try:
                req.context[KEPT] = await door.inbox.add(event)
            except DatabaseAway as error:
                log.error("an event of Slack was not kept, Slack is asked to send it again: %s", error)
                return BoltResponse(status=503, body="")
            except Exception:
                log.exception("an event of Slack could not be kept; Slack is asked to send it again")
                return BoltResponse(status=500, body="")
        return await next()  # type: ignore[no-any-return]

    async def who(context: Any) -> AuthorizeResult:
        token = await workspaces.token(context.team_id or "")
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=token)

    bolt = AsyncApp(
        signing_secret=signing_secret,
        client=workspaces.client(),  # `authorize` brings the token
        authorize=who,
        before_authorize=keep,
        request_verification_enabled=False,  # done by the endpoint, over the raw bytes: bolt parses before it verifies
        ssl_check_enabled=False,
    )
    decisions.listen(bolt, door)
    waiting.listen(bolt, door)
    anything = re.compile(".*")
    bolt.event(anything)(_nothing)
    for rest in (bolt.action, bolt.view, bolt.view_closed, bolt.shortcut, bolt.command):
        rest(anything)(_acknowledge)
    return bolt


async def _nothing() -> None:
    """The row is kept already."""


async def _acknowledge(ack: Any) -> None:
    await ack()
