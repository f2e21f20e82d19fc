"""One contract, two engines: order in a lane, lanes side by side, nothing forgotten, a stop that waits."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from gateway.ports import Engine
from gateway.store import Store, Tx
from gateway.work.local import LocalEngine
from gateway.work.postgres import PostgresEngine
from tests.helpers.process import until

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STOPS_WITHIN_S = 5.0


class Recorder:
    """Work that notes what it was asked, and can be made slow, faulty or forgetful."""

    def __init__(self) -> None:
        self.drained: list[int] = []
        self.delivered: list[str] = []
        self.sweeps = 0
        self.sweeps_slowly = self.sweeping = False
        self.stopped = False
        self.at_once: Counter[int] = Counter()
        self.most = 0
        self.gate = asyncio.Event()
        self.slow: set[int] = set()
        self.faulty: set[int] = set()

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
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
        if self.sweeps_slowly:
            self.sweeping = True
            await self.gate.wait()

    async def beat(self) -> None:
        pass

    async def catch_up(self) -> None:
        pass

    async def listen(self) -> None:
        pass

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
    yield PostgresEngine(store.url)


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


async def test_a_sweep_that_hangs_does_not_hold_up_a_stop(store: Store, engine: Engine) -> None:
    work = Recorder()
    async with at_work(engine, work):
        work.sweeps_slowly = True
        await seen(lambda: work.sweeping)
        told = time.monotonic()
    assert time.monotonic() - told < STOPS_WITHIN_S


async def test_fifty_conversations_run_side_by_side(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow |= set(range(50))
    async with at_work(engine, work):
        await asyncio.gather(*(store.write(lambda tx, n=n: engine.wake(tx, n)) for n in range(50)))
        await seen(lambda: work.most == 50)
        work.gate.set()


async def test_waking_what_waits_already_adds_nothing(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.at_once[1] == 1)
        for _ in range(10):
            await store.write(lambda tx: engine.wake(tx, 1))
            await store.write(lambda tx: engine.remind(tx, [(1, False)]))
        work.gate.set()
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: 2 in work.drained and work.drained.count(1) == 2)
    assert work.drained.count(1) == 2


# --- abort -----------------------------------------------------------------------------------------------------


async def test_an_abort_cuts_short_what_runs_and_what_is_woken_with_it_follows(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow.add(1)
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.at_once[1] == 1)
        work.slow.discard(1)

        await store.write(lambda tx: _abort_and_wake(engine, tx, 1))
        await seen(lambda: work.drained == [1])
        assert not work.gate.is_set()


async def test_an_abort_where_nothing_runs_yet_leaves_the_wake_up(store: Store, engine: Engine) -> None:
    work = Recorder()
    async with at_work(engine, work):
        await store.write(lambda tx: _wake_and_abort(engine, tx, 1))
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: 2 in work.drained)
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: 1 in work.drained)


async def test_aborts_and_wake_ups_at_any_moment_forget_no_conversation(store: Store, engine: Engine) -> None:
    work, dice = Recorder(), random.Random(5)
    async with at_work(engine, work):
        for _ in range(20):
            deeds = [dice.choice([engine.wake, engine.abort]) for _ in range(10)]
            await asyncio.gather(*(store.write(lambda tx, deed=deed: deed(tx, 1)) for deed in deeds))
        before = work.drained.count(1)
        await store.write(lambda tx: engine.wake(tx, 1))
        await seen(lambda: work.drained.count(1) > before)


async def test_an_abort_of_one_conversation_disturbs_no_other(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow |= {1, 2}
    async with at_work(engine, work):
        await store.write(lambda tx: engine.wake(tx, 1))
        await store.write(lambda tx: engine.wake(tx, 2))
        await seen(lambda: work.most == 2)
        await store.write(lambda tx: engine.abort(tx, 1))
        await seen(lambda: work.at_once[1] == 0)
        work.gate.set()
        await seen(lambda: work.drained == [2])


async def _abort_and_wake(engine: Engine, tx: Tx, conversation_id: int) -> None:
    await engine.abort(tx, conversation_id)
    await engine.wake(tx, conversation_id, control=True)


async def _wake_and_abort(engine: Engine, tx: Tx, conversation_id: int) -> None:
    await engine.wake(tx, conversation_id)
    await engine.abort(tx, conversation_id)


# --- control ---------------------------------------------------------------------------------------------------


async def test_what_need_not_wait_for_messages_goes_before_them(store: Store, engine: Engine) -> None:
    work = Recorder()
    work.slow |= set(range(60))
    async with at_work(engine, work):
        await asyncio.gather(*(store.write(lambda tx, n=n: engine.wake(tx, n)) for n in range(60)))
        await seen(lambda: work.most >= 50)
        await store.write(lambda tx: engine.wake(tx, 100, control=True))
        await seen(lambda: 100 in work.drained)
        work.gate.set()
