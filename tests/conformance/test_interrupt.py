"""Somebody stops a turn: wherever it runs, its reply is never sent, and the conversation goes on at once."""

import asyncio
import random
from typing import Any

import pytest

from gateway.errors import AgentUnavailable
from gateway.events import ApprovalView, Deny, ShowOutcome
from tests.helpers.agents import AgentTurn, asks_first, waits_for
from tests.helpers.core import ALICE, WORDS, Core, Ends, Start, seen
from tests.helpers.process import until

pytestmark = pytest.mark.long

ROUNDS, PEOPLE = 10, 5


async def test_an_interrupt_reaches_a_turn_that_runs(start: Start, ends: Ends) -> None:
    core = await start()
    await _is_reached(core, core, ends)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_an_interrupt_reaches_a_turn_that_runs_in_another_process(start: Start, ends: Ends) -> None:
    core, other = await start(), await start(at_work=False)
    await _is_reached(core, other, ends)


async def _is_reached(core: Core, stopping: Core, ends: Ends) -> None:
    gate = asyncio.Event()
    ends.agents.does(waits_for(gate), on="stop me")
    await core.receives(ALICE, "stop me")
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    assert await stopping.interrupt()
    await until(lambda: _is(core, "interrupted"), "the interrupt", within_s=2)
    assert not any(session.lines for session in ends.agents.sessions.values())
    await core.receives(ALICE, "kites")
    gate.set()  # the agent is done at last
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]
    assert [row["state"] for row in await core.rows("turns")] == ["interrupted", "done"]
    assert [row["what"] for row in await core.rows("audit")] == ["interrupted"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_beside_the_one_process_an_interrupt_keeps_its_reply_from_being_sent(start: Start, ends: Ends) -> None:
    core, command_line, gate = await start(), await start(at_work=False), asyncio.Event()
    ends.agents.does(waits_for(gate), on="stop me")
    await core.receives(ALICE, "stop me")
    await core.receives(ALICE, "kites")
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    assert await command_line.interrupt()
    gate.set()
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]
    assert await core.statuses() == ["interrupted", "done"]


async def test_an_interrupt_reaches_a_turn_that_waits_for_another_try(start: Start, ends: Ends) -> None:
    core = await start()
    ends.steps.fails("posting", AgentUnavailable("the line was lost", retry_after=60))
    await core.receives(ALICE, "stop me")
    await until(lambda: _waits(core), "a pause")

    assert await core.interrupt()
    await core.receives(ALICE, "kites")
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.agents.posts() == ["kites"]
    assert await core.statuses() == ["interrupted", "done"]


async def test_where_nothing_runs_an_interrupt_changes_nothing(start: Start, ends: Ends) -> None:
    core = await start()
    await core.receives(ALICE, "kites")
    await seen(lambda: ends.sms.told(ALICE))
    before = await core.rows("conversations")

    assert not await core.interrupt()

    assert await core.statuses() == ["done"]
    assert await core.rows("conversations") == before  # whoever owns the lane still does


async def test_a_turn_that_waits_for_a_decision_is_not_stopped(start: Start, ends: Ends) -> None:
    core = await start()
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)

    assert not await core.interrupt()
    await core.approves(card.id)
    await seen(lambda: "refunded" in ends.sms.told(ALICE))


async def test_a_turn_that_goes_on_after_a_decision_is_stopped_and_its_card_says_so(start: Start, ends: Ends) -> None:
    core, gate = await start(), asyncio.Event()
    await _asks_and_is_approved(core, ends, gate)
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    assert await core.interrupt()
    await until(lambda: _is(core, "interrupted"), "the interrupt", within_s=5)
    await core.receives(ALICE, "kites")
    gate.set()  # the agent is done at last
    await seen(lambda: "about kites" in ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [WORDS.asked, "about kites"]
    assert [row["state"] for row in await core.rows("turns")] == ["interrupted", "done"]
    await seen(lambda: _outcomes(ends)[-1].trouble == "its turn was stopped")


async def test_a_decision_on_its_way_to_the_agent_goes_there_no_more(start: Start, ends: Ends) -> None:
    core, gate = await start(), asyncio.Event()
    ends.steps.fails("answering", AgentUnavailable("the line was lost", retry_after=60))
    await _asks_and_is_approved(core, ends, gate)
    await until(lambda: _decision_waits(core), "a pause")

    assert await core.interrupt()
    await core.receives(ALICE, "kites")
    gate.set()
    await seen(lambda: "about kites" in ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [WORDS.asked, "about kites"]
    (session,) = ends.agents.sessions.values()
    assert [type(said) for _, said in session.told] == [Deny], "what it still waits for is withdrawn"


async def _asks_and_is_approved(core: Core, ends: Ends, gate: asyncio.Event) -> None:
    async def asks_and_waits(turn: AgentTurn) -> None:
        await turn.asks()
        turn.streams("...")
        await gate.wait()
        turn.replies("refunded")

    ends.agents.does(asks_and_waits, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    await core.approves(card.id)


def _outcomes(ends: Ends) -> list[ApprovalView]:
    return [one.message.approval for one in ends.slack.taken if isinstance(one.message, ShowOutcome)]


async def _decision_waits(core: Core) -> bool:
    return any(row["kind"] == "decision" and row["not_before"] for row in await core.rows("inbox"))


async def test_two_who_stop_the_same_turn_at_once_stop_it_once(start: Start, ends: Ends) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="stop me")
    await core.receives(ALICE, "stop me")
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    await asyncio.gather(*(core.interrupt() for _ in range(5)))
    await until(lambda: _is(core, "interrupted"), "the interrupt", within_s=2)
    gate.set()
    await core.receives(ALICE, "kites")
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]
    assert [row["what"] for row in await core.rows("audit")] == ["interrupted"]


async def test_the_same_words_after_an_interrupt_get_a_reply_of_their_own(start: Start, ends: Ends) -> None:
    core, gate = await start(), asyncio.Event()
    answers = iter(["the one that was stopped", "the one that counts"])

    async def numbered(turn: AgentTurn) -> None:
        turn.streams("...")
        await gate.wait()
        turn.replies(next(answers))

    ends.agents.does(numbered, on="hello")
    await core.receives(ALICE, "hello", "E1")
    await seen(lambda: "hearing Delta" in ends.steps.passed)
    await core.interrupt()
    await until(lambda: _is(core, "interrupted"), "the interrupt")
    gate.set()
    ends.steps.fails("posting", AgentUnavailable("the line was lost"))

    await core.receives(ALICE, "hello", "E2")
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["the one that counts"]
    assert ends.agents.posts() == ["hello", "hello"]


async def test_interrupts_at_any_moment_leave_each_message_answered_or_interrupted(start: Start, ends: Ends) -> None:
    core = await start()
    other = await start(at_work=False)

    async def takes_a_moment(turn: AgentTurn) -> None:
        for _ in range(3):
            turn.streams("...")
            await asyncio.sleep(0.01)  # so that there are moments to be stopped at
        turn.replies(f"about {turn.words}")

    ends.agents.does(takes_a_moment, on="")
    people = [f"+1555{n:07d}" for n in range(PEOPLE)]
    stopped = await asyncio.gather(*(_writes_and_is_stopped(ends, core, other, number) for number in people))
    await until(lambda: _nothing_is_new(core), "an end")
    await seen(lambda: all("about the last" in ends.sms.told(number) for number in people))

    statuses = {row["event_key"]: row["status"] for row in await core.rows("inbox") if row["kind"] == "message"}
    for number, said_so in zip(people, stopped, strict=True):
        for n in range(ROUNDS):
            interrupted = statuses[f"sms:{number}: kite {n}"] == "interrupted"
            assert interrupted == said_so[n]
            assert ends.sms.told(number).count(f"about kite {n}") == (not interrupted)
    count = sum(map(sum, stopped))
    assert 0 < count < ROUNDS * PEOPLE
    print(f"\n{count} of {ROUNDS * PEOPLE} were interrupted")


async def _writes_and_is_stopped(ends: Ends, core: Core, other: Core, number: str) -> list[bool]:
    """A message after the other, and an interrupt at a moment of its own; which of them were stopped."""
    dice, stopped = random.Random(number), []
    for n in range(ROUNDS):
        await core.receives(number, f"kite {n}")
        conversation = await core.conversation(number)
        await asyncio.sleep(dice.uniform(0.0, 0.25))  # the moment is the point: any may come
        stopped.append(await dice.choice([core, other]).interrupt(conversation))
        await until(lambda n=n: _is_over(core, f"sms:{number}: kite {n}"), "an end of it", within_s=10)  # type: ignore[misc]
    await core.receives(number, "the last")
    return stopped


async def _is_over(core: Core, event_key: str) -> bool:
    return any(row["event_key"] == event_key and row["status"] != "new" for row in await core.rows("inbox"))


async def _nothing_is_new(core: Core) -> bool:
    return all(row["status"] != "new" for row in await core.rows("inbox"))


async def _is(core: Core, status: str) -> bool:
    return (await core.statuses())[0] == status


async def _waits(core: Core) -> Any:
    return (await core.rows("inbox"))[0]["not_before"]
