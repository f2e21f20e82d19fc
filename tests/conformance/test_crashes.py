"""A process ends, fails or is cut off at each step: another one goes on, and everything is said once."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from gateway.errors import AgentUnavailable, TryLater, Uncertain
from tests.helpers.agents import asks_first, waits_for
from tests.helpers.clock import Clock
from tests.helpers.core import WORDS, Core, Ends, Start, seen
from tests.helpers.process import until
from tests.helpers.steps import Stuck

pytestmark = pytest.mark.long

OF_A_TURN = ("opening", "opened", "attaching", "posting", "posted", "hearing Delta", "hearing Replied")
OF_A_DECISION = ("reading", "answering", "answered", "hearing Replied")
OF_A_SEND = ("sms sending", "sms taken")
ENDS = ("it dies", "it is cut off", "it comes back to life")


@pytest.fixture(autouse=True)
def _streams(ends: Ends) -> None:
    at_once = asyncio.Event()
    at_once.set()
    ends.agents.does(waits_for(at_once), on="kite")
    ends.agents.does(asks_first, on="refund")


def numbers(places: tuple[str, ...]) -> dict[str, str]:
    return {place: f"+1555{n:07d}" for n, place in enumerate(places)}


async def _end(how: str, stuck: list[Stuck]) -> None:
    if how == "it is cut off":
        for one in stuck:
            await one.is_cut_off()


async def _afterwards(how: str, stuck: list[Stuck]) -> None:
    """One that was thought dead goes on where it stopped; one that is dead does not."""
    for one in stuck:
        await (one.comes_back() if how == "it comes back to life" else one.is_cut_off())
    await asyncio.sleep(0.2)  # what it might still do, it has no reason to wait with


def _told(ends: Ends, people: dict[str, str]) -> dict[str, list[str]]:
    return {place: ends.sms.told(number) for place, number in people.items()}


@pytest.mark.parametrize("how", ENDS)
async def test_a_turn_that_a_process_left_at_any_step_is_posted_once_and_answered_once(
    start: Start, ends: Ends, how: str
) -> None:
    one, people = await start(at_work=False), numbers(OF_A_TURN)
    stuck = []
    for place, number in people.items():
        await one.receives(number, f"kite at {place}")
        stuck.append(Stuck(ends.steps, place))
        await stuck[-1].at(one.drain(await one.conversation(number)))
    await _end(how, stuck)

    two = await start()
    expected = {place: [f"about kite at {place}"] for place in people}
    await seen(lambda: all(_told(ends, people).values()))
    await _afterwards(how, stuck)

    assert Counter(ends.agents.posts()) == dict.fromkeys((f"kite at {place}" for place in people), 1)
    assert _told(ends, people) == expected
    assert await two.statuses() == ["done"] * len(people)
    assert ends.alerts() == []


@pytest.mark.parametrize("how", ENDS)
async def test_a_decision_that_a_process_left_at_any_step_reaches_the_agent_once(
    start: Start, ends: Ends, how: str
) -> None:
    one, people = await start(at_work=False), numbers(OF_A_DECISION)
    stuck = []
    for place, number in people.items():
        await one.receives(number, f"refund at {place}")
        conversation = await one.conversation(number)
        await one.drain(conversation)
        asked = next(row for row in await one.rows("approvals") if row["conversation_id"] == conversation)
        await one.approves(asked["id"])
        stuck.append(Stuck(ends.steps, place))
        await stuck[-1].at(one.drain(conversation, control=True))
    await _end(how, stuck)

    two = await start()
    await seen(lambda: all(len(told) == 2 for told in _told(ends, people).values()))
    await _afterwards(how, stuck)

    assert _told(ends, people) == {place: [WORDS.asked, "refunded"] for place in people}
    assert all(row["applied"] for row in await two.rows("approvals"))
    assert ends.alerts() == []


@pytest.mark.parametrize("how", ENDS)
async def test_a_send_that_a_process_left_is_looked_up_and_arrives_once(
    start: Start, ends: Ends, clock: Clock, how: str
) -> None:
    places = OF_A_SEND if how != "it comes back to life" else ("sms taken",)  # nothing can fence what is on its way
    one, people = await start(at_work=False), numbers(places)
    stuck = []
    for place, number in people.items():
        await one.receives(number, f"kite at {place}")
        await one.drain(await one.conversation(number))
        stuck.append(Stuck(ends.steps, place))
        await stuck[-1].at(one.work.deliver(f"sms:{number}"))
    await _end(how, stuck)
    clock.passes(timedelta(seconds=11))  # the lease of a dead process

    two = await start()
    await seen(lambda: all(_told(ends, people).values()))
    await _until_sent(two, len(people))
    await _afterwards(how, stuck)

    assert _told(ends, people) == {place: [f"about kite at {place}"] for place in people}
    assert [row["status"] for row in await two.rows("outbox")] == ["sent"] * len(people)


@pytest.mark.parametrize("fault", [AgentUnavailable, RuntimeError])
async def test_a_turn_that_fails_at_any_step_is_tried_again_and_answered_once(
    start: Start, ends: Ends, fault: type[Exception]
) -> None:
    core, people = await start(), numbers(OF_A_TURN)
    for place, number in people.items():
        ends.steps.fails(place, fault("it failed"))
        await core.receives(number, f"kite at {place}")
        await seen(ends.steps.have_failed)

    await seen(lambda: all(_told(ends, people).values()))

    assert Counter(ends.agents.posts()) == dict.fromkeys((f"kite at {place}" for place in people), 1)
    assert _told(ends, people) == {place: [f"about kite at {place}"] for place in people}
    assert sum(row["attempts"] for row in await core.rows("inbox")) == len(people)


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("sms sending", TryLater("busy")),
        ("sms sending", Uncertain("no answer")),
        ("sms sending", RuntimeError("a bug")),
        ("sms taken", Uncertain("the answer was lost")),
        ("sms taken", RuntimeError("a bug")),
    ],
)
async def test_a_send_that_fails_at_any_step_arrives_once(
    start: Start, ends: Ends, place: str, fault: Exception
) -> None:
    core = await start()
    ends.steps.fails(place, fault)
    await core.receives("+15550000001", "kite")

    await _until_sent(core, 1)

    assert ends.sms.told("+15550000001") == ["about kite"]


async def test_a_platform_that_drops_every_line_in_the_middle_of_a_turn_is_gone_on_with(
    start: Start, ends: Ends
) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="boat")
    await core.receives("+15550000001", "boat")
    await seen(lambda: ends.agents.posts())

    ends.agents.drop_lines()
    await seen(lambda: ends.steps.passed.count("attaching") == 2)
    gate.set()
    await seen(lambda: ends.sms.told("+15550000001"))

    assert ends.agents.posts() == ["boat"]
    assert ends.sms.told("+15550000001") == ["about boat"]


async def _until_sent(core: Core, count: int) -> None:
    async def sent() -> bool:
        return [row["status"] for row in await core.rows("outbox")].count("sent") == count

    await until(sent, "the sends")
