"""Another worker takes over from one that is dead, or is thought so; and that one writes nothing any more."""

import asyncio
import time
from pathlib import Path

import pytest

from gateway.store import lanes
from tests.helpers import coreproc
from tests.helpers.agents import waits_for
from tests.helpers.core import ALICE, Core, Ends, Start, seen
from tests.helpers.meddling import spoil

pytestmark = pytest.mark.long

WITHIN_S = 5.0
postgres_alone = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


async def test_who_lost_the_lane_in_the_middle_of_a_turn_writes_nothing_any_more(start: Start, ends: Ends) -> None:
    one, two, gate = await start(at_work=False), await start(at_work=False), asyncio.Event()
    ends.agents.does(waits_for(gate), on="kites")
    await one.receives(ALICE, "kites")
    working = asyncio.create_task(one.drain())
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    await two.store.write(lambda tx: lanes.claim(tx, 1))
    before = await _everything(two)
    gate.set()
    await working

    assert await _everything(two) == before
    await two.drain()
    await two.work.deliver(f"sms:{ALICE}")
    assert ends.agents.posts() == ["kites"]
    assert ends.sms.told(ALICE) == ["about kites"]


async def test_who_lost_the_lane_puts_nothing_off_and_gives_nothing_up(start: Start, ends: Ends) -> None:
    one, two = await start(at_work=False), await start(at_work=False)
    for fault in (RuntimeError("a bug"), ConnectionError("the database"), TimeoutError("the database")):
        await one.receives(ALICE, f"kites for {fault!r}")
        halt = ends.steps.stops_one_at("posting")
        ends.steps.fails("posting", fault)
        working = asyncio.create_task(one.drain())
        await halt.next()
        await two.store.write(lambda tx: lanes.claim(tx, 1))
        before = await _everything(two)
        halt.open()
        await working

        assert await _everything(two) == before
        await two.drain()
    assert await two.statuses() == ["done"] * 3


@postgres_alone
async def test_a_worker_that_is_declared_dead_and_lives_says_nothing_twice(
    start: Start, ends: Ends, database_url: str
) -> None:
    one, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="kites")
    await one.receives(ALICE, "kites")
    await seen(lambda: "hearing Delta" in ends.steps.passed)
    two = await start()

    await spoil(two.store, "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '4 seconds'")
    await seen(lambda: ends.steps.passed.count("attaching") == 2, "the takeover", within_s=WITHIN_S)
    gate.set()
    await seen(lambda: ends.sms.told(ALICE))
    for n in range(3):  # both go on working
        await one.receives(f"+1555{n:07d}", "boats")
    await seen(lambda: ends.agents.posts().count("boats") == 3)

    assert ends.agents.posts().count("kites") == 1
    assert ends.sms.told(ALICE) == ["about kites"]
    assert [row["state"] for row in await two.rows("turns")].count("done") >= 1


@postgres_alone
async def test_a_worker_with_fifty_long_turns_lets_another_take_over_from_a_dead_one(
    start: Start, ends: Ends, database_url: str, tmp_path: Path
) -> None:
    busy, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    for n in range(50):
        await busy.receives(f"+1555{n:07d}", "slow")
    await seen(lambda: ends.agents.posts().count("slow") == 50, "fifty turns")

    async with coreproc.running("hold", database_url, tmp_path / "dying.log") as dying:
        await busy.receives(ALICE, "kites")
        assert await dying.says("posted") == "kites"
        await start(slots=1)
        await dying.kill()
        killed = time.monotonic()
        await seen(lambda: "kites" in ends.agents.posts(), "the takeover", within_s=WITHIN_S)
        took = time.monotonic() - killed

    await seen(lambda: ends.sms.told(ALICE))
    print(f"\ntaken over after {took:.1f} s")
    assert ends.sms.told(ALICE) == ["about kites"]


@postgres_alone
async def test_all_conversations_of_a_dead_worker_are_taken_over(
    start: Start, ends: Ends, database_url: str, tmp_path: Path
) -> None:
    door, people = await start(at_work=False), [f"+1555{n:07d}" for n in range(20)]
    async with coreproc.running("hold", database_url, tmp_path / "dying.log") as dying:
        for number in people:
            await door.receives(number, "kites")
            await dying.says("posted")
        await start()
        await dying.kill()
        killed = time.monotonic()
        await seen(lambda: ends.agents.posts().count("kites") == 20, "the takeover", within_s=WITHIN_S + 5)
        print(f"\n20 conversations taken over after {time.monotonic() - killed:.1f} s")

    await seen(lambda: all(ends.sms.told(number) for number in people))
    assert [ends.sms.told(number) for number in people] == [["about kites"]] * 20


async def _everything(core: Core) -> dict[str, object]:
    return {table: await core.rows(table) for table in ("conversations", "inbox", "turns", "outbox", "audit")}
