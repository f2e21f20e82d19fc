"""A person takes a conversation over and gives it back: nothing is lost, and the customer hears of it once."""

from datetime import timedelta

import pytest

from gateway import handoff
from gateway.events import Confirm
from tests.helpers.approvers import Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start

DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
BATCH = policy().replace('agent = "support"\n', 'agent = "support"\nheld = "batch"\n', 1)
UNANSWERED = policy(on_unanswered="handoff")


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


async def takes(team: Team) -> bool:
    return await team.core.store.write(lambda tx: handoff.take(tx, 1, by="cli:ana", now=team.clock()))


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
