"""Twilio hands texts over twice and in any order, to whichever process answers, and anybody may replay them for ever:
its signatures have no date. Each text is one turn."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.store import Store
from tests.flows.test_retry_storm import handled
from tests.helpers import carriers, house
from tests.helpers.clock import Clock
from tests.helpers.process import plain_client
from tests.helpers.rows import rows
from tests.helpers.texting import texting

PEOPLE = [f"+1555000{number:04d}" for number in range(1111, 1117)]
TRIES = ("first", "again", "by the fallback address")
Text = tuple[str, str, str]  # sender, words, sid


def written() -> list[Text]:
    """Two texts of each of six people."""
    pairs = itertools.product(PEOPLE, (1, 2))
    return [(who, f"Text {number} of {who}", f"SM{place:032d}") for place, (who, number) in enumerate(pairs)]


async def storm(doors: Sequence[str], public_url: str, texts: Sequence[Text], seed: int) -> None:
    """Each three times, all at once, in an order that nobody meant. Twilio's retries carry one token, if any."""
    sent = [(text, f"token of {text[2]}" if one != "first" else "") for text in texts for one in TRIES]
    random.Random(seed).shuffle(sent)
    async with plain_client() as client:

        async def post(door: str, text: Text, token: str) -> int:
            sender, words, sid = text
            request: dict[str, Any] = carriers.text(public_url, words, sender=sender, sid=sid)
            request["headers"] |= {"I-Twilio-Idempotency-Token": token} if token else {}
            return (await client.post(f"{door}/sms/inbound", **request)).status_code

        doors_in_turn = itertools.cycle(doors)
        answers = await asyncio.gather(*(post(next(doors_in_turn), *one) for one in sent))
    assert set(answers) == {200}


def check(turns: Sequence[dict[str, Any]], texts: Sequence[Text]) -> None:
    posted = [turn["posted_text"] for turn in turns]
    assert sorted(text.split("\n")[-1] for text in posted) == sorted(words for _, words, _ in texts)
    assert {turn["state"] for turn in turns} == {"done"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_in_a_storm_each_text_is_one_turn_and_replays_are_none(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    async with texting(database_url, tmp_path, clock) as phone:
        url, texts = phone.gateway.url, written()

        await storm([url], url, texts, seed=1)
        check(await handled(phone.store, len(texts)), texts)
        for days in (1, 40, 400):
            clock.passes(timedelta(days=days))
            await storm([url], url, texts, seed=days)

        check(await handled(phone.store, len(texts)), texts)
        assert len(await rows(phone.store, "inbox")) == len(texts)
        assert len(phone.carriers.texts) == len(texts)


async def test_an_older_text_that_comes_late_is_answered_too(database_url: str, tmp_path: Path, clock: Clock) -> None:
    async with texting(database_url, tmp_path, clock) as phone:
        await phone.texts("the second", MessageSid="SM2")
        await phone.texts("the first", MessageSid="SM1")
        await phone.texts("the second", MessageSid="SM2")

        assert [turn["posted_text"].split("\n")[-1] for turn in await phone.turns(2)] == ["the second", "the first"]
        await phone.gets(2)


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_same_over_two_web_processes(database_url: str, tmp_path: Path) -> None:
    async with house.opened(tmp_path, database_url, webs=2, workers=("one", "two"), own_agents=False) as home:
        doors, texts = [door.url for door in home.doors], written()

        await storm(doors, home.public_url, texts, seed=1)
        async with contextlib.aclosing(Store(database_url)) as store:
            await handled(store, len(texts))
            await storm(doors[::-1], home.public_url, texts, seed=2)
            turns = await handled(store, len(texts))
            assert len(await rows(store, "inbox")) == len(texts)
    check(turns, texts)
    print(f"{2 * len(TRIES) * len(texts)} deliveries of {len(texts)} texts over two processes: {len(turns)} turns")
