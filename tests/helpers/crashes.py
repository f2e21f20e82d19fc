"""The named steps of a turn, each found from the far ends: who is at it, so that this one can be killed there."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tests.helpers.agentline import Seen
from tests.helpers.carriers import Sending
from tests.helpers.halt import Halt
from tests.helpers.house import House
from tests.helpers.outside import Outside
from tests.helpers.process import until

PEOPLE = 4
REFUND, REFUNDED = "Please refund order A-1001, $40.", "refunded $40 for order A-1001"
_numbers = itertools.count(1)


@dataclass
class Round:
    """Some customers who write at the same time; `number` counts the rounds, so that a step can take turns."""

    house: House
    outside: Outside
    database_url: str
    number: int
    numbers: list[str] = field(default_factory=lambda: [f"+1555{next(_numbers):07d}" for _ in range(PEOPLE)])
    asks: Callable[[str], str] = lambda number: f"Tell me about kite {number}."
    reply: Callable[[str], str] = lambda number: f"kite {number}."
    texting: "asyncio.Task[Any] | None" = None

    def write(self) -> "asyncio.Task[Any]":
        """Everybody writes; done when all is acknowledged."""
        texts = (self.house.text_until_taken(self.asks(number), sender=number) for number in self.numbers)
        self.texting = asyncio.create_task(_all(*texts))
        return self.texting

    def missing(self) -> list[str]:
        """Who has no reply yet."""
        return [one for one in self.numbers if not any(self.reply(one) in text for text in self.house.got(one))]

    def fates(self) -> dict[str, Any]:
        """What another owner would change, for each customer."""
        asked = self.outside.ask(
            "SELECT c.thread_key, c.epoch, o.id, o.status, o.attempts FROM conversations c"
            " LEFT JOIN outbox o ON o.lane = 'sms:' || c.thread_key WHERE c.thread_key IN (?) ORDER BY c.id, o.id",
            self.numbers,
        )
        return {number: [row[1:] for row in asked if row[0] == number] for number in self.numbers}

    def queued(self) -> list[str]:
        """The customers whose reply is in the outbox and not on its way."""
        lanes = [f"sms:{number}" for number in self.numbers]
        asked = self.outside.ask(
            "SELECT lane FROM outbox WHERE status = 'queued' AND attempts = 0 AND lane IN (?)", lanes
        )
        return [str(row[0]).removeprefix("sms:") for row in asked]


Step = Callable[[Round], AbstractAsyncContextManager[str]]
"""Brings a round to the step and yields the name of the process that is at it; what is held goes on afterwards."""


async def _all(*what: Any) -> None:
    await asyncio.gather(*what)


@asynccontextmanager
async def _frame(round: Round, is_it: Callable[[Seen], bool], start: Callable[[], Any]) -> AsyncIterator[str]:
    halt: Halt[Seen] = Halt(is_it)
    for tap in round.house.taps.values():
        tap.halt = halt
    await start()
    victim = (await halt.next()).tap
    yield victim
    halt.open(losing=lambda seen: seen.tap == victim)


def after_the_inbox_row(round: Round) -> AbstractAsyncContextManager[str]:
    """Before a session is asked for, before its id is known, before the post is through."""

    def is_it(seen: Seen) -> bool:
        kind = ("create_session", "session_created", "post")[round.number % 3]
        return seen.is_post if kind == "post" else seen.type == kind

    return _frame(round, is_it, round.write)


def after_the_post(round: Round) -> AbstractAsyncContextManager[str]:
    """The agent has it; the acknowledgement is on its way, or has come."""

    def is_it(seen: Seen) -> bool:
        return seen.is_post_ack if round.number % 2 else seen.type == "Processing"

    return _frame(round, is_it, round.write)


def in_the_middle_of_the_stream(round: Round) -> AbstractAsyncContextManager[str]:
    """Three deltas have come through."""
    round.asks, round.reply = (lambda _: "Count slowly to 20."), (lambda _: "nineteen twenty")
    return _frame(round, lambda seen: seen.type == "message_delta" and seen.frame["index"] >= 3, round.write)


@asynccontextmanager
async def after_the_reply_is_queued(round: Round) -> AsyncIterator[str]:
    """On PostgreSQL the lease that a send needs is held up; SQLite has no such place, so the moment is raced for."""
    if round.database_url.startswith("sqlite"):
        round.write()
        alone = round.house.workers["run"]
        await asyncio.to_thread(_killed_when_queued, round, alone.pid)
        yield "run"
        return
    with psycopg.connect(round.database_url) as blocking:
        blocking.execute("LOCK TABLE leases IN SHARE MODE")
        await round.write()

        async def queued() -> list[str]:
            return round.queued()

        customer = (await until(queued, "a queued reply"))[0]
        yield _who_has(round, customer)


def _killed_when_queued(round: Round, pid: int) -> None:
    give_up = time.monotonic() + 30
    while not round.queued():
        assert time.monotonic() < give_up, "no reply was queued"
        time.sleep(0.0002)
    os.kill(pid, signal.SIGKILL)


def _who_has(round: Round, customer: str) -> str:
    session = round.outside.ask("SELECT session_id FROM conversations WHERE thread_key = ?", [customer])[0][0]
    posts = [one for tap in round.house.taps.values() for one in tap.seen if one.is_post and one.session == session]
    return posts[-1].tap


@asynccontextmanager
async def during_a_send(round: Round) -> AsyncIterator[str]:
    """The carrier has the text and has not answered, or it was on its way there."""
    halt: Halt[Sending] = Halt(lambda sending: sending.taken == bool(round.number % 2))
    round.house.carriers.halt = halt
    await round.write()
    victim = (await halt.next()).who
    yield victim
    halt.open(losing=lambda sending: sending.who == victim)


def between_decision_and_answer(round: Round) -> AbstractAsyncContextManager[str]:
    """Approved, and the answer is on its way to the agent; or the agent has it, and nobody here knows."""
    del round.numbers[2:]  # their cards go to one Slack channel, which takes about one message a second
    round.asks, round.reply = (lambda _: REFUND), (lambda _: REFUNDED)
    answered: set[str] = set()

    def is_it(seen: Seen) -> bool:
        if seen.is_answer:
            answered.add(seen.session)
            return not round.number % 2
        return bool(round.number % 2) and seen.is_post_ack and seen.session in answered

    async def start() -> None:
        await round.write()
        cards = [await round.house.card_about(number) for number in round.numbers]
        clicked = await asyncio.gather(*(round.house.clicks("U0ANA", card) for card in cards))
        assert set(clicked) == {200}

    return _frame(round, is_it, start)


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        after_the_inbox_row,
        after_the_post,
        in_the_middle_of_the_stream,
        after_the_reply_is_queued,
        during_a_send,
        between_decision_and_answer,
    )
}
