"""The most turns a sender and a route may have in a day. What is over it is kept, and told once a day."""

from datetime import timedelta

import pytest

from gateway.errors import AgentUnavailable
from tests.helpers.agents import asks_first
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, POLICY, WORDS, Core, Ends, Start, seen
from tests.helpers.process import until

CARL = "+15550003333"
DAY = timedelta(days=1)


def capped(**most: int) -> str:
    """Two turns a day for each sender, say."""
    words = "\n".join(f"{word} = {count}" for word, count in most.items())
    return POLICY.replace('agent = "support"', f'agent = "support"\n{words}', 1)


def alerts(ends: Ends) -> list[str]:
    return [alert for alert in ends.alerts() if "per_day" in alert]


@pytest.fixture(autouse=True)
def _at_noon(clock: Clock) -> None:
    """So that no test runs over midnight, when counting begins anew."""
    noon = clock().replace(hour=12, minute=0, second=0)
    clock.passes((noon if noon > clock() else noon + DAY) - clock())


async def test_a_sender_over_the_cap_is_told_once_and_not_answered(start: Start, ends: Ends) -> None:
    core = await start(policy=capped(sender_turns_per_day=2))
    for words in ("one", "two", "three", "four", "five"):
        await core.receives(ALICE, words)
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB) and len(ends.sms.told(ALICE)) == 3)
    await seen(lambda: alerts(ends))

    assert ends.sms.told(ALICE) == ["about one", "about two", WORDS.capped]
    await until(lambda: _all_handled(core), "an end")
    assert sorted(ends.agents.posts()) == ["boats", "one", "two"]
    assert (await core.statuses())[:5] == ["done", "done", "capped", "capped", "capped"]
    assert len(alerts(ends)) == 1
    assert ALICE not in alerts(ends)[0]


async def test_the_next_day_a_sender_is_answered_again(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(policy=capped(sender_turns_per_day=1))
    for number, day in enumerate(("monday", "tuesday"), 1):
        await core.receives(ALICE, f"one on {day}")
        await core.receives(ALICE, f"two on {day}")
        await seen(lambda number=number: len(ends.sms.told(ALICE)) == 2 * number)  # type: ignore[misc]
        clock.passes(DAY)
    await core.receives(ALICE, "one on wednesday")
    await seen(lambda: len(ends.sms.told(ALICE)) == 5)

    assert ends.sms.told(ALICE) == [
        "about one on monday",
        WORDS.capped,
        "about one on tuesday",
        WORDS.capped,
        "about one on wednesday",
    ]


async def test_a_route_over_its_cap_answers_nobody_that_day(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(policy=capped(turns_per_day=2))
    for number in (ALICE, BOB, CARL):
        await core.receives(number, "kites")
        await seen(lambda number=number: ends.sms.told(number))  # type: ignore[misc]

    assert [ends.sms.told(number) for number in (ALICE, BOB, CARL)] == [
        ["about kites"],
        ["about kites"],
        [WORDS.capped],
    ]
    await seen(lambda: len(alerts(ends)) == 1)

    clock.passes(DAY)
    await core.receives(CARL, "boats")
    await seen(lambda: "about boats" in ends.sms.told(CARL))


async def test_a_turn_that_is_tried_again_counts_once(start: Start, ends: Ends) -> None:
    core = await start(policy=capped(sender_turns_per_day=2))
    for words in ("one", "two"):
        ends.steps.fails("posting", AgentUnavailable("the line was lost"))
        await core.receives(ALICE, words)
        await seen(lambda words=words: f"about {words}" in ends.sms.told(ALICE))  # type: ignore[misc]

    assert await core.statuses() == ["done", "done"]


async def test_a_decision_is_under_no_cap(start: Start, ends: Ends) -> None:
    core = await start(policy=capped(sender_turns_per_day=1, turns_per_day=1))
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    await core.receives(ALICE, "kites")
    await seen(lambda: WORDS.held in ends.sms.told(ALICE))

    await core.approves(card.id)
    await seen(lambda: WORDS.capped in ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [WORDS.asked, WORDS.held, "refunded", WORDS.capped]


async def _all_handled(core: Core) -> bool:
    return "new" not in await core.statuses()
