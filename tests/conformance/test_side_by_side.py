"""Who waits for nobody: decisions, sends, deadlines and other people's messages, however slow the agent is."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from gateway.events import Say, ThreadRef
from tests.helpers.agents import AgentTurn, asks_first, waits_for
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, OURS, POLICY, WORDS, Core, Ends, Start, seen
from tests.helpers.meddling import spoil

pytestmark = pytest.mark.long

AT_ONCE_S = 3.0  # a bound for a busy machine; what would be wrong is to wait for somebody
HURRY = """
[approvals.tools.hurry]
expires_after = "2s"
"""


async def test_a_slow_reply_holds_up_nobody_else(start: Start, ends: Ends) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    await core.receives(ALICE, "slow")
    await seen(lambda: ends.agents.posts())

    await core.receives(BOB, "kites")
    await seen(lambda: ends.sms.told(BOB), within_s=AT_ONCE_S)

    assert ends.sms.told(ALICE) == []


async def test_a_decision_does_not_wait_behind_a_message_that_is_held(start: Start, ends: Ends) -> None:
    core = await start()
    card = await _asked(core, ends)
    await core.receives(ALICE, "kites")
    await seen(lambda: WORDS.held in ends.sms.told(ALICE))

    await core.approves(card.id)
    await seen(lambda: "refunded" in ends.sms.told(ALICE), within_s=AT_ONCE_S)
    await seen(lambda: "about kites" in ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [WORDS.asked, WORDS.held, "refunded", "about kites"]


async def test_a_decision_does_not_wait_behind_the_pause_of_a_message(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    card = await _asked(core, ends)
    await core.receives(ALICE, "kites")
    in_an_hour = clock() + timedelta(hours=1)
    await spoil(
        core.store,
        "UPDATE inbox SET not_before = :later, attempts = 9 WHERE kind = 'message' AND status = 'new'",
        later=in_an_hour if not core.store.on_sqlite else in_an_hour.strftime("%Y-%m-%d %H:%M:%S.%f"),
    )

    await core.approves(card.id)
    await seen(lambda: "refunded" in ends.sms.told(ALICE), within_s=AT_ONCE_S)

    assert await core.statuses() == ["done", "new"]
    clock.passes(timedelta(hours=1, seconds=1))
    await seen(lambda: any("about kites" in words for words in ends.sms.told(ALICE)))


async def test_a_decision_does_not_wait_for_a_slot_of_the_turns(start: Start, ends: Ends) -> None:
    core, gate = await start(slots=3), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    card = await _asked(core, ends)
    for n in range(6):
        await core.receives(f"+1555{n:07d}", "slow")
    await seen(lambda: ends.agents.posts().count("slow") == 3)

    await core.approves(card.id)
    await seen(lambda: "refunded" in ends.sms.told(ALICE), within_s=AT_ONCE_S)
    assert ends.agents.posts().count("slow") == 3

    gate.set()
    await seen(lambda: ends.agents.posts().count("slow") == 6)


async def test_fifty_long_turns_delay_neither_a_send_nor_a_deadline_nor_a_decision(start: Start, ends: Ends) -> None:
    core, gate = await start(policy=POLICY + HURRY), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    ends.agents.does(_asks_in_a_hurry, on="hurry")
    card = await _asked(core, ends)
    for n in range(50):
        await core.receives(f"+1555{n:07d}", "slow")
    await seen(lambda: ends.agents.posts().count("slow") == 50, "fifty turns")
    took = {}

    begun = time.monotonic()
    await core.store.write(lambda tx: core.outbox.add(tx, Say(to=_thread(BOB), text="a notice"), key="notice"))
    await seen(lambda: ends.sms.told(BOB), within_s=AT_ONCE_S)
    took["a send"] = time.monotonic() - begun

    begun = time.monotonic()
    await core.approves(card.id)
    await seen(lambda: "refunded" in ends.sms.told(ALICE), within_s=AT_ONCE_S)
    took["a decision"] = time.monotonic() - begun

    assert await core.interrupt(await core.conversation("+15550000000"))  # makes room for one more turn
    await core.receives(BOB, "hurry")
    await seen(lambda: "hurry" in ends.agents.posts())
    await core.receives("+15559999999", "slow")
    await seen(lambda: ends.agents.posts().count("slow") == 51, "fifty turns again")
    await seen(lambda: any("nobody" in words for words in ends.sms.told(BOB)))
    took["a deadline"] = await _lateness(core)

    assert len([told for n in range(50) for told in ends.sms.told(f"+1555{n:07d}")]) == 0
    print("\nbeside fifty long turns: " + ", ".join(f"{what} took {s:.2f} s" for what, s in took.items()))


async def _lateness(core: Core) -> float:
    rung = next(row for row in await core.rows("timers") if row["done_at"] > row["due"])
    return float((rung["done_at"] - rung["due"]).total_seconds())


async def _asked(core: Core, ends: Ends) -> Any:
    """Alice's turn waits for a decision."""
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    await seen(lambda: WORDS.asked in ends.sms.told(ALICE))
    return card


async def _asks_in_a_hurry(turn: AgentTurn) -> None:
    said = await turn.asks("hurry")
    turn.replies(f"not done: {said}")


def _thread(number: str) -> ThreadRef:
    return ThreadRef("sms", OURS, number)
