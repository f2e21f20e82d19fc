"""Kept once, whoever brings it and however often; and what fails leaves nothing behind."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import text as sql

from gateway.inbox import Inbox
from gateway.policy import read
from gateway.ports import Added
from gateway.store import Tx
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, POLICY, Core, Ends, Start, seen, text


async def test_the_same_event_brought_to_two_processes_at_once_is_one(start: Start, ends: Ends) -> None:
    one, other = await start(at_work=False), await start(at_work=False)

    added = await asyncio.gather(*(core.receives(ALICE, "kites", "E1") for core in [one, other] * 10))

    assert Counter(added) == {Added.KEPT: 1, Added.DUPLICATE: 19}
    assert len(await one.rows("inbox")) == len(await one.rows("conversations")) == 1


async def test_the_same_message_under_two_events_is_one(start: Start) -> None:
    one, other = await start(at_work=False), await start(at_work=False)

    events = [core.receives(ALICE, "kites", f"E{n}", message="M1") for n, core in enumerate([one, other] * 10)]
    added = await asyncio.gather(*events)

    assert Counter(added) == {Added.KEPT: 1, Added.DUPLICATE: 19}
    assert len(await one.rows("inbox")) == 1


async def test_a_retry_after_everything_is_done_makes_nothing(start: Start, ends: Ends) -> None:
    core = await start()
    await core.receives(ALICE, "kites", "E1")
    await seen(lambda: ends.sms.told(ALICE))

    assert await core.receives(ALICE, "kites", "E1") is Added.DUPLICATE
    assert await core.receives(ALICE, "kites", "E2", message="E1") is Added.DUPLICATE
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))

    assert ends.agents.posts() == ["kites", "boats"]
    assert ends.sms.told(ALICE) == ["about kites"]


async def test_a_first_event_that_fails_leaves_no_row_no_conversation_and_no_wake_up(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start()

    with pytest.raises(RuntimeError, match="after all was done"):
        await core.store.write(_fails_after(core, clock))
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))

    assert [row["event_key"] for row in await core.rows("inbox")] == [f"sms:{BOB}: boats"]
    assert [row["thread_key"] for row in await core.rows("conversations")] == [BOB]
    assert await _jobs(core) == 0
    assert ends.agents.posts() == ["boats"]


async def test_a_later_event_that_fails_leaves_no_hole_in_its_conversation(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await core.receives(ALICE, "first", "E1")

    with pytest.raises(RuntimeError, match="after all was done"):
        await core.store.write(_fails_after(core, clock))
    await core.receives(ALICE, "second", "E2")

    assert [row["seq"] for row in await core.rows("inbox")] == [1, 2]
    assert await core.receives(ALICE, "kites", "E0") is Added.KEPT  # what failed may come again


async def test_of_many_that_are_kept_together_one_that_fails_takes_nothing_along(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    kept = [core.receives(f"+1555{n:07d}", "kites") for n in range(40)]
    fail = [core.store.write(_fails_after(core, clock, f"+1666{n:07d}")) for n in range(10)]

    results = await asyncio.gather(*kept, *fail, return_exceptions=True)

    assert results[:40] == [Added.KEPT] * 40
    assert {type(result) for result in results[40:]} == {RuntimeError}
    assert len(await core.rows("inbox")) == len(await core.rows("conversations")) == 40


def _fails_after(core: Core, clock: Clock, number: str = ALICE) -> Callable[[Tx], object]:
    """The inbox's own work, and then a fault in the same transaction."""
    inbox = Inbox(core.store, core.engine, core.outbox, read(POLICY), clock)

    async def deed(tx: Tx) -> None:
        assert await inbox._add(tx, text(number, "kites", "E0" if number == ALICE else "")) is Added.KEPT
        raise RuntimeError("after all was done")

    return deed


async def _jobs(core: Core) -> int:
    """The wake-ups that wait in the database."""
    if core.store.on_sqlite:
        return 0

    async def count(db):  # type: ignore[no-untyped-def]
        question = sql("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")
        return (await (await db.connection()).execute(question)).scalar_one()

    return int(await core.store.read(count))


async def test_what_waits_in_a_lane_is_done_in_one_go(start: Start) -> None:
    core = await start(at_work=False)
    for number in range(3):
        await core.receives(ALICE, f"kites {number}")

    await core.drain()

    assert [row["status"] for row in await core.rows("inbox")] == ["done"] * 3
