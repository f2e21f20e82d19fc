"""What is due is found in time: deadlines, lost wake-ups, a backlog, a long silence. Across restarts."""

import asyncio
from datetime import timedelta

from gateway.approvals import Approvals
from gateway.events import Say, Verdict
from gateway.inbox import Inbox
from gateway.outbox import Outbox
from gateway.policy import read
from gateway.store import Tx, leases, marks
from tests.helpers.agents import asks_first, waits_for
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, ANA, BOB, POLICY, WORDS, Core, Ends, Start, seen, text
from tests.helpers.office import Quiet
from tests.helpers.process import until

DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
SOON = POLICY.replace('"24h"', '"2s"')


async def test_a_deadline_is_kept_to_the_second(start: Start, ends: Ends) -> None:
    core = await start(policy=SOON)
    ends.agents.does(asks_first, on="refund")
    for n in range(5):
        await core.receives(f"+1555{n:07d}", "refund")

    await until(lambda: _all_rung(core, 5), "the deadlines")

    late = [(row["done_at"] - row["due"]).total_seconds() for row in await core.rows("timers")]
    print(f"\nlate by {min(late):.2f} to {max(late):.2f} s")
    assert min(late) >= 0
    await seen(lambda: all(_unanswered(ends, f"+1555{n:07d}") for n in range(5)))


async def test_a_deadline_outlives_the_process_that_set_it(start: Start, ends: Ends, clock: Clock) -> None:
    await _parked(await start(at_work=False), ends)
    clock.passes(DAY)

    await start()
    await seen(lambda: _unanswered(ends, ALICE))


async def test_nothing_rings_before_its_time(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await _parked(core, ends)

    clock.passes(DAY - MINUTE)
    await core.work.sweep()
    assert [row["state"] for row in await core.rows("approvals")] == ["pending"]

    clock.passes(MINUTE)
    await core.work.sweep()
    assert [row["state"] for row in await core.rows("approvals")] == ["expired"]


async def test_a_number_that_was_texted_stands_in_no_lease_a_while_later(start: Start, clock: Clock) -> None:
    core, lane = await start(at_work=False), f"out:sms:{ALICE}"

    async def sent(tx: Tx) -> None:
        now = clock()
        await leases.take(tx, lane, "sender", now, now + MINUTE)
        await leases.spend(tx, lane, now + timedelta(seconds=1))
        await leases.drop(tx, lane, "sender", now)

    await core.store.write(sent)
    await core.work.sweep()
    assert lane in str(await core.rows("leases"))

    clock.passes(2 * MINUTE)
    await core.work.sweep()
    assert lane not in str(await core.rows("leases"))


async def test_of_several_processes_one_keeps_the_deadline(start: Start, ends: Ends, clock: Clock) -> None:
    processes = [await start(at_work=False) for _ in range(3)]
    await _parked(processes[0], ends)
    clock.passes(DAY)

    await asyncio.gather(*(core.work.sweep() for core in processes for _ in range(3)))

    assert [row["what"] for row in await processes[0].rows("audit")].count("expired") == 1


async def test_a_message_nobody_was_woken_for_is_found(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    silent = Inbox(core.store, Quiet(), core.outbox, read(POLICY), clock)

    await silent.add(text(ALICE, "kites"))
    await silent.add(text(BOB, "boats"))

    await seen(lambda: ends.sms.told(ALICE) and ends.sms.told(BOB), within_s=5)


async def test_a_decision_nobody_was_woken_for_is_found(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    channels = {"slack": ends.slack, "sms": ends.sms}
    silent = Approvals(core.store, Quiet(), core.outbox, read(POLICY), clock, WORDS, channels=channels)

    await silent.decide(card.id, ANA, Verdict.APPROVE, via="slack")

    await seen(lambda: "refunded" in ends.sms.told(ALICE), within_s=5)


async def test_a_reply_nobody_was_woken_for_is_sent(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    silent = Outbox(core.store, Quiet(), {"sms": ends.sms}, clock, alerts=[])

    await core.store.write(lambda tx: silent.add(tx, Say(to=text(ALICE, "").thread, text="hello"), key="hello"))

    await seen(lambda: ends.sms.told(ALICE), within_s=5)


async def test_operations_hear_once_that_messages_wait_too_long(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await core.receives(ALICE, "kites")
    clock.passes(6 * MINUTE)

    for _ in range(3):
        await core.work.sweep()
        clock.passes(timedelta(seconds=6))

    keys = [row["dedupe_key"] for row in await core.rows("outbox")]
    assert len([key for key in keys if ":backlog:" in key]) == 1


async def test_who_waits_for_a_person_is_no_backlog(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await _parked(core, ends)
    await core.receives(ALICE, "are you there?")
    clock.passes(6 * MINUTE)

    await core.work.sweep()

    assert [row for row in await core.rows("outbox") if ":backlog:" in row["dedupe_key"]] == []


async def test_a_long_silence_is_remembered_and_a_short_one_is_not(start: Start, clock: Clock) -> None:
    core = await start(at_work=False)
    for silence, remembered in ((timedelta(), False), (14 * MINUTE, False), (16 * MINUTE, True)):
        clock.passes(silence)
        await core.work.sweep()
        gap = await core.store.read(lambda db: marks.at(db, marks.GAP))
        assert (gap is not None) == remembered


async def test_what_was_sent_before_a_long_silence_is_looked_up_and_not_sent_again(
    start: Start, ends: Ends, clock: Clock
) -> None:
    one = await start(at_work=False)
    await one.work.sweep()
    await one.receives(ALICE, "kites")
    await one.drain()
    halt = ends.steps.stops_one_at("sms taken")
    sending = asyncio.create_task(one.work.deliver(f"sms:{ALICE}"))
    await halt.next()  # it arrived, and the row that says so is in no backup
    clock.passes(timedelta(hours=2))

    two = await start()
    await until(lambda: _all_sent(two), "an end")
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)

    assert ends.sms.told(ALICE) == ["about kites"]


async def test_a_restart_in_the_middle_of_everything_goes_on_with_all_of_it(start: Start, ends: Ends) -> None:
    one, gate = await start(at_work=False), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    await _parked(one, ends)
    await one.approves((await one.rows("approvals"))[0]["id"])
    await one.receives(ALICE, "kites")
    await one.receives(BOB, "slow")
    halt = ends.steps.stops_one_at("hearing Delta")
    working = asyncio.create_task(one.drain(await one.conversation(BOB)))
    await halt.next()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    gate.set()

    await start()
    await seen(lambda: len(ends.sms.told(ALICE)) == 3 and ends.sms.told(BOB))

    assert ends.sms.told(ALICE) == [WORDS.asked, "refunded", "about kites"]
    assert ends.sms.told(BOB) == ["about slow"]


async def _parked(core: Core, ends: Ends) -> None:
    """Alice's turn waits for a decision; her conversation is the first."""
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    await core.drain()


def _unanswered(ends: Ends, number: str) -> bool:
    return any("UNANSWERED" in words for words in ends.sms.told(number))


async def _all_rung(core: Core, count: int) -> bool:
    return [row["done_at"] is not None for row in await core.rows("timers")] == [True] * count


async def _all_sent(core: Core) -> bool:
    return {row["status"] for row in await core.rows("outbox")} == {"sent"}
