"""Slack's endpoint, and what is asked of its Web API. Bolt dispatches every event, action and view."""

import logging
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from slack_bolt.adapter.starlette.async_handler import to_async_bolt_request, to_starlette_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.slack import card, checks, decisions, inbound, markdown, posts, render, waiting
from adapters.slack.live import SlackLive
from gateway.errors import (
    DatabaseAway,
    GiveUp,
    TryLater,
    Unknowable,
    Unreadable,
    WillNeverArrive,
)
from gateway.events import ApprovalView, MediaRef, Outbound, Receipt, Remind, Say, ShowOutcome, ThreadRef
from gateway.ports import Blob, Clock, Door, Finding, Missed, Pace
from gateway.web.guard import capped_body, refusing

log = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes; Slack's own payloads stay far below
TIMEOUT_S = 15
CLOCKS_APART = timedelta(minutes=5)
MAX_PAGES = 10  # of a look for one message
PACE = Pace(timedelta(seconds=1), burst=5)  # Slack: one message a second in a channel, short bursts are borne


class SlackSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    signing_secret: SecretStr = Field(min_length=1)
    bot_token: SecretStr = Field(min_length=1)
    api_url: str = "https://slack.com/api/"

    @field_validator("signing_secret")
    @classmethod
    def has_one(cls, secrets: SecretStr) -> SecretStr:
        if not secrets.get_secret_value().replace(",", " ").strip():
            raise ValueError("it holds no secret: set it to the app's signing secret, or to several, newest first")
        return secrets

    @property
    def signing_secrets(self) -> list[str]:
        return [one.strip() for one in self.signing_secret.get_secret_value().split(",") if one.strip()]


class SlackChannel:
    name = "slack"

    def __init__(self, settings: SlackSettings, *, clock: Clock) -> None:
        """Made inside the running loop: it keeps one HTTP session until `aclose`."""
        self._settings = settings
        self._clock = clock
        self._http = aiohttp.ClientSession()
        self._client = self._web_client(settings.bot_token.get_secret_value())
        self._posts = posts.Posts(self._client)
        self.live = SlackLive(self._posts, clock)

    def _web_client(self, token: str | None) -> AsyncWebClient:
        base_url = self._settings.api_url.rstrip("/") + "/"
        return AsyncWebClient(
            token=token,
            base_url=base_url,
            timeout=TIMEOUT_S,
            session=self._http,
            retry_handlers=[],  # the SDK's own would post twice when only the answer was lost
        )

    # --- in ------------------------------------------------------------------------------------------------

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        bolt = self._bolt(door)

        async def events(request: Request) -> Response:
            body = await capped_body(request, MAX_BODY)
            inbound.prove(request.headers, body, secrets=self._settings.signing_secrets, now=self._clock().timestamp())
            return await self._dispatch(bolt, request, body)

        return [Route("/slack/events", refusing(events), methods=["POST"])]

    async def _dispatch(self, bolt: AsyncApp, request: Request, body: bytes) -> Response:
        try:
            asked = to_async_bolt_request(request, body)
            if not isinstance(asked.body, dict) or not asked.body or inbound.odd(asked.body):
                raise Unreadable("a body Slack does not send")
        except Unreadable:
            raise
        except Exception as error:  # bolt's parser fails in many ways on a body it does not know
            raise Unreadable("the body is not one of Slack's") from error
        if asked.body.get("type") == "app_rate_limited":
            log.warning("Slack limits our events: more than 30,000 in an hour for a workspace")
            return Response(status_code=200)
        answer = await bolt.async_dispatch(asked)
        if answer.status == 404 and "kept" in asked.context:
            return Response(status_code=200)
        return to_starlette_response(answer)

    def _bolt(self, door: Door) -> AsyncApp:
        async def keep(req: AsyncBoltRequest, resp: BoltResponse, next: Any) -> BoltResponse:
            # Bolt answers 200 before a listener has run, so the row is written before bolt goes on.
            event = inbound.read(req.body)
            if event is not None:
                try:
                    req.context["kept"] = await door.inbox.add(event)
                except DatabaseAway as error:
                    log.error("an event of Slack was not kept, Slack is asked to send it again: %s", error)
                    return BoltResponse(status=503, body="")
                except Exception:
                    log.exception("an event of Slack could not be kept; Slack is asked to send it again")
                    return BoltResponse(status=500, body="")
            return await next()  # type: ignore[no-any-return]

        async def who(context: Any) -> AuthorizeResult:
            token = self._settings.bot_token.get_secret_value()
            return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=token)

        bolt = AsyncApp(
            signing_secret=self._settings.signing_secrets[0],
            client=self._web_client(None),  # `authorize` brings the token
            authorize=who,
            before_authorize=keep,
            request_verification_enabled=False,  # done above, over the raw bytes: bolt parses before it verifies
            ssl_check_enabled=False,
        )
        decisions.listen(bolt, door)
        waiting.listen(bolt, door)
        anything = re.compile(".*")
        bolt.event(anything)(_nothing)
        for rest in (bolt.action, bolt.view, bolt.view_closed, bolt.shortcut, bolt.command):
            rest(anything)(_acknowledge)
        return bolt

    # --- out -----------------------------------------------------------------------------------------------

    @property
    def by_code(self) -> bool:
        return False

    def parts(self, text: str) -> Sequence[str]:
        return markdown.pages(text)

    def shows_whole(self, approval: ApprovalView) -> bool:
        return card.shows_whole(approval)

    def lane(self, to: ThreadRef) -> str:
        return f"slack:{to.account}:{to.key.partition(':')[0]}"

    def pace(self, lane: str) -> Pace | None:
        return PACE

    async def send(self, message: Outbound) -> Receipt:
        shown = render.message(message)
        match message:
            case ShowOutcome(receipt=Receipt() as receipt):
                return await self._posts.change(receipt, shown)
            case Say(replaces=handle) if handle:
                return await self._posts.replace(handle, message.to.key, shown, message.ref)
            case Remind(receipt=Receipt() as receipt):
                # A reply in a thread rings for nobody who is not in it: it is shown in the channel too.
                return await self._posts.post(receipt.provider_id, shown, message.ref, in_channel_too=True)
            case _:
                return await self._posts.post(message.to.key, shown, message.ref)

    async def find(self, message: Outbound) -> Receipt | None:
        """Looks for our id in what was written since the first try. Changing a message twice is the same as once."""
        if isinstance(message, ShowOutcome):
            return None
        below = message.receipt if isinstance(message, Remind) else None
        channel, _, thread = (below.provider_id if below else message.to.key).partition(":")
        try:
            return await self._find(channel, thread, message)
        except SlackApiError as error:
            if isinstance(ours := posts.meaning(error), WillNeverArrive):
                raise Unknowable("Slack does not show us the channel's messages") from error
            raise TryLater(str(ours)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryLater("Slack cannot be asked at the moment") from error

    async def _find(self, channel: str, thread: str, message: Outbound) -> Receipt | None:
        since = message.queued_at
        oldest = "0" if since is None else str((since - CLOCKS_APART).timestamp())
        where: dict[str, Any] = {"channel": channel, "oldest": oldest, "limit": 200, "include_all_metadata": True}
        cursor = ""
        for _ in range(MAX_PAGES):
            if thread:
                page = await self._client.conversations_replies(ts=thread, cursor=cursor or None, **where)
            else:
                page = await self._client.conversations_history(cursor=cursor or None, **where)
            for one in page.get("messages") or []:
                payload = (one.get("metadata") or {}).get("event_payload") or {}
                if payload.get("ref") == message.ref:
                    return Receipt(provider_id=f"{channel}:{one['ts']}")
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None
        raise Unknowable("too much was written since")

    async def missed(self, since: datetime) -> Sequence[Missed]:
        """Slack sends an event again, three times within about six minutes; there is no list to ask."""
        return ()

    async def members(self, group: str) -> Collection[str]:
        """The ids of those in a user group, without their team. Raises where Slack does not say."""
        answer = await self._client.usergroups_users_list(usergroup=group.rpartition("/")[2])
        users = answer.get("users")
        if not isinstance(users, list):
            raise GiveUp("Slack's answer names no members")
        return [str(user) for user in users]

    async def fetch(self, media: MediaRef) -> Blob:
        raise GiveUp("files from Slack are not fetched yet")

    async def check(self) -> Sequence[Finding]:
        before = self._clock()
        try:
            answer = await self._client.auth_test()
        except SlackApiError as error:
            return [Finding(False, f"slack: {posts.meaning(error)}", "see SLACK__BOT_TOKEN")]
        except (aiohttp.ClientError, TimeoutError):
            return [Finding(False, "slack: it cannot be reached", "see SLACK__API_URL and this machine's network")]
        told = answer.data if isinstance(answer.data, dict) else {}
        return checks.of_token(told, answer.headers, before, self._clock())

    async def nobody_at(self, address: str) -> str:
        """Why a user's id leads to nobody; empty: somebody is there. Raises `TryLater` or `GiveUp`."""
        team, _, user = address.rpartition("/")
        with posts.refusals():
            try:
                answer = await self._client.users_info(user=user)
            except SlackApiError as error:
                if error.response.get("error") in checks.NO_USER:
                    return "Slack knows no such user"
                raise
        return checks.of_user(answer.get("user") or {}, team)

    async def aclose(self) -> None:
        await self._http.close()


async def _nothing() -> None:
    """The row is kept already."""


async def _acknowledge(ack: Any) -> None:
    await ack()
