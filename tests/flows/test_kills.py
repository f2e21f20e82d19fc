"""The process is killed at any moment, again and again: what was acknowledged is answered."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.helpers.process import Gateway, running, until
from tests.helpers.world import World, stand_ins

ROUNDS, PEOPLE = 12, 6


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_no_text_is_lost_however_often_the_process_is_killed(tmp_path: Path) -> None:
    dice = random.Random(7)
    async with stand_ins(tmp_path) as (carrier, environment):
        gateway = Gateway(tmp_path, **environment)
        gateway.also(PUBLIC_URL=gateway.url)
        async with running(gateway):
            world = World(gateway, carrier, tmp_path)
            for number in range(ROUNDS):
                texts = [asyncio.create_task(_until_taken(world, number, person)) for person in range(PEOPLE)]
                await asyncio.sleep(dice.uniform(0.0, 1.2))  # the moment is the point: any may come
                await gateway.kill()
                await gateway.start()
                await asyncio.gather(*texts)
            await until(lambda: _everybody(world), "an answer to every text")

    answers = Counter(text["To"] for text in carrier.texts)
    twice = sum(count - ROUNDS for count in answers.values())
    print(f"\n{ROUNDS} kills, {ROUNDS * PEOPLE} texts: 0 lost, {twice} answered twice")
    assert twice <= ROUNDS  # Twilio's stand-in here has no list to look in


async def _until_taken(world: World, number: int, person: int) -> None:
    """Text as a carrier does: again, under the same id, until it is acknowledged."""
    while True:
        try:
            sid, sender = f"SM{number:03}{person:03}", f"+1555200{person:04}"
            taken = await world.text(f"Where is order A-100{1 + number % 5}?", sid, sender=sender)
            if taken.status_code == 200:
                return
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)


async def _everybody(world: World) -> bool:
    answers = Counter(text["To"] for text in world.carriers.texts)
    return len(answers) == PEOPLE and all(count >= ROUNDS for count in answers.values())
