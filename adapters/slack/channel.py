"""Slack as a channel: what the core asks of it, and the pieces of this folder that do it."""

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

import aiohttp
from slack_sdk.errors import SlackApiError
from starlette.routing import BaseRoute

from adapters.slack import card, checks, endpoint, everywhere, files, finding, markdown, oauth, posts, refusals, render
from adapters.slack.intake import Intake
from adapters.slack.live import SlackLive
from adapters.slack.settings import SlackSettings
from adapters.slack.socket import SocketMode
from adapters.slack.status import Status
from adapters.slack.streams import Streams
from adapters.slack.workspaces import Workspaces
from gateway.errors import GiveUp
from gateway.events import ApprovalView, MediaRef, Outbound, Receipt, Remind, Say, ShowOutcome, ThreadRef
from gateway.ports import Blob, Clock, Door, Finding, Installations, Missed, Pace

log = logging.getLogger(__name__)

PACE = Pace(timedelta(seconds=1), burst=5)  # Slack: one message a second in a channel, short bursts are borne


class SlackChannel:
    name = "slack"

    def __init__(
        self,
        settings: SlackSettings,
        *,
        clock: Clock,
        public_url: Callable[[], str] = str,
        installed: Installations | None = None,
    ) -> None:
        """Made inside the running loop. With many workspaces: where we are reached, and where the app is installed."""
        self._settings = settings
        self._clock = clock
        self._public_url = public_url
        self._workspaces = Workspaces(settings, installed)
        self._posts = posts.Posts(self._workspaces)
        self._files = files.Files(self._workspaces, settings.api_url)
        self._streams = Streams(self._workspaces, clock)
        self.live = SlackLive(self._posts, self._streams, Status(self._workspaces, clock), clock)
        self._intake: Intake | None = None
        self.listener = self._socket_mode()

    # --- in ------------------------------------------------------------------------------------------------

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        secrets = self._settings.signing_secrets
        called = endpoint.routes(self._intake_to(door), secrets, self._clock) if secrets else []
        return [*called, *oauth.routes(door.installations, self._workspaces, self._settings, self._public_url)]

    def _socket_mode(self) -> SocketMode | None:
        token = self._settings.app_token
        if token is None:
            return None
        return SocketMode(self._workspaces.client(), token.get_secret_value(), self._intake_to)

    def _intake_to(self, door: Door) -> Intake:
        """One, whichever way things come in."""
        self._intake = self._intake or Intake(door, self._workspaces)
        return self._intake

    # --- out -----------------------------------------------------------------------------------------------

    @property
    def by_code(self) -> bool:
        return False

    @property
    def keeps_order(self) -> bool:
        return True

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        return markdown.pages(text)

    def page(self, to: ThreadRef, text: str) -> str | None:
        return None

    def shows_whole(self, approval: ApprovalView) -> bool:
        return card.shows_whole(approval)

    def lane(self, to: ThreadRef) -> str:
        return f"slack:{to.account}:{to.key.partition(':')[0]}"

    def pace(self, lane: str) -> Sequence[Pace]:
        return [PACE]

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        return None

    async def send(self, message: Outbound) -> Receipt:
        try:
            return await self._send(message, render.message(message))
        except refusals.NotShowable as error:
            if (words := render.plain(message)) is None:
                raise
            log.warning("%s; its words are sent alone", error)
            return await self._send(message, words)

    async def _send(self, message: Outbound, shown: posts.Shown) -> Receipt:
        to = message.to
        match message:
            case ShowOutcome(receipt=Receipt() as receipt):
                return await self._posts.change(to.account, receipt, shown)
            case Say(only_for=user) if user:
                return await self._posts.whisper(to, user, shown)
            case Say(replaces=handle) if handle:
                handle = await self._streams.ended(to, handle)
                return await self._posts.replace(to, handle, shown, message.ref)
            case Remind(receipt=Receipt() as receipt):
                # A reply in a thread rings for nobody who is not in it: it is shown in the channel too.
                below = ThreadRef(to.channel, to.account, receipt.provider_id)
                return await self._posts.post(below, shown, message.ref, in_channel_too=True)
            case _:
                return await self._posts.post(to, shown, message.ref)

    async def find(self, message: Outbound) -> Receipt | None:
        return await finding.find(await self._workspaces.of(message.to.account), message)

    async def missed(self, since: datetime) -> Sequence[Missed]:
        """Slack sends an event again, three times within about six minutes; there is no list to ask."""
        return ()

    async def members(self, group: str) -> Collection[str]:
        """Those in a user group, written as the group is: with its team, or bare. Raises where Slack does not say."""
        team, _, id = group.rpartition("/")
        answer = await (await self._workspaces.of(team)).usergroups_users_list(usergroup=id)
        users = answer.get("users")
        if not isinstance(users, list):
            raise GiveUp("Slack's answer names no members")
        return [f"{team}/{user}" if team else str(user) for user in users]

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        return await self._files.fetch(of.account, media.where, most)

    async def check(self) -> Sequence[Finding]:
        found = await self._check_token()
        return [*found, await checks.of_socket(self.listener.check())] if self.listener else found

    async def _check_token(self) -> Sequence[Finding]:
        if self._workspaces.many:
            return await everywhere.check(self._workspaces)
        before = self._clock()
        try:
            answer = await (await self._workspaces.of("")).auth_test()
        except SlackApiError as error:
            return [Finding(False, f"slack: {refusals.meaning(error)}", "see SLACK__BOT_TOKEN")]
        except (aiohttp.ClientError, TimeoutError):
            return [Finding(False, "slack: it cannot be reached", "see SLACK__API_URL and this machine's network")]
        told = answer.data if isinstance(answer.data, dict) else {}
        return checks.of_token(told, answer.headers, before, self._clock())

    async def nobody_at(self, address: str) -> str:
        """Why a user's id leads to nobody; empty: somebody is there. Raises `TryLater` or `GiveUp`."""
        team, _, user = address.rpartition("/")
        with refusals.refusals():
            try:
                answer = await (await self._workspaces.of(team)).users_info(user=user)
            except SlackApiError as error:
                if refusals.error_code(error) in checks.NO_USER:
                    return "Slack knows no such user"
                raise
        return checks.of_user(answer.get("user") or {}, team)

    async def look_at(self, place: ThreadRef) -> Finding:
        """Is the bot where requests are to be shown? Raises `TryLater` or `GiveUp`."""
        if checks.is_person(place.key):
            why = await self.nobody_at(f"{place.account}/{place.key}" if place.account else place.key)
            return Finding(not why, why or "somebody is there", "mend gateway.toml" if why else "")
        with refusals.refusals():
            try:
                answer = await (await self._workspaces.of(place.account)).conversations_info(channel=place.key)
            except SlackApiError as error:
                if refusals.error_code(error) == "channel_not_found":
                    return checks.of_channel(None)
                raise
        return checks.of_channel(answer.get("channel") or {})

    async def aclose(self) -> None:
        await self._workspaces.aclose()
