"""A process that is told to stop, at any moment and whatever it is doing, ends soon; the next one goes on."""

import asyncio
import random
import time

import pytest

from tests.helpers.approvers import Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import Core, Ends, Start, opened
from tests.helpers.process import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

ROUNDS = 60
WITHIN_S = 6.0  # nothing here takes longer by itself than an instant, and a grace of 8 s must not be used up


async def test_a_stop_at_any_moment_is_over_soon_and_the_next_start_goes_on(
    database_url: str, start: Start, ends: Ends, clock: Clock
) -> None:
    dice, took, team = random.Random(3), [], Team(await start(at_work=False, policy=policy()), ends, clock)
    team.asks(on="refund")
    customers = [f"+1555{number:07d}" for number in range(12)]
    for number in range(ROUNDS):
        for customer in dice.sample(customers, 3):
            await team.core.receives(customer, f"{dice.choice(['hello', 'refund'])} {number}")
        async with opened(database_url, ends, clock, policy=policy()) as core, core.at_work():
            await _approves_all(core)
            await asyncio.sleep(dice.choice([0.0, dice.uniform(0.0, 0.1), dice.uniform(0.0, 0.6)]))  # any may come
            told = time.monotonic()
        took.append(time.monotonic() - told)

    await until(lambda: _is_done(team), "an end of all", within_s=60)
    print(f"\n{ROUNDS} stops: {sorted(took)[ROUNDS // 2]:.2f} s (worst {max(took):.2f})")
    assert max(took) < WITHIN_S


async def _is_done(team: Team) -> bool:
    await _approves_all(team.core)
    await team.works()
    return all(row["status"] != "new" for row in await team.core.rows("inbox"))


async def _approves_all(core: Core) -> None:
    for row in await core.rows("approvals"):
        if row["state"] == "pending":
            await core.approves(row["id"])
