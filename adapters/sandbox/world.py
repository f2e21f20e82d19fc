"""The sandbox as one thing: mount its routes beside the gateway's, use its verbs, read its state."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx
from starlette.routing import BaseRoute, Mount, Route

from adapters.sandbox import cast
from adapters.sandbox.errors import NotInSandbox
from adapters.sandbox.faults import EXPIRED, Fault, Faults
from adapters.sandbox.grants import Grants
from adapters.sandbox.line import Line
from adapters.sandbox.page import Page
from adapters.sandbox.phones import Phones
from adapters.sandbox.pictures import Picture
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.slack_files import Upload
from adapters.sandbox.slack_oauth import SlackOutside
from adapters.sandbox.socket_mode import SocketMode
from adapters.sandbox.state import Notebook, Shelf
from adapters.sandbox.team import Team
from adapters.sandbox.twilio_api import TwilioApi
from adapters.sandbox.twilio_faults import Kind, TextFault, TextFaults
from adapters.sandbox.twilio_numbers import Numbers
from adapters.sandbox.verbs import Colleague, Customer

T = TypeVar("T")


class Sandbox:
    """Each verb sends the real, signed request and returns the gateway's response, whatever its status.

    A verb raises `NotInSandbox` or `NotAllowedByClient` for what nobody could do, `GatewayAway` for no answer.
    """

    def __init__(self, settings: SandboxSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._notes = Notebook(settings.state_path)
        self.socket = SocketMode(settings)
        self._phones = Phones(self._notes, clock)
        self._phones.settle()
        self._faults = Faults(self._notes)
        line, other = (Line(settings, clock, self.socket, team) for team in cast.TEAMS)
        self._first = Team(cast.TEAM, settings, self._notes, line, self._faults, clock)
        self._second = Team(cast.SECOND, settings, Shelf(self._notes, "second"), other, self._faults, clock)
        self._teams = {one.id: one for one in (self._first, self._second)}
        self._line, self._colleague = self._first.line, self._first.colleague
        self._streams, self._files = self._first.streams, self._first.files
        self._text_faults = TextFaults(self._notes)
        self._customer = Customer(settings, self._phones, self._line, self._text_faults)
        self._grants = Grants(settings, self._notes, cast.TEAM, clock)
        self._slack = SlackOutside(settings, self._grants, self._teams)
        self.numbers = Numbers(settings, self._notes)
        self._twilio = TwilioApi(settings, self._phones, self._line, self.numbers, self._text_faults)
        self._page = Page(self, settings)

    def routes(self) -> list[BaseRoute]:
        """Everything under `/sandbox`."""
        below = [*self.socket.routes(), *self._slack.routes(), *self._twilio.routes(), *self._page.routes()]
        return [Route("/sandbox", self._page.show, methods=["GET"]), Mount("/sandbox", routes=below)]

    def stop_waiting(self) -> None:
        """Let every waiting page go at once. Call it when the server is told to stop, or it waits for them."""
        self._notes.stop_waiting()

    async def aclose(self) -> None:
        self.stop_waiting()
        await self._twilio.aclose()
        for team in self._teams.values():
            await team.line.aclose()
        self._notes.close()

    # --- what people do ------------------------------------------------------------------------------------

    async def text(
        self,
        from_number: str,
        body: str,
        *,
        message_sid: str | None = None,
        extra: Mapping[str, str] | None = None,
        pictures: Sequence[Picture] = (),
    ) -> httpx.Response:
        """Text our number. A `message_sid` used before is Twilio's retry; `extra` adds or replaces form fields."""
        return await self._customer.text(from_number, body, message_sid, extra, pictures)

    async def tap(self, from_number: str, sid: str, title: str) -> httpx.Response:
        """Press a button below a message on WhatsApp, by the words on it."""
        return await self._customer.tap(from_number, sid, title)

    async def click(self, user: str, channel: str, ts: str, action_id: str) -> httpx.Response:
        return await self._colleague.click(user, channel, ts, action_id)

    async def opens_home(self, user: str) -> httpx.Response:
        """Open the app's Home tab."""
        return await self._colleague.opens_home(user)

    async def press(self, user: str, view_id: str, action_id: str, *, block_id: str = "") -> httpx.Response:
        """Click a button inside an open modal or the Home tab; `block_id` where several have that action."""
        return await self._colleague.press(user, view_id, action_id, block_id)

    async def submit(self, user: str, view_id: str, values: dict[str, str]) -> httpx.Response:
        """Submit an open modal; `values` by action id. What the gateway objects to stays on the modal."""
        return await self._colleague.submit(user, view_id, values)

    async def dismiss(self, user: str, view_id: str) -> httpx.Response | None:
        """Close an open modal. None: the view did not ask to be told."""
        return await self._colleague.dismiss(user, view_id)

    async def write(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None, files: Sequence[Upload] = ()
    ) -> httpx.Response:
        """Write in `C0OPS` or in one's direct messages (`cast.dm_of`); `<@U0BOT>` in a channel is a mention.

        `/approvals` is a command: what the gateway answers is whispered to them.
        """
        return await self._colleague.write(user, channel, text, thread_ts, files)

    async def edit(self, user: str, channel: str, ts: str, text: str) -> httpx.Response:
        """Write one's own message anew."""
        return await self._colleague.edit(user, channel, ts, text)

    async def delete(self, user: str, channel: str, ts: str) -> httpx.Response:
        """Take one's own message back."""
        return await self._colleague.delete(user, channel, ts)

    def delete_file(self, id: str) -> None:
        """Whoever uploaded it takes it back; the message that carried it stays."""
        self._files.delete(id)

    def in_team(self, team: str) -> Colleague:
        """The same verbs in a workspace. Raises `NotInSandbox`."""
        return self._team(team).colleague

    async def uninstall(self, team: str = cast.TEAM) -> httpx.Response:
        """Somebody removes the app from a workspace: its tokens are refused, and the gateway is told."""
        there = self._team(team)
        self._grants.uninstall(team)
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [cast.BOT_USER]}}
        await there.happens(revoked)
        return await there.happens({"type": "app_uninstalled"})

    def stops_stream(self, channel: str, ts: str) -> None:
        """A person presses stop on a message that streams."""
        if not self._streams.stop_by_user(channel, ts):
            raise NotInSandbox("that message does not stream")

    # --- what goes wrong -----------------------------------------------------------------------------------

    def fault(self, method: str = "*", error: str = "", **more: Any) -> None:
        """The next call of Slack's Web API, or the next `times` of a method, goes wrong: see `faults.Fault`."""
        self._faults.ask(Fault(method=method, error=error, **more))

    def expire_triggers(self, times: int = 1) -> None:
        """Slack says of the next `times` triggers that they have expired, however quick the app is."""
        self.fault("views.*", EXPIRED, times=times)

    def text_fault(self, kind: Kind, **more: Any) -> None:
        """The next call of Twilio's API or the next text goes wrong, or the next `times`: see `TextFault`."""
        self._text_faults.ask(TextFault(kind=kind, **more))

    def forget_faults(self) -> None:
        """Of Slack's."""
        self._faults.forget()

    def forget_text_faults(self) -> None:
        self._text_faults.forget()

    def reset(self) -> None:
        """Forget every message, modal and opt-out, but not where the app is installed."""
        self._grants.survive(self._notes.clear)

    # --- what there is to see ------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {
            "version": self._notes.version,
            "problem": self._line.problem,
            "our_number": self.settings.our_number,
            "customers": cast.CUSTOMERS,
            "people": {id: {"name": one.name, "note": one.note} for id, one in cast.PEOPLE.items()},
            "phones": self._phones.by_number(),
            "opted_out": self._phones.all_opted_out(),
            "text_faults": self._text_faults.waiting(),
            **self._first.state(),
            "faults": self._faults.waiting(),
            "installed": {team: self._grants.is_in(team) for team in self._teams},
            "second": self._second.state(),
        }

    async def changed(self, since_version: int, timeout: float) -> int:
        """The version as soon as it differs; the same one when `timeout` seconds passed without news."""
        return await self._notes.changed(since_version, timeout)

    async def until(self, look: Callable[[dict[str, Any]], T | None], timeout: float = 10) -> T:
        """Wait until `look(state)` finds something, and return it. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout):
            while True:
                state = self.state()
                if found := look(state):
                    return found
                await self.changed(state["version"], timeout)

    def _team(self, id: str) -> Team:
        if id not in self._teams:
            raise NotInSandbox(f"There is no workspace {id}.")
        return self._teams[id]
