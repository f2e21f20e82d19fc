"""A person takes a conversation over and gives it back: nothing is lost, and the customer hears of it once."""

import asyncio
from datetime import timedelta

import pytest

from gateway import handoff
from gateway.errors import AgentUnavailable
from gateway.events import ApprovalView, Confirm
from tests.helpers.agents import AgentTurn, waits_for
from tests.helpers.approvers import Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Core, Ends, Start, seen
from tests.helpers.process import until

DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
BATCH = policy().replace('agent = "support"\n', 'agent = "support"\nheld = "batch"\n', 1)
UNANSWERED = policy(on_unanswered="handoff")


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


async def takes(team: Team) -> bool:
    return await _takes(team.core, team.clock)


async def _takes(core: Core, clock: Clock) -> bool:
    return await core.store.write(lambda tx: handoff.take(tx, core.engine, 1, by="cli:ana", now=clock()))


async def releases(team: Team) -> bool:
    """And what that frees is done."""
    released = await team.core.store.write(lambda tx: handoff.release(tx, 1, by="cli:ana", now=team.clock()))
    await team.works()
    return released


async def writes(team: Team, *texts: str) -> None:
    for words in texts:
        await team.core.receives(ALICE, words)
        await team.works()


async def test_what_is_written_to_a_person_is_kept_told_once_and_answered_after_the_release(team: Team) -> None:
    await writes(team, "hello")

    assert await takes(team)
    assert team.ends.sms.told(ALICE) == ["about hello"], "taking it says nothing"
    await writes(team, "one", "two")
    assert team.ends.sms.told(ALICE)[1:] == [WORDS.with_a_person]
    assert await releases(team)

    assert team.ends.sms.told(ALICE)[2:] == ["about one", "about two"]
    assert [row["who"] for row in await team.core.rows("audit")] == ["cli:ana"] * 2
    assert (await team.audited("taken"), await team.audited("released")) == (1, 1)


async def test_twice_is_safe_and_audited_once(team: Team) -> None:
    await writes(team, "hello")

    assert [await takes(team), await takes(team)] == [True, False]
    assert [await releases(team), await releases(team)] == [True, False]

    assert len(await team.core.rows("audit")) == 2


async def test_what_was_held_flows_in_the_way_of_the_route(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=BATCH), ends, clock)
    await writes(team, "hello")
    await takes(team)
    await writes(team, "one", "two")

    await releases(team)

    assert team.ends.agents.posts() == ["hello", "one\n\ntwo"]


async def test_a_second_handoff_is_told_again_though_nothing_came_between(team: Team) -> None:
    await writes(team, "hello")
    await takes(team)
    await releases(team)
    team.clock.passes(MINUTE)
    await takes(team)
    await writes(team, "one")
    team.clock.passes(MINUTE)
    await releases(team)
    await takes(team)
    await writes(team, "two")

    told = [words for words in team.ends.sms.told(ALICE) if words == WORDS.with_a_person]
    assert len(told) == 2


async def test_a_decision_in_a_handoff_goes_on_as_a_draft_and_the_customer_is_not_told_again(team: Team) -> None:
    (card,) = await team.asked()
    await takes(team)
    await writes(team, "one")

    await team.clicks("ana", card)
    await team.works()
    team.clock.passes(MINUTE)
    await writes(team, "two")

    assert team.answers == [Confirm(arguments=card.arguments or {})]
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.with_a_person]
    (draft,) = [text for text in team.ends.alerts() if "would have said" in text]
    assert "ran" in draft
    assert team.ends.agents.posts() == ["refund, 0"]
    await releases(team)
    assert team.ends.agents.posts() == ["refund, 0", "one", "two"]


async def test_what_nobody_decides_hands_over_and_a_release_gives_it_back(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=UNANSWERED), ends, clock)
    await team.asked()
    await team.after(DAY)
    await writes(team, "one")
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.handed_over, WORDS.with_a_person]
    assert not await takes(team), "a person has it"

    await releases(team)

    assert team.ends.sms.told(ALICE)[3:] == ["about one"]


async def test_a_crash_in_a_handoff_forgets_nothing(team: Team, start: Start) -> None:
    await writes(team, "hello")
    await takes(team)
    await writes(team, "one")

    after = team.over(await start(at_work=False, policy=policy()))
    await writes(after, "two")
    assert team.ends.sms.told(ALICE) == ["about hello", WORDS.with_a_person]
    await releases(after)

    assert team.ends.sms.told(ALICE)[2:] == ["about one", "about two"]


# --- the turn that runs ----------------------------------------------------------------------------------------


async def test_taking_it_stops_the_turn_that_runs_and_its_reply_is_never_sent(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on="hello")
    await core.receives(ALICE, "hello")
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    assert await _takes(core, clock)
    await until(lambda: _is(core, "interrupted"), "the stop", within_s=5)
    assert not any(session.lines for session in ends.agents.sessions.values())
    await core.receives(ALICE, "are you there?")
    gate.set()  # the agent is done at last
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [WORDS.with_a_person]
    assert not any("would have said" in alert for alert in ends.alerts())


async def test_a_message_that_did_not_reach_the_agent_yet_is_kept_for_after_the_release(
    team: Team,
) -> None:
    halt = team.ends.steps.stops_one_at("opening")
    await team.core.receives(ALICE, "hello")
    draining = asyncio.create_task(team.core.drain())
    await halt.next()

    await takes(team)
    halt.open()
    await draining
    await team.works()
    assert team.ends.agents.posts() == []
    assert team.ends.sms.told(ALICE) == [WORDS.with_a_person]
    await releases(team)

    assert team.ends.sms.told(ALICE)[1:] == ["about hello"]


# --- the machine is silent -------------------------------------------------------------------------------------


async def test_a_turn_that_somebody_decided_about_goes_on_and_what_it_asks_next_is_not_told_the_customer(
    team: Team,
) -> None:
    async def asks_twice(turn: AgentTurn) -> None:
        await turn.asks()
        await turn.asks()
        turn.replies("both ran")

    team.ends.agents.does(asks_twice, on="twice")
    await writes(team, "twice")
    await takes(team)

    for _ in range(2):
        await team.clicks("ana", await _open_request(team))
        await team.works()

    assert team.ends.sms.told(ALICE) == [WORDS.asked]
    assert any("both ran" in alert for alert in team.ends.alerts())


async def test_a_turn_that_fails_while_a_person_has_it_says_nothing_to_the_customer(team: Team) -> None:
    async def asks_and_fails(turn: AgentTurn) -> None:
        await turn.asks()
        turn.fails("out of order")

    team.ends.agents.does(asks_and_fails, on="fail")
    await writes(team, "fail")

    await takes(team)
    await team.clicks("ana", await _open_request(team))
    await team.works()

    assert team.ends.sms.told(ALICE) == [WORDS.asked]
    assert any("failed" in alert for alert in team.ends.alerts())


async def test_an_agent_that_does_not_answer_while_a_person_has_it_is_told_operations_alone(team: Team) -> None:
    (card,) = await team.asked()
    await takes(team)
    await team.clicks("ana", card)
    team.ends.steps.fails("answering", *[AgentUnavailable("gone")] * 2)

    await team.works()
    team.clock.passes(MINUTE)
    await team.works()

    assert team.ends.sms.told(ALICE) == [WORDS.asked]
    assert any("does not answer" in alert for alert in team.ends.alerts())


async def test_what_nobody_decides_while_a_person_has_it_says_nothing_to_the_customer(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=UNANSWERED), ends, clock)
    await team.asked()
    await takes(team)

    await team.after(DAY)

    assert team.ends.sms.told(ALICE) == [WORDS.asked]
    assert await team.states() == ["expired"]


async def _open_request(team: Team) -> ApprovalView:
    (found,) = [row["id"] for row in await team.core.rows("approvals") if row["state"] == "pending"]
    return await team.sees(found)


async def _is(core: Core, status: str) -> bool:
    return (await core.statuses())[0] == status
