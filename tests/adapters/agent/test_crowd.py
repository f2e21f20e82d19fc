"""Three hundred people at once on the embedded server, in a process of its own, each with a session and a socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from adapters.agent.client import AgentClient
from adapters.agent.server.app import ServerSettings
from gateway.events import Replied, UserPosted
from gateway.ports import AgentLine
from tests.adapters.agent.world import client_of, reply, say, streamed
from tests.helpers.house import agents_in
from tests.helpers.process import Gateway, running

PEOPLE = 300
WITHIN_S = 150.0


@pytest.fixture
async def server(settings: ServerSettings, tmp_path: Path) -> AsyncIterator[Gateway]:
    async with running(agents_in(tmp_path, settings.database_url)) as process:
        yield process


async def session(stack: AsyncExitStack, client: AgentClient) -> AgentLine:
    return await stack.enter_async_context(client.attach(await client.open_session("support")))


@pytest.mark.long
async def test_three_hundred_people_at_once_each_get_their_own_reply(server: Gateway) -> None:
    url = f"{server.url}/v1"
    async with client_of(url, most=PEOPLE, reply_within_s=WITHIN_S) as client, AsyncExitStack() as stack:
        lines = await asyncio.gather(*(session(stack, client) for _ in range(PEOPLE)))

        async with asyncio.timeout(WITHIN_S):
            turns = await asyncio.gather(*(say(line, f"I am number {n}.") for n, line in enumerate(lines)))

        assert [f"number {n}." in reply(turn) for n, turn in enumerate(turns)] == [True] * PEOPLE
        assert [streamed(turn) for turn in turns] == [reply(turn) for turn in turns]
        histories = [await line.history() for line in lines]
    assert {tuple(type(entry) for entry in history) for history in histories} == {(UserPosted, Replied)}
    assert "WARNING" not in server.log()
    assert "ERROR" not in server.log()
