"""`gateway demo`: the main story without a browser, against a sandbox of its own; a transcript with times.

Every text, click and form is a real signed request; nothing here reads or writes the gateway's rows.
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import typer

from adapters.sandbox import cast
from adapters.sandbox.world import Sandbox
from config import logs, running
from config.settings import in_folder
from gateway import policy as policies

POLICY = """
[[routes]]
channel = "*"
agent = "support"

[people.ana]
slack = "U0ANA"

[approvals.default]
ask = ["slack:C0OPS"]
approvers = ["ana"]
"""
STEP_S = 15.0


class StepFailed(Exception):
    """A step of the story did not happen in time."""


async def play() -> int:
    """0 when every step happened, else 1."""
    logs.set_up(logging.getLevelName(logging.ERROR))
    with tempfile.TemporaryDirectory(prefix="gatehouse-demo-") as folder:
        settings = in_folder(Path(folder))
        async with running.live(settings, policies.read(POLICY), sandbox_state=Path(folder) / "sandbox.db") as gateway:
            assert gateway.sandbox is not None
            try:
                await _story(Teller(gateway.sandbox))
            except (StepFailed, httpx.HTTPError) as error:
                typer.echo(f"\nThe story stopped: {error}", err=True)
                return 1
    typer.echo("\nEvery step happened.")
    return 0


async def _story(tell: "Teller") -> None:
    tell.title("A refund, approved")
    await tell.text(cast.ALICE, "Please refund order A-1001, $40.")
    card = await tell.sees_card(1)
    await tell.gets(cast.ALICE, 1)
    await tell.clicks(cast.MAX, card, "approval_approve", "Approve")
    await tell.is_told_privately(cast.MAX)
    await tell.clicks(cast.ANA, card, "approval_approve", "Approve")
    await tell.gets(cast.ALICE, 2, "A-1001")
    await tell.sees_outcome(card, "Approved by ana")

    tell.title("A refund, denied with a reason")
    await tell.text(cast.BOB, "Please refund order A-1002, $15.")
    card = await tell.sees_card(2)
    await tell.gets(cast.BOB, 1)
    await tell.clicks(cast.ANA, card, "approval_deny", "Deny")
    await tell.writes_reason(cast.ANA, "The order was delivered 60 days ago.")
    await tell.gets(cast.BOB, 2, "60 days ago")
    await tell.sees_outcome(card, "Denied by ana")


class Teller:
    """Does what a person does, waits for what they then see, and prints both with the time it took."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._since = time.monotonic()

    def title(self, text: str) -> None:
        typer.echo(f"\n{text}\n{'-' * len(text)}")

    async def text(self, number: str, body: str) -> None:
        await self._done(self._sandbox.text(number, body))
        self._line(f"{_name(number)} texts", body)

    async def clicks(self, user: str, ts: str, action: str, label: str) -> None:
        await self._done(self._sandbox.click(user, cast.OPS, ts, action))
        self._line(f"{_name(user)} clicks", label)

    async def writes_reason(self, user: str, reason: str) -> None:
        form = await self._until("the form for the reason", lambda state: state["modals"].get(user))
        await self._done(self._sandbox.submit(user, form[-1]["id"], {"reason": reason}))
        self._line(f"{_name(user)} writes why", reason)

    async def sees_card(self, number: int) -> str:
        cards = await self._until(f"card {number} in #ops", lambda state: _roots(state)[number - 1 :])
        self._line("#ops shows", f"{cards[0]['text']}  {_arguments(cards[0])}")
        return str(cards[0]["ts"])

    async def sees_outcome(self, ts: str, words: str) -> None:
        def final(state: dict[str, Any]) -> str:
            text = next(str(post["text"]) for post in _roots(state) if post["ts"] == ts)
            return text if words in text and "being carried out" not in text else ""

        self._line("the card now says", await self._until(f"the card saying {words!r}", final))

    async def is_told_privately(self, user: str) -> None:
        told = await self._until(f"a private word to {_name(user)}", lambda state: state["ephemerals"][user])
        self._line(f"only {_name(user)} sees", told[-1]["text"])

    async def gets(self, number: str, count: int, words: str = "") -> None:
        def texts(state: dict[str, Any]) -> list[str]:
            got = [one["body"] for one in state["phones"][number] if one["direction"] != "inbound"]
            return got if len(got) >= count else []

        got = (await self._until(f"text {count} to {_name(number)}", texts))[count - 1]
        if words not in got:
            raise StepFailed(f"the text to {_name(number)} does not say {words!r}: {got}")
        self._line(f"{_name(number)} gets", got)

    async def _done(self, request: Any) -> None:
        response = await request
        if response.status_code != 200:
            raise StepFailed(f"the gateway answered {response.status_code}")

    async def _until(self, what: str, look: Callable[[dict[str, Any]], Any]) -> Any:
        try:
            async with asyncio.timeout(STEP_S):
                while not (found := look(state := self._sandbox.state())):
                    await self._sandbox.changed(state["version"], STEP_S)
                return found
        except TimeoutError:
            raise StepFailed(f"{what} did not come within {STEP_S:.0f} s") from None

    def _line(self, what: str, words: str) -> None:
        now = time.monotonic()
        typer.echo(f"{(now - self._since) * 1000:7.0f} ms  {what + ':':22} {words}")
        self._since = now


def _roots(state: dict[str, Any]) -> list[dict[str, Any]]:
    return [post for post in state["channels"][cast.OPS] if not post.get("thread_ts")]


def _arguments(card: dict[str, Any]) -> str:
    for block in card["blocks"]:
        for element in block.get("elements", []):
            if element.get("type") == "rich_text_preformatted":
                return ", ".join(str(element["elements"][0]["text"]).splitlines())
    return ""


def _name(who: str) -> str:
    return cast.CUSTOMERS.get(who) or cast.PEOPLE[who].name
