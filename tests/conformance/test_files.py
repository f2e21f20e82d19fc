"""A message's files go to the session with its words, once, whatever happens in between."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import GiveUp, TryLater
from gateway.events import MediaRef
from tests.helpers.approvers import Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, Ends, Start

PLAN = MediaRef(where="plan", name="plan.txt")
SAID, LOST = "look\n[attached: plan.txt]", "look\n[attached: plan.txt, not passed on: it could not be fetched]"


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    ends.sms.files["plan"] = b"three kites"
    return Team(await start(at_work=False, policy=policy()), ends, clock)


def passed_on(team: Team) -> list[list[tuple[str, bytes]]]:
    return [files for session in team.ends.agents.sessions.values() for files in session.files]


async def sends(team: Team) -> None:
    await team.core.receives(ALICE, "look", media=(PLAN,))


@pytest.mark.parametrize("place", ["sms fetching", "opened", "posting", "posted", "hearing Replied"])
async def test_after_a_crash_it_is_fetched_again_and_passed_on_once(team: Team, start: Start, place: str) -> None:
    halt = team.ends.steps.stops_one_at(place)
    await sends(team)
    drain = asyncio.create_task(team.core.drain())
    await halt.next()
    drain.cancel()
    await asyncio.gather(drain, return_exceptions=True)
    halt.open()

    after = team.over(await start(at_work=False, policy=policy()))
    await after.works()

    assert team.ends.agents.posts() == [SAID]
    assert passed_on(team) == [[("plan.txt", b"three kites")]]
    assert team.ends.sms.told(ALICE)[-1] == f"about {SAID}"


async def test_two_equal_messages_with_files_are_two_turns(team: Team) -> None:
    for name in ("one", "two"):
        await team.core.receives(ALICE, "look", name, media=(PLAN,))
        await team.works()

    assert team.ends.agents.posts() == [SAID, SAID]
    assert len(team.ends.sms.told(ALICE)) == 2


async def test_a_file_that_comes_late_is_waited_for(team: Team) -> None:
    team.ends.steps.fails("sms fetching", TryLater("busy"), TryLater("busy"))
    await sends(team)

    for _ in range(3):
        await team.works()
        team.clock.passes(timedelta(seconds=5))

    assert team.ends.agents.posts() == [SAID]
    assert passed_on(team) == [[("plan.txt", b"three kites")]]


async def test_a_file_that_never_comes_does_not_hold_up_the_words(team: Team) -> None:
    team.ends.steps.fails("sms fetching", *[TryLater("away")] * 99)
    await sends(team)
    await team.works()
    assert team.ends.agents.posts() == []

    team.clock.passes(timedelta(minutes=3))
    await team.works()

    assert team.ends.agents.posts() == [LOST]
    assert passed_on(team) == [[]]


async def test_a_file_that_is_gone_after_a_crash_leaves_a_note(team: Team, start: Start) -> None:
    halt = team.ends.steps.stops_one_at("attaching")
    await sends(team)
    drain = asyncio.create_task(team.core.drain())
    await halt.next()
    drain.cancel()
    await asyncio.gather(drain, return_exceptions=True)
    halt.open()
    team.ends.steps.fails("sms fetching", GiveUp("it is gone"))

    after: Any = team.over(await start(at_work=False, policy=policy()))
    await after.works()

    assert team.ends.agents.posts() == [SAID], "the words were written down before"
    assert passed_on(team) == [[("plan.txt", b"[This file was not passed on: it is gone]")]]


async def test_a_session_that_is_gone_gets_the_file_in_the_next(team: Team) -> None:
    await team.core.receives(ALICE, "hello")
    await team.works()
    team.ends.agents.sessions.clear()

    await sends(team)
    await team.works()

    assert passed_on(team) == [[("plan.txt", b"three kites")]]
    assert team.ends.agents.posts() == [SAID]
