"""What is paused waits in its rows: all, a channel, an agent, the approvals. Everything else goes on."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import grace
from gateway.events import ThreadRef, Verdict
from gateway.store import pauses
from tests.helpers.agents import asks_first, waits_for
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, ANA, BOB, POLICY, WORDS, Core, Ends, Start, seen, text
from tests.helpers.process import until

SALES = "+15558880000"  # a number of ours with an agent of its own
ROUTES = f'[[routes]]\nchannel = "sms"\naccount = "{SALES}"\nagent = "sales"\n\n'
EVERYWHERE = ROUTES + POLICY.replace('channel = "sms"', 'channel = "*"', 1)
CARLA = "U0CARLA"


async def pause(core: Core, clock: Clock, scope: str) -> None:
    assert await core.store.write(lambda tx: pauses.begin(tx, scope, clock(), by="ana", reason=""))


async def resume(core: Core, clock: Clock, scope: str) -> None:
    assert await core.store.write(lambda tx: pauses.end(tx, scope, clock()))


def to_sales(number: str, words: str) -> Any:
    event = text(number, words, f"sales: {number}: {words}")
    return replace(event, thread=ThreadRef("sms", SALES, number))


def in_slack(words: str) -> Any:
    event = text(CARLA, words)
    who = replace(event.sender, channel="slack", account="T0TEAM")
    return replace(event, thread=ThreadRef("slack", "T0TEAM", CARLA), sender=who)


async def test_what_comes_in_a_pause_is_kept_told_once_and_answered_in_order_afterwards(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start()
    await pause(core, clock, "all")
    for words in ("one", "two", "three"):
        await core.receives(ALICE, words)
        await seen(lambda: ends.sms.told(ALICE))
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))
    assert ends.agents.posts() == []

    await resume(core, clock, "all")
    await seen(lambda: len(ends.sms.told(ALICE)) == 4 and len(ends.sms.told(BOB)) == 2)

    assert ends.sms.told(ALICE) == [WORDS.paused, "about one", "about two", "about three"]
    assert ends.sms.told(BOB) == [WORDS.paused, "about boats"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("scope", "held"),
    [
        ("all", {"support", "sales", "slack"}),
        ("channel:sms", {"support", "sales"}),
        ("channel:slack", {"slack"}),
        ("agent:sales", {"sales"}),
        ("agent:support", {"support", "slack"}),
        ("approvals", set()),
    ],
)
async def test_a_pause_holds_what_it_names_and_nothing_else(
    start: Start, ends: Ends, clock: Clock, scope: str, held: set[str]
) -> None:
    core = await start(policy=EVERYWHERE)
    await pause(core, clock, scope)
    await core.door.inbox.add(text(ALICE, "support"))
    await core.door.inbox.add(to_sales(BOB, "sales"))
    await core.door.inbox.add(in_slack("slack"))

    def told() -> dict[str, list[str]]:
        return {"support": ends.sms.told(ALICE), "sales": ends.sms.told(BOB), "slack": ends.slack.told(CARLA)}

    await seen(lambda: all(told().values()))
    for who, words in told().items():
        assert words == ([WORDS.paused] if who in held else [f"about {who}"])

    await resume(core, clock, scope)
    await seen(lambda: all(f"about {who}" in words for who, words in told().items()))


async def test_a_second_pause_is_told_again(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    for words in ("one", "two"):
        await pause(core, clock, "all")
        await core.receives(ALICE, words)
        await seen(lambda: ends.sms.told(ALICE)[-1:] == [WORDS.paused])
        await resume(core, clock, "all")
        await seen(lambda words=words: ends.sms.told(ALICE)[-1:] == [f"about {words}"])  # type: ignore[misc]

    assert ends.sms.told(ALICE) == [WORDS.paused, "about one", WORDS.paused, "about two"]


async def test_a_turn_that_runs_ends_as_ever_and_the_next_one_waits(start: Start, ends: Ends, clock: Clock) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    await core.receives(ALICE, "slow")
    await core.receives(ALICE, "kites")
    await seen(lambda: ends.agents.posts())

    await pause(core, clock, "all")
    gate.set()
    await seen(lambda: WORDS.paused in ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about slow", WORDS.paused]


async def test_an_interrupt_is_not_held_by_a_pause(start: Start, ends: Ends, clock: Clock) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="slow")
    await core.receives(ALICE, "slow")
    await seen(lambda: "hearing Delta" in ends.steps.passed)
    await pause(core, clock, "all")

    assert await core.interrupt()

    await until(lambda: _statuses(core, ["interrupted"]), "the interrupt", within_s=5)
    gate.set()


@pytest.mark.parametrize("scope", ["all", "approvals"])
async def test_nobody_approves_in_a_pause_and_the_request_stays_open(
    start: Start, ends: Ends, clock: Clock, scope: str
) -> None:
    core = await start()
    card = await _asked(core, ends)
    await pause(core, clock, scope)

    decision = await core.approves(card.id)
    assert decision.result == "paused"
    assert [row["state"] for row in await core.rows("approvals")] == ["pending"]
    assert await core.rows("votes") == []

    await resume(core, clock, scope)
    assert (await core.approves(card.id)).result == "decided"
    await seen(lambda: "refunded" in ends.sms.told(ALICE))


@pytest.mark.parametrize("scope", ["all", "approvals"])
async def test_a_denial_is_taken_in_a_pause(start: Start, ends: Ends, clock: Clock, scope: str) -> None:
    core = await start()
    card = await _asked(core, ends)
    await pause(core, clock, scope)

    decision = await core.door.approvals.decide(card.id, ANA, Verdict.DENY, reason="no", via="slack")

    assert decision.result == "decided"
    await resume(core, clock, scope)
    await seen(lambda: "not refunded: no" in ends.sms.told(ALICE))


@pytest.mark.long
@pytest.mark.parametrize("scope", ["all", "channel:sms", "agent:support", "approvals"])
async def test_what_was_approved_before_a_pause_waits_for_its_end(
    start: Start, ends: Ends, clock: Clock, scope: str
) -> None:
    core = await start(at_work=False)
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    await core.drain()
    await core.approves((await core.rows("approvals"))[0]["id"])
    await pause(core, clock, scope)

    working = await start()
    await working.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))
    await working.drain(control=True)
    assert "answering" not in ends.steps.passed

    await resume(core, clock, scope)
    await seen(lambda: "refunded" in ends.sms.told(ALICE))


async def test_a_deadline_waits_for_the_end_of_a_pause_of_the_approvals(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    await _asked(core, ends)
    await pause(core, clock, "approvals")

    clock.passes(timedelta(hours=25))
    await until(lambda: _put_off(core, clock), "a look at the deadline")
    assert [row["state"] for row in await core.rows("approvals")] == ["pending"]

    await resume(core, clock, "approvals")
    clock.passes(grace.LEAST)
    await seen(lambda: any("UNANSWERED" in words for words in ends.sms.told(ALICE)))
    assert [row["state"] for row in await core.rows("approvals")] == ["expired"]


async def _put_off(core: Core, clock: Clock) -> bool:
    return all(row["due"] > clock() for row in await core.rows("timers") if row["kind"] == "expiry")


async def _asked(core: Core, ends: Ends) -> Any:
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    return card


async def _statuses(core: Core, statuses: list[str]) -> bool:
    return await core.statuses() == statuses
