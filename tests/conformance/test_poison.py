"""What nobody can handle is set aside after a few tries: one alert, and the conversation goes on."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import procrastinate
import pytest

from tests.helpers.agents import asks_first
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, WORDS, Core, Ends, Start, seen
from tests.helpers.meddling import spoil

pytestmark = pytest.mark.long

A_FEW = 8
UNREADABLE = ("{", "[]", "null", '{"kind": "unheard-of"}', '{"kind": "decision", "approval_id": "no such"}')


def told(ends: Ends, number: str = ALICE) -> list[str]:
    """What somebody heard, but for the word that an answer takes its time."""
    return [words for words in ends.sms.told(number) if words != WORDS.late]


def in_time(clock: Clock, look: Callable[[], Any], pace: timedelta = timedelta(seconds=1)) -> Any:
    """`seen`, while the time goes by twenty times as fast, or faster."""

    def now() -> Any:
        clock.passes(pace)
        return look()

    return seen(now, within_s=40)


def set_aside(ends: Ends) -> list[str]:
    return [alert for alert in ends.alerts() if "set aside" in alert]


async def test_a_message_nobody_can_read_is_set_aside_and_the_next_one_is_answered(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    people = {f"+1555{n:07d}": payload for n, payload in enumerate(UNREADABLE)}
    for number, payload in people.items():
        await core.receives(number, "spoilt", number)
        await core.receives(number, "kites")
        await spoil(
            core.store,
            "UPDATE inbox SET payload = :as WHERE event_key = :key",
            **{"as": payload, "key": f"sms:{number}"},
        )

    await start()
    await in_time(clock, lambda: all("about kites" in ends.sms.told(number) for number in people))

    for number in people:
        assert told(ends, number) == [WORDS.failed, "about kites"]
    assert await core.statuses() == ["dead", "done"] * len(people)
    await seen(lambda: set_aside(ends))
    assert len(set_aside(ends)) == 1  # one alert for a cause and an hour


async def test_a_message_that_trips_our_own_code_each_time_is_set_aside(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.steps.fails("attaching", *(RuntimeError("a bug") for _ in range(5)))

    await core.receives(ALICE, "poison")
    await core.receives(ALICE, "kites")
    await in_time(clock, lambda: "about kites" in ends.sms.told(ALICE))

    assert told(ends) == [WORDS.failed, "about kites"]
    assert ends.agents.posts() == ["kites"]
    await seen(lambda: len(set_aside(ends)) == 1)


async def test_a_message_that_ends_the_process_each_time_is_set_aside(start: Start, ends: Ends) -> None:
    core = await start(at_work=False)
    await core.receives(ALICE, "poison")
    await core.receives(ALICE, "kites")

    await _dies_at_it_again_and_again(ends, core, "attaching", lambda: core.drain())
    await start()
    await seen(lambda: len(ends.sms.told(ALICE)) == 2)

    assert told(ends) == [WORDS.failed, "about kites"]
    assert await core.statuses() == ["dead", "done"]
    await seen(lambda: len(set_aside(ends)) == 1)


async def test_a_decision_that_ends_the_process_each_time_is_set_aside(start: Start, ends: Ends) -> None:
    core = await _parked(start, ends)
    await core.approves((await core.rows("approvals"))[0]["id"])
    await core.receives(ALICE, "kites")

    await _dies_at_it_again_and_again(ends, core, "attaching", lambda: core.drain(control=True))
    await start()
    await seen(lambda: "about kites" in ends.sms.told(ALICE))

    assert told(ends)[-2:] == [WORDS.failed, "about kites"]
    await seen(lambda: len(set_aside(ends)) == 1)


async def _dies_at_it_again_and_again(ends: Ends, core: Core, place: str, work: Callable[[], Any]) -> None:
    """Until the event is not there any more, or there seems to be no end to it."""
    for _ in range(A_FEW):
        before = [row["status"] for row in await core.rows("inbox")].count("dead")
        halt = ends.steps.stops_one_at(place)
        coming, working = asyncio.ensure_future(halt.next()), asyncio.ensure_future(work())
        await asyncio.wait([coming, working], return_when=asyncio.FIRST_COMPLETED)
        for one in (coming, working):
            one.cancel()
        await asyncio.gather(coming, working, return_exceptions=True)
        halt.open()
        if [row["status"] for row in await core.rows("inbox")].count("dead") > before:
            return


async def test_a_decision_nobody_can_read_ends_the_turn_that_waits_for_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    ends.agents.does(asks_first, on="refund")
    core = await start(at_work=False)
    people = {f"+1555{n:07d}": payload for n, payload in enumerate(UNREADABLE)}
    for number in people:
        await _parked_too(core, number)
        await core.receives(number, "kites")
    for approval, payload in zip(await core.rows("approvals"), people.values(), strict=True):
        await core.approves(approval["id"])
        key = f"settled:{approval['id']}"
        await spoil(core.store, "UPDATE inbox SET payload = :as WHERE event_key = :key", **{"as": payload, "key": key})

    await start()
    await in_time(clock, lambda: all("about kites" in ends.sms.told(number) for number in people))

    for number in people:
        assert told(ends, number)[-2:] == [WORDS.failed, "about kites"]
    assert all(row["trouble"] for row in await core.rows("approvals"))
    await seen(lambda: set_aside(ends))


async def test_a_reply_nobody_can_read_is_given_up_and_the_next_one_is_sent(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await core.receives(ALICE, "spoilt")
    await core.receives(ALICE, "kites")
    await core.drain()
    await spoil(core.store, "UPDATE outbox SET payload = '{' WHERE id = (SELECT min(id) FROM outbox)")

    await start()
    await in_time(clock, lambda: ends.sms.told(ALICE), timedelta(minutes=1))

    assert ends.sms.told(ALICE)[0].endswith("about kites")
    await seen(lambda: [alert for alert in ends.alerts() if "was not sent" in alert])


async def test_a_deadline_nobody_can_keep_does_not_hold_up_another(
    start: Start, ends: Ends, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    core = await _parked(start, ends)
    await _parked_too(core, BOB)
    await core.work.deliver("slack:C0OPS")
    await spoil(core.store, "UPDATE approvals SET view = '{' WHERE conversation_id = 1")
    await spoil(
        core.store,
        "INSERT INTO timers (kind, subject, due) SELECT 'unheard-of', 'x', due FROM timers LIMIT 1",
    )
    clock.passes(timedelta(hours=24))

    await start()
    await seen(lambda: any("nobody decided" in told for told in ends.sms.told(BOB)))

    assert [row["state"] for row in await core.rows("approvals")] == ["pending", "expired"]
    await seen(lambda: "tried again in a minute" in caplog.text)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # PostgreSQL takes no such value
@pytest.mark.parametrize("row", ["marks SET at", "timers SET due", "leases SET until"])
async def test_a_time_nobody_can_read_does_not_hold_up_what_has_no_part_in_it(
    start: Start, ends: Ends, row: str
) -> None:
    core = await _parked(start, ends)
    await core.work.sweep()
    await core.receives(BOB, "kites")
    await spoil(core.store, f"UPDATE {row} = '1999-rubbish'")

    await start()

    await seen(lambda: ends.sms.told(ALICE) == [WORDS.asked] and ends.sms.told(BOB) == ["about kites"])


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_a_job_of_another_release_is_one_line_in_the_log_and_stops_nothing(
    start: Start, ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    core = await start()
    await core.receives(ALICE, "kites")
    await seen(lambda: ends.sms.told(ALICE))
    address = core.store.url.set(drivername="postgresql").render_as_string(hide_password=False)
    older = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=address))

    async with older.open_async():
        for queue in ("turns", "control", "sends"):
            await older.configure_task("unheard_of", queue=queue, lock="conversation:1").defer_async(x=1)
    await core.receives(ALICE, "boats")
    await seen(lambda: len(ends.sms.told(ALICE)) == 2)
    await seen(lambda: len(_errors(caplog)) == 3)

    for line in _errors(caplog):
        assert "(unheard_of) is of a kind this release does not know" in line
    assert "Traceback" not in caplog.text


def _errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def _parked(start: Start, ends: Ends) -> Core:
    """Alice's turn waits for a decision; nobody is at work."""
    ends.agents.does(asks_first, on="refund")
    core = await start(at_work=False)
    await _parked_too(core, ALICE)
    return core


async def _parked_too(core: Core, number: str) -> None:
    await core.receives(number, "refund")
    await core.drain(await core.conversation(number))
