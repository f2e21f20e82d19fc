"""A listener runs in one process at a time, again after every fault, and operations hear of it once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest

from gateway.errors import KeyRefused, TryLater
from gateway.listeners import Listeners
from gateway.outbox import Outbox
from gateway.ports import Door
from gateway.store import Store
from tests.adapters.doors import RecordingDoor
from tests.helpers.core import seen
from tests.helpers.office import OPS, Carrier, Quiet
from tests.helpers.patience import Time
from tests.helpers.rows import rows


class Ear:
    """A listener: what is in `faults` is raised, one for each run; then it listens until it is cancelled."""

    name = "slack"

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.runs = 0
        self.listens = False

    async def run(self, door: Door) -> None:
        self.runs += 1
        if self.faults:
            raise self.faults.pop(0)
        self.listens = True
        try:
            await asyncio.Event().wait()
        finally:
            self.listens = False


Process = Callable[[Ear, Time], AbstractAsyncContextManager[asyncio.Task[None]]]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def process(store: Store) -> Process:
    @asynccontextmanager
    async def opened(ear: Ear, time: Time) -> AsyncIterator[asyncio.Task[None]]:
        outbox = Outbox(store, Quiet(), {"sms": Carrier()}, time, alerts=[OPS])
        listeners = Listeners(store, outbox, RecordingDoor(), [ear], time, sleep=time.sleep)
        running = asyncio.create_task(listeners.run())
        try:
            yield running
        finally:
            await stopped(running)

    return opened


async def stopped(running: "asyncio.Task[None]") -> None:
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_of_two_processes_one_listens(process: Process) -> None:
    time, one, two = Time(), Ear(), Ear()
    async with process(one, time):
        await seen(lambda: one.listens)
        async with process(two, time):
            for _ in range(10):
                await time.goes_by(1, sleepers=2)

            assert (one.runs, one.listens, two.runs) == (1, True, 0)


async def test_one_that_is_told_to_stop_hands_over_at_once(process: Process) -> None:
    time, one, two = Time(), Ear(), Ear()
    async with process(one, time) as first:
        await seen(lambda: one.listens)
        async with process(two, time):
            await seen(lambda: time.asleep == 2)

            await stopped(first)
            assert not one.listens
            await time.goes_by(1, sleepers=1)

            await seen(lambda: two.listens)


async def test_a_dead_ones_place_is_taken_within_seconds_and_if_it_lives_it_stops(process: Process) -> None:
    frozen, time, one, two = Time(), Time(), Ear(), Ear()
    async with process(one, frozen):
        await seen(lambda: one.listens)
        async with process(two, time):
            for _ in range(6):
                await time.goes_by(1, sleepers=1)
            await seen(lambda: two.listens)

            await frozen.goes_by(6, sleepers=1)

            await seen(lambda: not one.listens)
            assert two.listens


async def test_after_a_fault_it_listens_again_with_growing_pauses(process: Process, store: Store) -> None:
    time, ear = Time(), Ear(*[TryLater("the line was lost")] * 4)
    began = time()
    async with process(ear, time):
        while not ear.listens:
            await time.goes_by(0.25, sleepers=2 if not ear.listens else 1)
            await seen(lambda: ear.listens or time.asleep == 2)

    assert ear.runs == 5
    assert timedelta(seconds=4) < time() - began < timedelta(seconds=20)
    assert await rows(store, "outbox") == [], "a network that is away for some seconds is no news"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([KeyRefused("Slack said invalid_auth: check SLACK__APP_TOKEN")] * 3, "invalid_auth"),
        ([RuntimeError("with a secret in it")] * 3, "a fault in it (RuntimeError)"),
        ([TryLater("Slack cannot be reached")] * 8, "cannot be reached"),
    ],
)
async def test_what_a_person_must_mend_is_told_once_and_it_goes_on(
    faults: list[Exception], said: str, process: Process, store: Store
) -> None:
    time, ear = Time(), Ear(*faults)
    async with process(ear, time):
        while not ear.listens:
            await time.goes_by(3, sleepers=2)
            await seen(lambda: ear.listens or time.asleep == 2)

    (alert,) = await rows(store, "outbox")
    assert said in alert["payload"]
    assert "secret" not in alert["payload"]
