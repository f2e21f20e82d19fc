"""A process that works is told to stop, at any moment: it ends by itself, in time, and nothing is lost by it."""

import asyncio
import contextlib
import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers import house as houses
from tests.helpers.house import House
from tests.helpers.process import until

ROUNDS = 12
WITHIN_S = (
    25.0  # a platform such as Heroku kills after 30; the bound of the process itself is 15, this machine may be busy
)
PATIENCE_S = 300.0  # there is one worker, and it is stopped again and again
SAYS = ("Count slowly to 20.", "Please refund order A-1001, $40.", "Where is order A-1003?", "Tell me about kites.")
ANSWERS = ("nineteen twenty", "refunded $40", "A-1003", "about kites")
TOO_LATE = ("would not end", "the stop took too long")

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


async def test_a_stop_at_any_moment_ends_the_process_in_time(database_url: str, tmp_path: Path) -> None:
    dice, took = random.Random(7), []
    async with houses.opened(tmp_path, database_url, workers=("one",)) as house:
        (worker,) = house.workers.values()
        people = [asyncio.create_task(_writes(house, number)) for number in range(ROUNDS * len(SAYS))]
        for _ in range(ROUNDS):
            await asyncio.sleep(
                dice.choice([dice.uniform(0.0, 0.3), dice.uniform(0.0, 3.0)])
            )  # the moment is the point
            told = time.monotonic()
            assert await worker.stop() == 0
            took.append(time.monotonic() - told)
            await worker.start()
            if not worker.has_door:
                await worker.at_work()
        await asyncio.gather(*people)
        for number in range(len(people)):
            await house.gets(_of(number), ANSWERS[number % len(ANSWERS)], within_s=PATIENCE_S)
        log = worker.log()

    print(f"\n{ROUNDS} stops: {sorted(took)[ROUNDS // 2]:.1f} s (worst {max(took):.1f})")
    assert max(took) < WITHIN_S
    assert not any(words in log for words in TOO_LATE)


async def _writes(house: House, number: int) -> None:
    """Somebody of their own, each in turn: so there is always something under way."""
    await asyncio.sleep(number * 0.5)
    await house.text_until_taken(SAYS[number % len(SAYS)], sender=_of(number))
    if "refund" in SAYS[number % len(SAYS)]:
        card = await house.card_about(_of(number), within_s=PATIENCE_S)
        await until(lambda: _clicks(house, card), "an open door")


async def _clicks(house: House, card: dict[str, Any]) -> bool:
    """False: the door was closed."""
    with contextlib.suppress(httpx.TransportError):
        return await house.clicks("U0ANA", card) == 200
    return False


def _of(number: int) -> str:
    return f"+1555400{number:04d}"
