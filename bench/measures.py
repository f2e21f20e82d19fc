"""The measurements on one database: from the inbox to an empty handler, whole turns, and taking over."""

import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text as sql
from sqlmodel.ext.asyncio.session import AsyncSession

from bench import house, worker
from bench.handlers import Note
from bench.house import Kind
from bench.worker import Worker
from gateway.inbox import Inbox
from gateway.store import Store

IDLE, PAUSE_S, WARM = 300, 0.02, 50
SENDERS = 64
PATIENCE_S = 180.0
QUESTION = "Where is order A-1001?"
NEW = "SELECT count(*) FROM inbox WHERE status = 'new'"
SENT = "SELECT count(*) FROM outbox WHERE status = 'sent'"


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything."""

    events: int
    conversations: int = 500
    turns: int = 300
    talks: int = 50  # conversations of the turns, and of the idle events
    rounds: int = 5


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two databases, empty and migrated, with a folder beside it."""

    name: str
    url: str
    folder: Path

    @property
    def on_sqlite(self) -> bool:
        return self.url.startswith("sqlite")


@dataclass(slots=True)
class Desk:
    """Where the receiver sits. `notes` is filled when the work has ended."""

    inbox: Inbox
    store: Store
    calls: dict[str, tuple[float, float]] = field(default_factory=dict)  # before `Inbox.add`, and after it
    notes: list[Note] = field(default_factory=list)

    async def send(self, number: int, event_id: str, words: str = "hello") -> None:
        before = time.monotonic()
        await self.inbox.add(house.text(number, event_id, words))
        self.calls[f"sms:{event_id}"] = (before, time.monotonic())

    async def send_all(self, events: Iterable[tuple[int, str]], words: str = "hello") -> None:
        waiting = iter(events)

        async def sender() -> None:
            for number, event_id in waiting:
                await self.send(number, event_id, words)

        await asyncio.gather(*(sender() for _ in range(SENDERS)))

    async def until(self, question: str, count: int, *, every_s: float = 0.05) -> int:
        """Wait until it counts so many, or it takes too long; what it counts in the end."""
        deadline = time.monotonic() + PATIENCE_S

        async def look(db: AsyncSession) -> int:
            return int((await (await db.connection()).execute(sql(question))).scalar_one())

        while (found := await self.store.read(look)) != count and time.monotonic() < deadline:  # noqa: ASYNC110 - another process has no event to give us
            await asyncio.sleep(every_s)
        return found


@contextlib.asynccontextmanager
async def at_work(side: Side, kind: Kind) -> AsyncIterator[Desk]:
    """SQLite: receiver and engine in this process. PostgreSQL: the receiver here, the engine in another process."""
    if side.on_sqlite:
        async with house.owned(side.url), house.opened(side.url, side.folder, kind) as (parts, work):
            desk = Desk(parts.door.inbox, parts.store)
            async with house.at_work(parts, work):
                yield desk
            desk.notes = house.notes(work)
        return
    async with (
        house.opened(side.url, side.folder, None) as (parts, _),
        worker.running(kind, side.url, side.folder) as process,
    ):
        desk = Desk(parts.door.inbox, parts.store)
        yield desk
        desk.notes = await process.stop()


async def events(side: Side, size: Size) -> dict[str, float]:
    """From before `Inbox.add` to the handler: one at a time with pauses, then many at once."""
    async with at_work(side, "empty") as desk:
        await desk.send_all((number, f"warm-{number}") for number in range(size.talks))
        await desk.until(NEW, 0)
        say(f"{side.name}: {IDLE} events, one at a time")
        for number in range(IDLE):
            await desk.send(number % size.talks, f"idle-{number}")
            await asyncio.sleep(PAUSE_S)
        await desk.until(NEW, 0)
        say(f"{side.name}: {size.events} events over {size.conversations} conversations, {SENDERS} senders")
        cpu = time.process_time()
        await desk.send_all((1000 + number % size.conversations, f"load-{number}") for number in range(size.events))
        received = time.monotonic()
        left = await desk.until(NEW, 0, every_s=0.1)
        cpu = time.process_time() - cpu
    calls = {kind: _of(desk.calls, kind) for kind in ("idle", "load")}
    notes = {kind: [one for one in desk.notes if one.event_key in calls[kind]] for kind in calls}
    begun = min(before for before, _ in calls["load"].values())
    return {
        **_waits("idle", calls["idle"], notes["idle"]),
        **_waits("load", calls["load"], notes["load"]),
        "received_per_s": size.events / (received - begun),
        "events_per_s": len(notes["load"]) / (max(note.done for note in notes["load"]) - begun),
        "cpu_ms": cpu * 1000 / size.events,
        "out_of_order": _out_of_order(desk.notes),
        "handled_twice": len(desk.notes) - len({note.event_key for note in desk.notes}),
        "not_handled": left,
    }


async def turns(side: Side, size: Size) -> dict[str, float]:
    """A text in, the embedded agent's reply accepted by a channel that takes it at once."""
    async with at_work(side, "turns") as desk:
        before = await desk.until(SENT, 0)
        await desk.send_all(((5000 + number, f"hello-{number}") for number in range(size.talks)), QUESTION)
        await desk.until(SENT, before + size.talks)
        say(f"{side.name}: {size.turns} whole turns over {size.talks} conversations")
        begun = datetime.now(UTC)
        await desk.send_all(((5000 + number % size.talks, f"turn-{number}") for number in range(size.turns)), QUESTION)
        sent = await desk.until(SENT, before + size.talks + size.turns) - before - size.talks
        ended = datetime.now(UTC)
    return {"turns_per_s": sent / (ended - begun).total_seconds(), "turns_lost": size.turns - sent}


async def takeover(side: Side, size: Size) -> dict[str, float]:
    """From the kill of a worker in the middle of a handler until another has the event before it.

    PostgreSQL: the other one runs already. SQLite: it is a fresh process, started after the kill.
    """
    times = []
    async with contextlib.AsyncExitStack() as stack:
        parts, _ = await stack.enter_async_context(house.opened(side.url, side.folder, None))
        desk = Desk(parts.door.inbox, parts.store)
        workers = [await _worker(side, stack) for _ in range(1 if side.on_sqlite else 2)]
        for number in range(size.rounds):
            say(f"{side.name}: kill {number + 1} of {size.rounds}")
            await desk.send(9000 + number, f"held-{number}")
            owner = await _first_to_start(workers)
            killed = time.monotonic()
            await owner.kill()
            workers.remove(owner)
            if side.on_sqlite:
                workers.append(await _worker(side, stack, ready=False))
            _, at = await workers[0].started()
            times.append(at - killed)
            if not side.on_sqlite:
                workers.append(await _worker(side, stack))
    name = "restart" if side.on_sqlite else "takeover"
    return {f"{name}_median_s": statistics.median(times), f"{name}_worst_s": max(times)}


async def _worker(side: Side, stack: contextlib.AsyncExitStack, *, ready: bool = True) -> Worker:
    started = await Worker.start("holding", side.url, side.folder)
    stack.push_async_callback(started.kill)
    if ready:
        await started.ready()
    return started


async def _first_to_start(workers: list[Worker]) -> Worker:
    waiting = {asyncio.create_task(one.started()): one for one in workers}
    done, rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    first = done.pop()
    _ = first.result()
    return waiting[first]


def _of(calls: dict[str, tuple[float, float]], kind: str) -> dict[str, tuple[float, float]]:
    return {key: times for key, times in calls.items() if key.startswith(f"sms:{kind}-")}


def _waits(kind: str, calls: dict[str, tuple[float, float]], notes: list[Note]) -> dict[str, float]:
    """From the call and from the commit, in milliseconds; a commit is seen a moment late by who waits for it."""
    called = [(note.started - calls[note.event_key][0]) * 1000 for note in notes]
    kept = [max(0.0, note.started - calls[note.event_key][1]) * 1000 for note in notes]
    found = {f"{kind}_p50_ms": statistics.median(called), f"{kind}_p95_ms": _p95(called)}
    return {**found, f"{kind}_commit_p50_ms": statistics.median(kept), f"{kind}_commit_p95_ms": _p95(kept)}


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[18]


def _out_of_order(notes: list[Note]) -> int:
    """How many events came to the handler after a later one of their conversation."""
    last: dict[int, int] = {}
    wrong = 0
    for note in sorted(notes, key=lambda note: note.started):
        wrong += note.seq < last.get(note.conversation_id, 0)
        last[note.conversation_id] = max(note.seq, last.get(note.conversation_id, 0))
    return wrong


def say(words: str) -> None:
    print(f"bench: {words}", file=sys.stderr, flush=True)
