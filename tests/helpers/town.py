"""A gateway at work and the people around it: customers with phones, colleagues in Slack. Real HTTP throughout."""

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from adapters.sandbox import cast
from adapters.sandbox.slack_files import Upload
from adapters.sandbox.world import Sandbox
from config import running
from config.running import Live
from config.settings import AgentServerVariables, AgentVariables, Settings
from gateway import policy as policies
from gateway.store import Store
from tests.helpers import slack
from tests.helpers.clock import Clock
from tests.helpers.rows import rows

POLICY = """
[[routes]]
channel = "*"
agent = "support"

[people.ana]
slack = "U0ANA"

[approvals.default]
ask = ["slack:C0OPS"]
approvers = ["ana"]
expires_after = "24h"

[operations]
alerts = ["slack:C0OPS"]
"""
PATIENCE_S = 20.0

Under = Callable[[str], contextlib.AbstractAsyncContextManager["Town"]]
"""A town under a policy of its own."""


class Town:
    def __init__(
        self, database_url: str, folder: Path, clock: Clock, policy: str = POLICY, *, by_oauth: bool = False
    ) -> None:
        self.clock = clock
        self.by_oauth = by_oauth
        self.policy = policy
        self._folder = folder
        agent_url = f"sqlite:///{folder}/agent.db" if database_url.startswith("sqlite") else database_url
        self.settings = Settings.model_construct(
            database_url=database_url, port=0, agent_server=AgentServerVariables(database_url=agent_url)
        )
        self._stack = contextlib.AsyncExitStack()
        self.live: Live

    async def open(self) -> None:
        live = running.live(
            self.settings,
            policies.read(self.policy),
            sandbox_state=self._folder / "sandbox.db",
            clock=self.clock,
            by_oauth=self.by_oauth,
        )
        self.live = await self._stack.enter_async_context(live)

    async def close(self) -> None:
        await self._stack.aclose()

    async def restart(self) -> None:
        await self.close()
        self._stack = contextlib.AsyncExitStack()
        await self.open()

    def with_agent_at(self, url: str) -> None:
        """The platform is elsewhere; call before `open`."""
        self.settings = self.settings.model_copy(update={"agent": AgentVariables(url=url)})

    @property
    def sandbox(self) -> Sandbox:
        assert self.live.sandbox is not None
        return self.live.sandbox

    @property
    def store(self) -> Store:
        return self.live.parts.store

    @property
    def alice(self) -> "Phone":
        return Phone(self, cast.ALICE)

    @property
    def bob(self) -> "Phone":
        return Phone(self, cast.BOB)

    @property
    def ana(self) -> "Colleague":
        return Colleague(self, cast.ANA)

    @property
    def max(self) -> "Colleague":
        return Colleague(self, cast.MAX)

    def cards(self) -> list[dict[str, Any]]:
        """The requests shown in #ops, oldest first."""
        return [post for post in self.sandbox.state()["channels"][cast.OPS] if post.get("blocks")]

    def alerts(self) -> list[str]:
        posts = self.sandbox.state()["channels"][cast.OPS]
        return [post["text"] for post in posts if post["text"].startswith("Gatehouse:")]

    async def card(self, number: int = 1) -> dict[str, Any]:
        return (await self.until(lambda: self.cards()[number - 1 :], f"card {number}"))[0]  # type: ignore[no-any-return]

    async def card_says(self, words: str, number: int = 1) -> dict[str, Any]:
        def saying() -> list[dict[str, Any]]:
            return [card for card in self.cards()[number - 1 : number] if words in card["text"]]

        return (await self.until(saying, f"a card saying {words!r}"))[0]  # type: ignore[no-any-return]

    async def until(self, look: Callable[[], Any], what: str) -> Any:
        """What `look` finds, as soon as it finds something; the sandbox says when to look again."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not (found := look()):
                    await self.sandbox.changed(self.sandbox.state()["version"], 0.25)
                return found
        except TimeoutError:
            raise AssertionError(f"{what} did not come within {PATIENCE_S:.0f} s") from None


class Phone:
    def __init__(self, town: Town, number: str) -> None:
        self._town = town
        self.number = number

    async def texts(self, body: str, *, sid: str | None = None) -> httpx.Response:
        response = await self._town.sandbox.text(self.number, body, message_sid=sid)
        assert response.status_code == 200
        return response

    def got(self) -> list[str]:
        messages = self._town.sandbox.state()["phones"].get(self.number, [])
        return [one["body"] for one in messages if one["direction"] != "inbound"]

    async def reads(self, words: str) -> str:
        """The newest text that says so."""
        found = await self._town.until(
            lambda: [text for text in self.got() if words in text], f"a text saying {words!r} to {self.number}"
        )
        return str(found[-1])

    async def is_asked(self, count: int = 1) -> str:
        """The code of the newest request, once this many were texted."""
        asked = re.compile(r"\b(?:YES|NO) (\d{6})\b")
        found = await self._town.until(
            lambda: [match[1] for text in self.got() if (match := asked.search(text))][count - 1 :],
            f"request {count} to {self.number}",
        )
        return str(found[-1])

    async def gets(self, count: int) -> list[str]:
        """All texts so far, once there are this many."""
        return await self._town.until(  # type: ignore[no-any-return]
            lambda: self.got() if len(self.got()) >= count else [], f"text {count} to {self.number} (got {self.got()})"
        )


class OnWhatsapp(Phone):
    """The same person's phone, there."""

    def __init__(self, town: Town, number: str) -> None:
        super().__init__(town, f"whatsapp:{number}")

    async def taps(self, title: str, message: dict[str, Any]) -> None:
        """Press a button below a message."""
        assert (await self._town.sandbox.tap(self.number, message["sid"], title)).status_code == 200

    async def sees_buttons(self, count: int = 1) -> dict[str, Any]:
        """The newest message with buttons, once there are this many."""

        def shown() -> list[dict[str, Any]]:
            messages = self._town.sandbox.state()["phones"].get(self.number, [])
            return [one for one in messages if one.get("buttons")][count - 1 :]

        return (await self._town.until(shown, f"buttons {count} on {self.number}"))[-1]  # type: ignore[no-any-return]


class Colleague:
    def __init__(self, town: Town, user: str) -> None:
        self._town = town
        self.user = user

    async def clicks(self, card: dict[str, Any], action: str) -> None:
        response = await self._town.sandbox.click(self.user, cast.OPS, card["ts"], action)
        assert response.status_code == 200

    async def clicks_in_an_old_window(self, card: dict[str, Any], action: str, *, team: str = cast.TEAM) -> None:
        """Click a button as it stood on the card then, whatever the card shows now. `team`: the one they are of."""
        payload = slack.click(self.user, team, cast.OPS, card, action)
        secret, now = self._town.sandbox.settings.slack_signing_secret, self._town.clock().timestamp()
        async with httpx.AsyncClient() as client:
            response = await client.post(self._town.live.url + "/slack/events", **slack.signed(secret, payload, at=now))
        assert response.status_code == 200

    async def approves(self, card: dict[str, Any]) -> None:
        await self.clicks(card, "approval_approve")

    async def presses_deny(self, card: dict[str, Any]) -> dict[str, Any]:
        """The form that opens."""
        await self.clicks(card, "approval_deny")
        return (await self._town.until(self.forms, "the form for the reason"))[-1]  # type: ignore[no-any-return]

    async def opens(self, card: dict[str, Any]) -> dict[str, Any]:
        """The whole of a request that its card does not show; it counts as opened when this returns."""
        await self.clicks(card, "approval_open")
        form = (await self._town.until(self.forms, "the whole request"))[-1]
        async with asyncio.timeout(PATIENCE_S):  # it is kept right after Slack has shown it
            while not await rows(self._town.store, "openings"):
                await self._town.sandbox.changed(self._town.sandbox.state()["version"], 0.05)
        return form  # type: ignore[no-any-return]

    async def presses(self, form: dict[str, Any], action: str) -> None:
        """Click a button in an open form."""
        response = await self._town.sandbox.press(self.user, form["id"], action)
        assert response.status_code == 200

    async def submits(self, form: dict[str, Any], reason: str) -> None:
        response = await self._town.sandbox.submit(self.user, form["id"], {"reason": reason})
        assert response.status_code == 200

    async def presses_edit(self, card: dict[str, Any]) -> dict[str, Any]:
        """The form that opens."""
        await self.clicks(card, "approval_edit")
        return (await self._town.until(self.forms, "the form for the arguments"))[-1]  # type: ignore[no-any-return]

    async def saves(self, form: dict[str, Any], **changes: str) -> dict[str, str]:
        """Save what is in the form, after changes; what Slack shows beside the inputs then."""
        inputs = [block["element"] for block in form["blocks"] if block["type"] == "input"]
        values = {one["action_id"]: one.get("initial_value") or _chosen(one) for one in inputs}
        response = await self._town.sandbox.submit(self.user, form["id"], {**values, **changes})
        assert response.status_code == 200
        return next((one["errors"] for one in self.forms() if one["id"] == form["id"]), {})

    async def opens_home(self) -> dict[str, Any]:
        """Their Home tab, once the app has shown it."""
        before = self._home()
        assert (await self._town.sandbox.opens_home(self.user)).status_code == 200
        return await self._town.until(lambda: self._home() != before and self._home(), "the Home tab")  # type: ignore[no-any-return]

    def _home(self) -> Any:
        return self._town.sandbox.state()["homes"].get(self.user)

    async def denies(self, card: dict[str, Any], reason: str) -> None:
        await self.submits(await self.presses_deny(card), reason)

    def forms(self) -> list[dict[str, Any]]:
        return self._town.sandbox.state()["modals"].get(self.user, [])  # type: ignore[no-any-return]

    def whispers(self) -> list[str]:
        return [one["text"] for one in self._town.sandbox.state()["ephemerals"][self.user]]

    async def is_told(self, count: int = 1) -> str:
        """The newest of what only this person sees, once there are this many."""
        told = await self._town.until(lambda: self.whispers()[count - 1 :], f"a private word to {self.user}")
        return str(told[0])

    async def writes(self, channel: str, text: str, thread_ts: str | None = None, *files: Upload) -> str:
        """The `ts` of what they wrote."""
        response = await self._town.sandbox.write(self.user, channel, text, thread_ts=thread_ts, files=files)
        assert response.status_code == 200
        wrote = [one for one in self._town.sandbox.state()["channels"][channel] if one.get("user") == self.user]
        return str(wrote[-1]["ts"])

    async def edits(self, channel: str, ts: str, text: str) -> None:
        assert (await self._town.sandbox.edit(self.user, channel, ts, text)).status_code == 200

    async def deletes(self, channel: str, ts: str) -> None:
        assert (await self._town.sandbox.delete(self.user, channel, ts)).status_code == 200


def _chosen(select: dict[str, Any]) -> str:
    return str((select.get("initial_option") or {}).get("value", ""))
