"""Test messages to people: whose answer counts, and for how long."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.helpers.approvers import PHONES, Team, in_slack, policy
from tests.helpers.clock import Clock
from tests.helpers.core import Ends, Start

WAIT = timedelta(minutes=2)
IN_ONE_TEAM = policy(names=("ana", "ben")).replace('"U0ANA"', '"T0TEAM/U0ANA"')


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=IN_ONE_TEAM), ends, clock)


async def sent(team: Team) -> dict[str, str]:
    """The test message to each address, as its button names it."""
    ids = await team.core.door.reaching.send({"slack", "sms"}, WAIT, by="a test")
    await team.works()
    return {one["address"]: str(one["id"]) for one in await team.core.rows("checks") if one["id"] in ids}


async def test_only_the_click_of_that_very_person_counts_and_the_first_one(team: Team, clock: Clock) -> None:
    reaching, checks = team.core.door.reaching, await sent(team)
    hers, ana = checks["slack:U0ANA"], in_slack("ana")

    assert await reaching.seen(hers, in_slack("ben")) == "not_yours"
    assert await reaching.seen(hers, replace(ana, account="T0OTHER")) == "not_yours", "of another workspace"
    assert await reaching.seen(checks["slack:U0BEN"], ana) == "not_yours"
    assert await reaching.seen(checks[f"sms:{PHONES['ana']}"], ana) == "not_yours", "a click does not answer a text"
    assert [one.answered_at for one in await reaching.reached([int(hers)])] == [None]

    assert await reaching.seen(hers, ana) == "seen"
    (first,) = await reaching.reached([int(hers)])
    clock.passes(timedelta(seconds=30))
    assert await reaching.seen(hers, ana) == "seen"
    assert first.answered_at is not None
    assert await reaching.reached([int(hers)]) == [first]


@pytest.mark.parametrize("named", ["", "x", "-1", "0", "999", "9" * 30, "\u0661"])
async def test_a_button_that_names_no_test_is_nobodys(team: Team, named: str) -> None:
    await sent(team)

    assert await team.core.door.reaching.seen(named, in_slack("ana")) == "not_yours"


async def test_a_click_after_the_wait_is_too_late(team: Team, clock: Clock) -> None:
    hers = (await sent(team))["slack:U0ANA"]
    clock.passes(WAIT)

    assert await team.core.door.reaching.seen(hers, in_slack("ana")) == "over"
    assert [one.answered_at for one in await team.core.door.reaching.reached([int(hers)])] == [None]
