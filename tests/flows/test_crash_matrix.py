"""A working process is killed at each step of a turn, again and again: nothing is lost.

The steps are seen from outside: at the agent's and at the carrier's end, and in the rows.
"""

import asyncio
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.helpers import house as houses
from tests.helpers.crashes import PEOPLE, STEPS, Round, Step
from tests.helpers.house import House
from tests.helpers.outside import Outside, looking
from tests.helpers.process import Gateway, until

ROUNDS = 20
PATIENCE_S = 75.0  # for a reply; what is asserted is that it comes, what is printed is when
RESTARTS_AFTER_S = 1.0  # and is back two seconds later: others have nearly taken over by then

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass
class Tally:
    """What came of the rounds. Times are seconds since a kill."""

    texts: int = 0
    taken_up: list[float] = field(default_factory=list)
    replied: list[float] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
async def test_a_killed_process_loses_nothing(step: Step, database_url: str, tmp_path: Path) -> None:
    twice = await _matrix(step, database_url, tmp_path, shows_texts=True, rounds=ROUNDS)

    assert twice == 0


@pytest.mark.parametrize("step", [STEPS["during_a_send"]], ids=["during_a_send"])
async def test_where_the_carrier_cannot_be_asked_a_text_may_come_twice_and_none_is_lost(
    step: Step, database_url: str, tmp_path: Path
) -> None:
    twice = await _matrix(step, database_url, tmp_path, shows_texts=False, rounds=ROUNDS // 2)

    assert twice <= ROUNDS // 2 * PEOPLE


async def _matrix(step: Step, database_url: str, folder: Path, *, shows_texts: bool, rounds: int) -> int:
    """Kill once a round; every text acknowledged must get its reply. How many came twice."""
    tally = Tally()
    async with houses.opened(folder, database_url, shows_texts=shows_texts) as house:
        with looking(database_url) as outside:
            for number in range(rounds):
                await _round(step, Round(house, outside, database_url, number), tally)
            await _nothing_left(outside)
        copies = Counter((text["To"], text["Body"]) for text in house.carriers.texts)
        with looking(f"sqlite:///{folder}/agent.db") as agent:
            _once_at_the_agent(step, agent, tally.texts)
    twice = sum(copies.values()) - len(copies)
    _tell(step, database_url, house, tally, twice)
    return twice


async def _round(step: Step, round: Round, tally: Tally) -> None:
    house = round.house
    async with step(round) as victim:
        tally.texts += len(round.numbers)
        await house.workers[victim].kill()
        killed, before = time.monotonic(), round.fates()
        tally.found.update(row[2] or "nothing" for rows in before.values() for row in rows)
    alone = house.workers[victim] in house.doors
    back = asyncio.create_task(_back(house.workers[victim], 0.0 if alone else RESTARTS_AFTER_S))
    # Whoever had their reply before the kill waits for nothing.
    waiting = {one for one, rows in before.items() if any(row[2] != "sent" for row in rows)} or before.keys()
    while not all(now != before[one] for one, now in round.fates().items() if one in waiting):
        assert time.monotonic() - killed < PATIENCE_S, f"nobody took up {victim}'s work: {before}, now {round.fates()}"
        await asyncio.sleep(0.02)
    tally.taken_up.append(time.monotonic() - killed)
    assert round.texting is not None
    await round.texting

    async def answered() -> bool:
        return not round.missing()

    await until(answered, f"a reply for everybody in round {round.number}", within_s=PATIENCE_S)
    tally.replied.append(time.monotonic() - killed)
    await back


async def _back(process: Gateway, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await process.start()
    if not process.has_door:
        await process.at_work()


async def _nothing_left(outside: Outside) -> None:
    """Until no event and no message is open: whatever was to come twice has come."""
    give_up = time.monotonic() + PATIENCE_S
    while left := [
        *outside.ask("SELECT * FROM inbox WHERE status = 'new'"),
        *outside.ask("SELECT * FROM outbox WHERE status IN ('queued', 'sending', 'unknown')"),
    ]:
        assert time.monotonic() < give_up, f"still open: {left}"
        await asyncio.sleep(0.1)


def _once_at_the_agent(step: Step, agent: Outside, texts: int) -> None:
    """However often a turn was taken up, the agent was told once and paid back once."""
    posts = agent.ask("SELECT session_id, count(*) FROM agent_posts GROUP BY session_id HAVING count(*) > 1")
    assert posts == []
    refunds = agent.ask("SELECT count(*), count(DISTINCT session_id) FROM agent_refunds")
    expected = texts if step is STEPS["between_decision_and_answer"] else 0
    assert refunds == [(expected, expected)]


def _tell(step: Step, database_url: str, house: House, tally: Tally, twice: int) -> None:
    kind = database_url.partition(":")[0]
    looks = f"{house.carriers.lookups} look-ups" if house.carriers.lookups else "no look-up"
    kills = len(tally.taken_up)
    print(
        f"\n{step.__name__} on {kind}: {kills} kills, {tally.texts} texts, 0 lost, {twice} twice ({looks});"
        f" taken up after {_spread(tally.taken_up)}, answered after {_spread(tally.replied)};"
        f" the outbox at the kill: {dict(tally.found)}"
    )


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.1f} s (worst {max(times):.1f})"
