"""A history of many megabytes: no client's socket breaks on it, and the gateway still counts all of it."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from websockets.asyncio.client import connect

from adapters.agent import frames
from adapters.agent.client import AgentSettings
from adapters.agent.frames import Content, Frame
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.limits import KIB, MIB, Limits
from adapters.agent.server.sockets import Outflow
from adapters.agent.server.store import Store, add_message, agent_sender
from gateway import exchange
from gateway.errors import AgentUnavailable
from gateway.events import Replied, UserPosted
from gateway.history import Post
from tests.adapters.agent.script import CALM, Gets, connects, platform, tells, user
from tests.adapters.agent.stores import TENANT, store_of
from tests.adapters.agent.wire import Wire
from tests.adapters.agent.world import client_of, serving

SDK_FRAME_BYTES = 4 * MIB  # where the socket of the published SDK breaks
WHERE = "Where is it?"
BIG = "x" * (MIB // 4)


async def told(store: Store, session_id: str, said: Sequence[tuple[str, str]]) -> None:
    """A session's history: who ("user" or "agent") and what."""
    async with store.database.writing() as db:
        for who, text in said:
            sender = {"user_id": TENANT[:16]} if who == "user" else agent_sender("support")
            content: Content = text if who == "user" else frames.complete(text)
            await add_message(db, session_id, sender, content)


async def session_of(settings: ServerSettings, said: Sequence[tuple[str, str]]) -> str:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await told(store, session_id, said)
        return session_id


ASKED_TWICE = [("user", WHERE), ("agent", "Soon."), ("user", WHERE), ("agent", "Very soon.")]
SIX_MIB = [(who, f"{n} {BIG}") for n in range(12) for who in ("user", "agent")]


async def asked_for(settings: ServerSettings, url: str, session_id: str, **words: str) -> Frame:
    """What a client whose socket takes no more than the SDK's is answered."""
    headers = {"Authorization": "Bearer key-1"}
    where = AgentSettings(url=url).socket_url
    async with connect(where, additional_headers=headers, max_size=SDK_FRAME_BYTES, proxy=None) as socket:
        wire = Wire(socket)
        await wire.send(frames.connect_session(session_id))
        assert (await wire.next())["success"] is True
        await wire.send({**frames.get_messages(session_id), **words})
        return await wire.next()


async def test_a_client_with_a_small_socket_is_given_the_newest_messages(settings: ServerSettings) -> None:
    session_id = await session_of(settings, [*ASKED_TWICE, *SIX_MIB])

    async with serving(settings) as url:
        answer = await asked_for(settings, url, session_id)

    numbers = [message["content"]["value"].split()[0] for message in answer["messages"]]
    assert numbers == [str(n) for n in range(12) for _ in range(2)][-len(numbers) :]
    assert len(numbers) == 13  # a quarter of a MiB each
    assert answer["omitted"] == 4 + 24 - 13
    assert 3 * MIB < len(json.dumps(answer)) <= settings.limits.max_page_bytes


async def test_a_short_history_is_whole_and_says_nothing_of_pages(settings: ServerSettings) -> None:
    session_id = await session_of(settings, ASKED_TWICE)

    async with serving(settings) as url:
        answer = await asked_for(settings, url, session_id)

    assert set(answer) == {"type", "session_id", "messages"}
    assert len(answer["messages"]) == 4


async def test_the_gateway_reads_all_of_it_in_its_order(settings: ServerSettings) -> None:
    said = [*ASKED_TWICE, *SIX_MIB]
    session_id = await session_of(settings, said)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        entries = await line.history()

    shown = [("user" if isinstance(one, UserPosted) else "agent", getattr(one, "text", "")) for one in entries]
    assert shown == said


async def test_the_gateway_finds_a_lost_post_at_the_end_of_six_megabytes(settings: ServerSettings) -> None:
    session_id = await session_of(settings, [*ASKED_TWICE, *SIX_MIB, ("user", WHERE), ("agent", "It is here.")])
    lost = Post(text=WHERE, key="turn-3", alike=2, first_try=False)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        outcome = await exchange.post(line, lost, nobody_looks, CALM)
        posts = [one for one in await line.history() if isinstance(one, UserPosted) and one.text == WHERE]

    assert isinstance(outcome, Replied)
    assert outcome.text == "It is here."
    assert len(posts) == 3


async def test_the_same_words_again_after_six_megabytes_are_posted_once(settings: ServerSettings) -> None:
    session_id = await session_of(settings, [*ASKED_TWICE, *SIX_MIB])
    never_arrived = Post(text=WHERE, key="turn-3", alike=2, first_try=False)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        outcome = await exchange.post(line, never_arrived, nobody_looks, CALM)
        again = await exchange.post(line, never_arrived, nobody_looks, CALM)
        posts = [one for one in await line.history() if isinstance(one, UserPosted) and one.text == WHERE]

    assert isinstance(outcome, Replied)
    assert outcome == again
    assert len(posts) == 3


async def test_a_message_longer_than_a_page_hides_nothing_from_the_gateway(settings: ServerSettings) -> None:
    small = settings.model_copy(update={"limits": Limits(max_page_bytes=64 * KIB)})
    said = [*ASKED_TWICE, ("user", BIG), ("agent", "Thank you."), ("user", BIG)]
    session_id = await session_of(small, said)

    async with serving(small) as url, client_of(url) as client, client.attach(session_id) as line:
        answer = await asked_for(small, url, session_id)
        entries = await line.history()

    assert answer["messages"] == []
    assert answer["omitted"] == len(said)
    assert [getattr(one, "text", "") for one in entries] == [text for _, text in said]


@pytest.mark.parametrize("before", ["message_1", 7])
async def test_a_page_before_a_message_there_is_not_is_refused(settings: ServerSettings, before: str) -> None:
    session_id = await session_of(settings, ASKED_TWICE)

    async with serving(settings) as url:
        answer = await asked_for(settings, url, session_id, before=before)

    assert answer["type"] == "error"
    assert answer["error"].startswith("before")


async def test_a_message_of_somebody_elses_session_is_no_place_to_begin(settings: ServerSettings) -> None:
    theirs, ours = await session_of(settings, ASKED_TWICE), await session_of(settings, ASKED_TWICE)

    async with serving(settings) as url:
        place = (await asked_for(settings, url, theirs))["messages"][-1]["id"]
        answer = await asked_for(settings, url, ours, before=place)

    assert answer["type"] == "error"


@pytest.mark.parametrize("again", [(user(),), ()])
async def test_a_platform_that_says_there_is_more_and_never_gives_it_is_not_believed(again: Sequence[Frame]) -> None:
    more = frames.messages("s1", [user()], omitted=3)
    script = [*connects(), Gets("get_messages"), more, *tells(*again)]

    async with platform(script) as far, far.client.attach("s1") as line:
        with pytest.raises(AgentUnavailable, match="does not give it"):
            await line.history()

    assert [frame.get("before") for frame in far.got if frame["type"] == "get_messages"] == [None, "u-1"]


async def test_a_client_that_asks_ahead_gets_every_answer(settings: ServerSettings) -> None:
    session_id = await session_of(settings, SIX_MIB)

    async with serving(settings) as url:
        headers = {"Authorization": "Bearer key-1"}
        where = AgentSettings(url=url).socket_url
        async with connect(where, additional_headers=headers, max_size=SDK_FRAME_BYTES, proxy=None) as socket:
            wire = Wire(socket)
            await wire.send(frames.connect_session(session_id), *[frames.get_messages(session_id)] * 4)
            answers = [await wire.next() for _ in range(5)]

    assert [answer["type"] for answer in answers] == ["connect_session", *["get_messages"] * 4]


class Unread:
    """The socket of a client that reads when it likes."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.got: list[str] = []

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        self.got.append(text)


async def test_the_next_page_is_not_made_before_the_last_one_is_read() -> None:
    socket: Any = Unread()
    outflow = Outflow(socket, max_waiting=2)
    writing = asyncio.create_task(outflow.write())
    outflow.send(frames.pong("s1"))
    free = asyncio.create_task(outflow.all_written())
    done, _ = await asyncio.wait([free], timeout=0.01)
    assert not done

    socket.reads.set()
    await free

    assert len(socket.got) == 1
    writing.cancel()


async def nobody_looks() -> None:
    """The lane is ours."""
