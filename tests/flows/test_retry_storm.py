"""Slack sends everything three times, out of order, to whichever process answers: each message is one turn."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.slack.settings import SlackSettings
from config import running
from config.settings import in_folder
from gateway import policy as policies
from gateway.store import Store
from tests.helpers import carriers, house, slack
from tests.helpers.clock import Clock
from tests.helpers.process import plain_client, until
from tests.helpers.rows import rows
from tests.helpers.world import POLICY, stand_ins

PEOPLE = ("U0ANA", "U0BEN", "U0CLEO", "U0DAN", "U0EVE")
ROOT = "1790000000.000100"
RETRIES = [{}, {"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}, {"x-slack-retry-num": "2"}]


def root() -> list[dict[str, Any]]:
    """A mention, which opens the thread that others write in."""
    return mentioned("U0ANA", "we begin", ROOT)


def written() -> list[dict[str, Any]]:
    """What five people write: to the app, in one thread, and mentions, each of which is two events of one post."""
    at = (f"17900010{number:02d}.000100" for number in itertools.count())
    events = [
        slack.message(f"to you alone, {user} {number}", user=user, channel=f"D0{user}", ts=next(at))
        for user in PEOPLE
        for number in (1, 2)
    ]
    events += [in_channel(user, f"in the thread, {user}", next(at), thread_ts=ROOT) for user in PEOPLE]
    for user in PEOPLE:
        events += mentioned(user, f"to all, {user}", next(at))
        events += mentioned(user, f"in the thread again, {user}", next(at), thread_ts=ROOT)
    return events


def in_channel(user: str, words: str, ts: str, **more: Any) -> dict[str, Any]:
    return slack.message(words, user=user, channel="C0ROOM", ts=ts, **{"channel_type": "channel", **more})


def mentioned(user: str, words: str, ts: str, **more: Any) -> list[dict[str, Any]]:
    """The message, and the mention with an event id of its own."""
    return [in_channel(user, f"<@U0BOT> {words}", ts, type=kind, **more) for kind in ("message", "app_mention")]


def posts_of(events: Sequence[dict[str, Any]]) -> int:
    return len({(one["event"]["channel"], one["event"]["ts"]) for one in events})


async def storm(doors: Sequence[str], events: Sequence[dict[str, Any]]) -> None:
    """Each three times, all at once, in an order that nobody meant."""
    sent = [(event, headers) for event in events for headers in RETRIES]
    random.Random(6).shuffle(sent)
    async with plain_client() as client:

        async def post(door: str, event: dict[str, Any], retry: dict[str, str]) -> httpx.Response:
            request = slack.signed(carriers.SECRET, event)
            request["headers"] |= retry
            return await client.post(f"{door}/slack/events", **request)

        doors_in_turn = itertools.cycle(doors)
        answers = await asyncio.gather(*(post(next(doors_in_turn), *one) for one in sent))
    assert {answer.status_code for answer in answers} == {200}


async def handled(store: Store, count: int) -> list[dict[str, Any]]:
    """The turns, once so many messages are kept and all of them handled."""

    async def done() -> bool:
        kept = [row["status"] for row in await rows(store, "inbox")]
        return len(kept) >= count and set(kept) == {"done"}

    await until(done, f"{count} messages handled", within_s=60)
    return await rows(store, "turns")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_in_a_retry_storm_each_message_is_one_turn(database_url: str, tmp_path: Path, clock: Clock) -> None:
    async with stand_ins(tmp_path) as (_, environment):
        there = {"api_url": environment["SLACK__API_URL"], "signing_secret": carriers.SECRET, "bot_token": "xoxb-1"}
        settings = in_folder(tmp_path).model_copy(
            update={"slack": SlackSettings.model_validate(there), "secret_key": SecretStr(environment["SECRET_KEY"])}
        )
        async with running.live(settings, policies.read(POLICY), clock=clock) as gateway:
            events = written()

            await storm([gateway.url], root())
            await storm([gateway.url], events)

            turns = await handled(gateway.parts.store, posts_of(events) + 1)
    assert len(turns) == posts_of(events) + 1 == 26
    assert {turn["state"] for turn in turns} == {"done"}
    assert len({turn["posted_text"] for turn in turns}) == len(turns)


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_same_over_two_web_processes(database_url: str, tmp_path: Path) -> None:
    async with house.opened(tmp_path, database_url, webs=2, workers=("one", "two"), own_agents=False) as home:
        doors, events = [door.url for door in home.doors], written()

        await storm(doors, root())
        await storm(doors, events)

        async with contextlib.aclosing(Store(database_url)) as store:
            turns = await handled(store, posts_of(events) + 1)
    assert len(turns) == posts_of(events) + 1
    assert {turn["state"] for turn in turns} == {"done"}
    print(f"{3 * (len(events) + 2)} deliveries of {len(turns)} messages over two processes: {len(turns)} turns")
