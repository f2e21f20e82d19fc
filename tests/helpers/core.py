"""The core wired as config/wiring.py does, any number of times, between two far ends that a test tells what to do."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from config.wiring import Door, Work
from gateway import policy as policies
from gateway.approvals import Approvals
from gateway.attachments import Fetching
from gateway.by_words import ByWords
from gateway.catching_up import CatchingUp
from gateway.code_lock import CodeLock
from gateway.conversations import Conversations
from gateway.delivery import Delivery
from gateway.endings import Endings
from gateway.events import Identity, MediaRef, MessageReceived, Proof, ThreadRef, Verdict
from gateway.inbox import Inbox
from gateway.installations import Installing
from gateway.listeners import Listeners
from gateway.live import GROWTH, Live
from gateway.outbox import Outbox
from gateway.ports import Added, Channel, Clock, Decision, Listener, LiveReplies
from gateway.reaching import Reaching
from gateway.reconciling import Reconciling
from gateway.store import Store
from gateway.sweep import Sweep
from gateway.turns import Turns
from gateway.words import Words
from gateway.work.local import LocalEngine
from gateway.work.postgres import PostgresEngine
from tests.helpers.agents import Agents
from tests.helpers.process import until
from tests.helpers.rows import rows
from tests.helpers.scripted import OURS, Scripted
from tests.helpers.steps import Steps

ALICE, BOB = "+15550001111", "+15550002222"
ANA = Identity(channel="slack", account="T0TEAM", address="U0ANA", proof=Proof.PLATFORM)
ALERTS = "C0ALERTS"
POLICY = """
[[routes]]
channel = "sms"
agent = "support"

[people.ana]
slack = "U0ANA"

[approvals.default]
ask = ["slack:C0OPS"]
approvers = ["ana"]
expires_after = "24h"

[operations]
alerts = ["slack:C0ALERTS"]
"""
WORDS = Words()
KEY = "a key of the tests"


def text(
    number: str,
    words: str,
    name: str = "",
    *,
    message: str = "",
    sent_at: datetime | None = None,
    media: tuple[MediaRef, ...] = (),
    account: str = OURS,
    **more: Any,
) -> Any:
    """What the SMS adapter makes of a text. `name` is the event's id, `message` the message's own."""
    name = name or f"{number}: {words}"
    sender = Identity(channel="sms", account=account, address=number, proof=Proof.CARRIER)
    return MessageReceived(
        event_id=name,
        message_id=message or name,
        thread=ThreadRef("sms", account, number),
        sender=sender,
        text=words,
        media=media,
        sent_at=sent_at,
        **more,
    )


class Ends:
    """What is outside: one for all processes of a test."""

    def __init__(self, clock: Clock) -> None:
        self.steps = Steps()
        self.agents = Agents(self.steps)
        self.sms, self.slack = Scripted("sms", self.steps, clock), Scripted("slack", self.steps, clock)
        self.live: dict[str, LiveReplies] = {}  # the channels that show replies growing
        self.growth = GROWTH
        self.listeners: list[Listener] = []

    def alerts(self) -> list[str]:
        return self.slack.told(ALERTS)

    async def aclose(self) -> None:
        self.steps.open_all()
        await self.agents.aclose()
        assert self.agents.faults == []


@dataclass(frozen=True, slots=True)
class Core:
    """One process of the gateway. It works while in `at_work`; its parts may be called at any time."""

    store: Store
    engine: LocalEngine | PostgresEngine
    door: Door
    work: Work
    outbox: Outbox

    async def receives(self, number: str, words: str, name: str = "", **more: Any) -> Added:
        """A text comes in; kept when this returns."""
        return await self.door.inbox.add(text(number, words, name, **more))

    async def drain(self, conversation_id: int = 1, *, control: bool = False) -> None:
        await self.work.drain(conversation_id, control=control)

    async def conversation(self, number: str) -> int:
        """The id of the one with this customer."""
        return next(row["id"] for row in await self.rows("conversations") if row["thread_key"] == number)  # type: ignore[no-any-return]

    async def interrupt(self, conversation_id: int = 1) -> bool:
        return await self.work.conversations.interrupt(conversation_id, by="ana")

    async def approves(self, approval_id: str) -> Decision:
        return await self.door.approvals.decide(approval_id, ANA, Verdict.APPROVE, via="slack")

    async def rows(self, table: str) -> list[dict[str, Any]]:
        return await rows(self.store, table)

    async def statuses(self) -> list[str]:
        """Of the messages that came in, in the order they came."""
        return [row["status"] for row in await self.rows("inbox") if row["kind"] == "message"]

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Leaving lets what runs end for a while, as on SIGTERM."""
        stop = asyncio.Event()

        async def stopped() -> None:
            await stop.wait()

        running = asyncio.create_task(self.engine.run(self.work, stopped))
        try:
            yield
        finally:
            stop.set()
            await running


class Start(Protocol):
    async def __call__(self, *, at_work: bool = True, **more: Any) -> Core:
        """One more process, at work until the test is over; `more` as for `opened`."""


@contextlib.asynccontextmanager
async def opened(
    url: str, ends: Ends, clock: Clock, *, policy: str = POLICY, slots: int = 50, pool_size: int = 5
) -> AsyncIterator[Core]:
    """`slots` as TURN_SLOTS."""
    async with contextlib.AsyncExitStack() as stack:
        store = Store(url, pool_size=pool_size)
        stack.push_async_callback(store.aclose)
        engine: LocalEngine | PostgresEngine = LocalEngine()
        if not store.on_sqlite:
            engine = PostgresEngine(store.url, turns=slots)
        yield _wired(store, engine, ends, clock, policy, slots)


def _wired(
    store: Store, engine: LocalEngine | PostgresEngine, ends: Ends, clock: Clock, written: str, slots: int
) -> Core:
    policy, words, stopping = policies.read(written), Words(), asyncio.Event()
    late_after = policy.operations.late_after
    channels: dict[str, Channel] = {"sms": ends.sms, "slack": ends.slack}
    outbox = Outbox(
        store, engine, channels, clock, alerts=[policy.destination(one) for one in policy.operations.alerts]
    )
    delivery = Delivery(store, outbox, channels, clock, words, policy=policy, late_after=late_after, key=KEY)
    approvals = Approvals(store, engine, outbox, policy, clock, words, channels=channels, key=KEY)
    endings = Endings(store, outbox, approvals, clock, words)
    live = Live(store, ends.live, clock, ends.growth)
    fetching = Fetching(channels, clock)
    turns = Turns(store, ends.agents, endings, policy, clock, live, fetching, stopping=stopping, slots=slots)
    conversations = Conversations(store, engine, turns, endings, outbox, clock, words, stopping=stopping)
    inbox = Inbox(
        store,
        engine,
        outbox,
        policy,
        clock,
        ByWords(approvals, outbox, clock, words, (KEY,), CodeLock(outbox, policy, clock)),
    )
    sweep = Sweep(store, engine, approvals, outbox, clock, late_after=late_after, retention=policy.retention)
    catching_up = CatchingUp(store, inbox, channels, clock, late_after=late_after)
    reconciling = Reconciling(store, ends.agents, approvals, endings, clock)
    door = Door(inbox, approvals, Reaching(store, outbox, policy, clock), Installing(store, outbox, (KEY,), clock))
    listeners = Listeners(store, outbox, door, ends.listeners, clock)
    work = Work(conversations, delivery, sweep, catching_up, reconciling, listeners, stopping)
    return Core(store, engine, door, work, outbox)


async def seen(look: Callable[[], Any], what: str = "it", *, within_s: float = 20.0) -> Any:
    """What `look` finds, as soon as it finds something."""

    async def now() -> Any:
        return look()

    return await until(now, what, within_s=within_s)
