"""What all lanes and processes together send in a second, where our number bears no more."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.errors import TryLater
from gateway.events import Say
from gateway.ports import Pace
from gateway.store import Store, sendings
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office
from tests.helpers.rows import rows

SECOND = timedelta(seconds=1)
ONE_A_SECOND = Pace(SECOND, burst=1, of="sms")
PEOPLE = [f"+1{number}" for number in range(6)]


class Timed(Carrier):
    """Writes down when each text came."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.times: list[datetime] = []
        self.bears = [ONE_A_SECOND]

    async def send(self, message: Say) -> object:  # type: ignore[override]
        receipt = await super().send(message)
        self.times.append(self._clock())
        return receipt


class Still(Clock):
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self._at = super().__call__()

    def __call__(self) -> datetime:
        return self._at + self._ahead


@pytest.fixture
def clock() -> Clock:
    return Still()


@pytest.fixture
async def stores(database_url: str) -> AsyncIterator[list[Store]]:
    """Of two processes; SQLite has one."""
    made = [Store(database_url) for _ in range(1 if database_url.startswith("sqlite") else 2)]
    yield made
    for store in made:
        await store.aclose()


@pytest.fixture
def carrier(clock: Clock) -> Timed:
    return Timed(clock)


@pytest.fixture
def offices(stores: list[Store], carrier: Timed, clock: Clock) -> list[Office]:
    """Two at work, on one database."""
    return [Office(stores[number % len(stores)], {"sms": carrier}, clock) for number in range(2)]


async def queue(store: Store, office: Office, *texts: str, to: str) -> None:
    for text in texts:
        said = Say(to=replace(ALICE, key=to), text=f"{to} {text}")
        await store.write(lambda tx, said=said: office.add(tx, said, key=said.text))  # type: ignore[misc]


async def sweep(store: Store, offices: list[Office], clock: Clock) -> int:
    """Both wake what is due; how many lanes that was."""
    due = await store.read(lambda db: sendings.lanes_due(db, clock()))
    await asyncio.gather(*(office.deliver(lane) for lane in due for office in offices))
    return len(due)


async def test_all_lanes_and_processes_together_keep_to_the_rate(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    for person in PEOPLE:
        await queue(stores[0], offices[0], "one", "two", to=person)

    for _ in range(60):
        await sweep(stores[0], offices, clock)
        clock.passes(SECOND / 4)

    assert len(carrier.arrived) == len(set(carrier.arrived)) == 12
    gaps = [later - before for before, later in zip(carrier.times, carrier.times[1:], strict=False)]
    assert min(gaps) >= SECOND, "never two within a second"
    assert max(gaps) <= SECOND, "nor is any of it wasted"


async def test_nobody_waits_behind_the_many_texts_of_another(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    await queue(stores[0], offices[0], *(f"{number:02}" for number in range(20)), to="+1talker")
    await queue(stores[0], offices[0], "hello", to="+1quiet")

    for _ in range(16):
        await sweep(stores[0], offices, clock)
        clock.passes(SECOND / 4)

    assert "+1quiet hello" in carrier.arrived[:3]


async def test_a_lane_that_has_its_place_is_not_woken_before(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    for person in PEOPLE:
        await queue(stores[0], offices[0], "one", to=person)

    assert await sweep(stores[0], offices, clock) == 6
    assert [await sweep(stores[0], offices, clock) for _ in range(3)] == [0, 0, 0]
    clock.passes(SECOND)
    assert await sweep(stores[0], offices, clock) == 1


async def test_a_text_that_is_tried_again_takes_a_new_place(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    carrier.script.append(TryLater("busy", retry_after=5))
    await queue(stores[0], offices[0], "one", to="+11")
    await sweep(stores[0], offices, clock)
    clock.passes(6 * SECOND)
    await queue(stores[0], offices[0], "one", to="+12")

    for _ in range(12):
        await sweep(stores[0], offices, clock)
        clock.passes(SECOND / 4)

    assert sorted(carrier.arrived) == ["+11 one", "+12 one"]
    assert carrier.times[1] - carrier.times[0] >= SECOND


async def test_places_that_all_passed_while_nothing_ran_are_not_taken_at_once(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    for person in PEOPLE:
        await queue(stores[0], offices[0], "one", to=person)
    await sweep(stores[0], offices, clock)
    clock.passes(timedelta(minutes=5))

    await sweep(stores[0], offices, clock)

    assert len(carrier.arrived) == 2, "one before, one now"


async def test_a_clock_that_goes_back_forgets_what_was_spent(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    await queue(stores[0], offices[0], "one", to="+11")
    await sweep(stores[0], offices, clock)
    clock.passes(-timedelta(hours=1))
    await queue(stores[0], offices[0], "one", to="+12")

    await sweep(stores[0], offices, clock)

    assert carrier.arrived == ["+11 one", "+12 one"]


async def test_a_person_gets_a_few_texts_at_once_and_then_one_a_second(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    carrier.bears = [Pace(SECOND, burst=3)]
    await queue(stores[0], offices[0], *"abcde", to="+11")

    counts = []
    for _ in range(4):
        await sweep(stores[0], offices, clock)
        counts.append(len(carrier.arrived))
        clock.passes(SECOND)

    assert counts == [3, 4, 5, 5]
    assert carrier.arrived == [f"+11 {word}" for word in "abcde"]


async def test_what_was_settled_remembers_no_place(
    stores: list[Store], offices: list[Office], carrier: Timed, clock: Clock
) -> None:
    await queue(stores[0], offices[0], "one", to="+11")
    await queue(stores[0], offices[0], "one", to="+12")
    for _ in range(6):
        await sweep(stores[0], offices, clock)
        clock.passes(SECOND / 2)

    assert [(row["status"], row["slot_at"]) for row in await rows(stores[0], "outbox")] == [("sent", None)] * 2
