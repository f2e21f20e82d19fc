"""The bolt app: what comes from Slack, by HTTP or by socket, is kept first and then dispatched. Opens no connection."""

import logging
import re
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from adapters.slack import card, changes, decisions, edit_form, forms, home, inbound, trial, waiting
from adapters.slack.strangers import Strangers
from adapters.slack.workspaces import Workspaces
from gateway.errors import DatabaseAway, KeyRefused, WillNeverArrive
from gateway.ports import Door

log = logging.getLogger(__name__)

ACCOUNT = "account"  # in bolt's context: by whose installation it came
MESSAGES = ("message", "app_mention")
OURS = {card.APPROVE, card.DENY, card.EDIT, card.OPEN, trial.SEEN, forms.DENY_FORM, edit_form.EDIT_FORM, home.COMMAND}
ASKS = ("block_actions", "view_submission", "command")
# Of what nobody handles, bolt logs a line for each delivery, and what the person typed in it.
_quiet = logging.getLogger(f"{__name__}.bolt")
_quiet.setLevel(logging.ERROR)


def app(door: Door, workspaces: Workspaces, strangers: Strangers) -> AsyncApp:
    async def keep(req: AsyncBoltRequest, resp: BoltResponse, next: Any) -> BoltResponse:
        # Bolt answers 200 before a listener has run, so the row is written before bolt goes on.
        req.context[ACCOUNT] = inbound.installed_in(req.body)
        try:
            await _hand_in(door, req.body)
        except DatabaseAway as error:
            log.error("an event of Slack was not kept, Slack is asked to send it again: %s", error)
            return BoltResponse(status=503, body="")
        except Exception:
            # Nothing was kept, whatever it was: only an answer that is no 200 makes Slack send it again.
            log.exception("an event of Slack could not be kept; Slack is asked to send it again")
            return BoltResponse(status=500, body="")
        return await next()  # type: ignore[no-any-return]

    async def who(context: Any) -> AuthorizeResult:
        token = ""
        try:
            token = await workspaces.token(context[ACCOUNT])
        except (KeyRefused, WillNeverArrive) as error:
            # What came in is kept, and who clicked is heard: only what Slack would be asked for is refused there.
            log.error("Slack is asked for nothing there: %s", error)
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=token)

    bolt = AsyncApp(
        logger=_quiet,
        signing_secret="",
        client=workspaces.client(),  # `authorize` brings the token
        authorize=who,
        before_authorize=keep,
        request_verification_enabled=False,  # done by the endpoint, over the raw bytes: bolt parses before it verifies
        ssl_check_enabled=False,
    )
    decisions.listen(bolt, door)
    waiting.listen(bolt, door)
    _listen_to_the_rest(bolt, strangers)
    return bolt


def is_ours(body: dict[str, Any]) -> bool:
    """One of our listeners answers it, or nobody: what it did not answer within bolt's three seconds is not done."""
    kind, name = inbound.named(body)
    return kind in ASKS and (name in OURS or name.startswith(f"{home.TURN}:"))


async def _hand_in(door: Door, body: dict[str, Any]) -> None:
    """A message, an edit of one, or that one was deleted; else nothing."""
    if (event := inbound.read(body)) is not None:
        await door.inbox.add(event)
    elif (message := changes.edited(body)) is not None:
        await door.inbox.edited(message)
    elif (message := changes.deleted(body)) is not None:
        await door.inbox.withdrawn(message)


def _listen_to_the_rest(bolt: AsyncApp, strangers: Strangers) -> None:
    """What bolt finds no listener for, it answers 404, and Slack would send it again."""
    anything = re.compile(".*")

    @bolt.event(anything)
    async def nothing(event: dict[str, Any]) -> None:
        """A message is kept already, or none of our business."""
        if event.get("type") not in MESSAGES:
            strangers.note("event", event.get("type"))

    async def acknowledge(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        strangers.note(*inbound.named(body))

    async def is_anothers(body: dict[str, Any]) -> bool:
        return not is_ours(body)

    for rest in (bolt.action, bolt.view, bolt.view_closed, bolt.shortcut, bolt.command):
        rest(anything, matchers=[is_anothers])(acknowledge)
