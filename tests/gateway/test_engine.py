"""One contract, two engines: order in a lane, lanes side by side, nothing forgotten, a stop that waits."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from gateway.ports import Engine
from gateway.store import Store
from gateway.work.local import LocalEngine
from gateway.work.postgres import PostgresEngine
from tests.helpers.process import until

NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Recorder:
    """Work that notes what it was asked, and can be made slow, faulty or forgetful."""

    def __init__(self) -> None:
        self.drained: list[int] = []
        self.delivered: list[str] = []
        self.sweeps = 0
        self.stopped = False
        self.at_once: Counter[int] = Counter()
        self.most = 0
        self.gate = asyncio.Event()
        self.slow: set[int] = set()
        self.faulty: set[int] = set()

    async def drain(self, conversation_id: int) -> None:
        self.at_once[conversation_id] += 1
        assert self.at_once[conversation_id] == 1
        self.most = max(self.most, sum(self.at_once.values()))
        try:
            if conversation_id in self.slow:
                await self.gate.wait()
            await asyncio.sleep(0)
            self.drained.append(conversation_id)
            if conversation_id in self.faulty:
                self.faulty.discard(conversation_id)
                raise RuntimeError("a bug")
        finally:
            self.at_once[conversation_id] -= 1

    async def deliver(self, lane: str) -> None:
        self.delivered.append(lane)

    async def sweep(self) -> None:
        self.sweeps += 1

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
async def engine(store: Store) -> AsyncIterator[Engine]:
    if store.on_sqlite:
        yield LocalEngine()
        return
    engine = PostgresEngine(store.url)
    async with engine.open():
        yield engine


@contextlib.asynccontextmanager
async def at_work(engine: Engine, work: Recorder) -> AsyncIterator[None]:
    stop = asyncio.Event()

    async def stopped() -> None:
        await stop.wait()

    running = asyncio.create_task(engine.run(work, stopped))
    await seen(lambda: work.sweeps > 0)
    try:
        yield
    finally:
        stop.set()
        await running


async def seen(look: Callable[[], bool]) -> None:
    async def now() -> bool:
        return look()

    await until(now, "the work")


async def test_a_conversation_woken_many_times_runs_one_at_a_time(store: Store, engine: Engine) -> None:
    work = Recorder()
    async with at_work(engine, work):
        await asyncio.gather(*(store.write(lambda tx, n=n: engine.wake(tx, n % 3)) for n in range(30)))
        await seen(lambda: {0, 1, 2} <= set(work.drained))


async def test_a_slow_conversation_holds_up_no_other_and_no_send(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await store.write(lambda tx: engine.wake(tx, 2))
        await store.write(lambda tx: engine.wake_lane(tx, "sms:+1"))
        await seen(lambda: 2 in work.drained and "sms:+1" in work.delivered)
        assert 1 not in work.drained
        work.gate.set()
        await seen(lambda: 1 in work.drained)


async def test_a_wake_up_while_it_runs_is_not_lost(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.at_once[1] == 1)
        await store.write(lambda tx: engine.wake(tx, 1))
        work.gate.set()
        await seen(lambda: work.drained.count(1) == 2)


async def test_a_transaction_that_fails_wakes_nobody(store: Store, engine: Engine) -> None:
    work = Recorder()

    async def fails(tx):  # type: ignore[no-untyped-def]
        await engine.wake(tx, 1)
        raise ValueError("no")

    async with at_work(engine, work):
        with pytest.raises(ValueError, match="no"):
            await store.write(fails)
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: 2 in work.drained)
    assert 1 not in work.drained


async def test_a_fault_in_one_conversation_stops_nothing(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.faulty.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: 1 in work.drained)
        await store.write(lambda tx: engine.wake(tx, 1))
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: work.drained.count(1) >= 2 and 2 in work.drained)


async def test_a_stop_lets_what_runs_end(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.at_once[1] == 1)
        asyncio.get_running_loop().call_later(0.2, work.gate.set)
    assert work.drained == [1]
    assert work.stopped


async def test_fifty_conversations_run_side_by_side(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow |= set(range(50))
    async with at_work(engine, work):
        await asyncio.gather(*(store.write(lambda tx, n=n: engine.wake(tx, n)) for n in range(50)))
        await seen(lambda: work.most == 50)
        work.gate.set()


async def test_a_reminder_of_what_waits_already_adds_nothing(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.at_once[1] == 1)
        for _ in range(10):
            await store.write(lambda tx: engine.remind(tx, 1))
        work.gate.set()
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: 2 in work.drained and work.drained.count(1) == 2)
    assert work.drained.count(1) == 2
