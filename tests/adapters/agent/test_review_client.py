"""A line that is of no more use is left: one that is not at rest, one nobody reads, one that cannot be dialled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from adapters.agent import frames
from gateway.errors import AgentRefused, AgentUnavailable
from gateway.events import AgentStatus, Confirm, Replied
from gateway.history import Post
from tests.adapters.agent.script import (
    ANSWERS,
    HURRIED,
    IDLE,
    POST,
    PROCESSING,
    Gets,
    Step,
    Waits,
    answered,
    connects,
    platform,
    posted,
    reply,
    request,
    says,
    takes,
    takes_answer,
    tells,
    user,
)
from tests.adapters.agent.test_script_lines import comes
from tests.adapters.agent.world import client_of

FIRST = Replied(message_id="m-1", text="On its way.")
SECOND = Replied(message_id="m-2", text="Tomorrow.")
WHEN = Post(text="When?", key="turn-2", alike=0, first_try=True, known=frozenset({"m-1"}))
ANSWERS_WHEN: list[Step] = [*takes("When?"), PROCESSING, says(reply("Tomorrow.", "m-2")), IDLE]
PARKED = connects(AgentStatus.AWAITING_APPROVAL)


# --- a line that never said that its session is free -------------------------------------------------------


@pytest.mark.parametrize("heard", [[], [PROCESSING]])
async def test_a_customer_need_not_wait_where_the_last_reply_came_from_the_history(heard: list[Step]) -> None:
    silent = [*connects(), *takes(), *heard, *tells(user(), reply())]
    async with platform(silent, [*connects(), *ANSWERS_WHEN]) as far:
        assert await posted(far, POST, HURRIED) == FIRST
        assert await posted(far, WHEN, HURRIED) == SECOND


async def test_a_customer_need_not_wait_where_the_rest_of_an_answered_turn_came_from_the_history() -> None:
    done = tells(user(), request("a-1", "approved"), reply())
    silent = [*PARKED, *tells(user(), request("a-1")), *takes_answer(), *done]
    async with platform(silent, [*connects(), *ANSWERS_WHEN]) as far:
        assert await answered(far, ("a-1", Confirm(arguments={"amount": 40})), patience=HURRIED) == FIRST
        assert await posted(far, WHEN, HURRIED) == SECOND


async def test_what_comes_while_nobody_uses_a_line_is_not_kept() -> None:
    more = [says(reply("x" * 1000, f"n-{n}")) for n in range(50)]
    unused = asyncio.Event()
    async with platform([*connects(), *takes(), *ANSWERS, Waits(unused), *more, PROCESSING]) as far:
        assert await posted(far) == FIRST
        kept = far.client._lines._idle["s1"].line
        unused.set()
        await comes(lambda: kept.status is AgentStatus.PROCESSING)
        assert len(kept.inflow._waiting) == 0


# --- a platform that reads nothing -------------------------------------------------------------------------


@asynccontextmanager
async def deaf_platform() -> AsyncIterator[str]:
    """It connects a session, and then reads no more."""
    over = asyncio.Event()

    async def deaf(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send(frames.encode(frames.connect_ack("s1", status=AgentStatus.IDLE)))
        socket.transport.pause_reading()
        await over.wait()
        socket.transport.abort()

    async with serve(deaf, "127.0.0.1", 0, max_size=None) as server:
        try:
            yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1"
        finally:
            over.set()


@pytest.mark.long
async def test_a_platform_that_reads_nothing_holds_nobody_for_ever() -> None:
    async with deaf_platform() as url, client_of(url, reply_within_s=0.3) as client, asyncio.timeout(30):
        with pytest.raises(AgentUnavailable, match="in time"):
            async with client.attach("s1") as line:
                await line.post("x" * 30_000_000, client_message_id="c")


# --- what a platform may say -------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [600, 900])
async def test_a_frame_that_is_nested_too_deeply_is_passed_over(depth: int) -> None:
    deep = '{"type": "message_delta", "x": ' + "[" * depth + "]" * depth + "}"
    async with platform([*connects(), *takes(), PROCESSING, deep, *ANSWERS[1:]]) as far:
        assert await posted(far, tries=0) == FIRST


async def test_an_acknowledgement_that_names_no_session_is_one() -> None:
    acked: list[Step] = [Gets("post_message"), {"type": "post_message", "session_id": None, "success": True}]
    async with platform([*connects(), *acked, *ANSWERS]) as far:
        assert await posted(far) == FIRST


# --- settings that cannot be dialled -----------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://a..b.example/v1", "http://127.0.0.1:99999/v1"])
async def test_an_address_that_cannot_be_dialled_is_refused_by_the_name_of_its_setting(url: str) -> None:
    async with client_of(url, reply_within_s=2) as client:
        with pytest.raises(AgentRefused, match="AGENT__URL"):
            await client.open_session("support")
