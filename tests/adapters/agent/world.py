"""The embedded agent server on a real port, clients of it, and what a person would do with them."""

import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette

from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server.app import ServerSettings, build
from gateway.events import AgentEvent, AgentStatus, ApprovalAsked, Delta, Replied, StatusChanged, TurnFailed
from gateway.ports import AgentLine

AGENTS = Path(__file__).parents[3] / "config" / "agents"
REFUND = "Please refund order A-1001, $40."
PROCESSING = StatusChanged(status=AgentStatus.PROCESSING)
IDLE = StatusChanged(status=AgentStatus.IDLE)
AWAITING = StatusChanged(status=AgentStatus.AWAITING_APPROVAL)


@asynccontextmanager
async def serving_app(app: Starlette) -> AsyncIterator[str]:
    """The REST base of an embedded server that runs until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="on",
            ws="websockets-sansio",
            ws_max_size=64 * 1024 * 1024,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        config.load()
        server.lifespan = config.lifespan_class(config)
        # Not serve(): its loop ticks ten times a second, which every test here would wait for.
        await server.startup(sockets=[listening])
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            await server.shutdown(sockets=[listening])


def serving(settings: ServerSettings) -> contextlib.AbstractAsyncContextManager[str]:
    return serving_app(build(settings))


@asynccontextmanager
async def client_of(url: str, key: str = "key-1", **options: float) -> AsyncIterator[AgentClient]:
    client = AgentClient(AgentSettings(url=url, api_key=SecretStr(key)), **options)
    try:
        yield client
    finally:
        await client.aclose()


async def rest_of_turn(line: AgentLine) -> list[AgentEvent]:
    """From Processing to the end of the turn, or to where it parks."""
    seen: list[AgentEvent] = []
    async for event in line.events():
        if event == PROCESSING:
            seen = []
        seen.append(event)
        if seen[0] == PROCESSING and event in (IDLE, AWAITING):
            return seen
    raise AssertionError("events never end by themselves")


async def say(line: AgentLine, text: str, *, name: str = "") -> list[AgentEvent]:
    await line.post(text, client_message_id=name or f"posted:{text}")
    return await rest_of_turn(line)


async def parked(settings: ServerSettings, text: str = REFUND) -> tuple[str, str]:
    """A session that waits for an approval, and the request's id; its server has stopped."""
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            return session_id, asked(await say(line, text)).message_id


def reply(events: list[AgentEvent]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Replied))


def streamed(events: list[AgentEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def asked(events: list[AgentEvent]) -> ApprovalAsked:
    return asked_all(events)[0]


def asked_all(events: list[AgentEvent]) -> list[ApprovalAsked]:
    return [event for event in events if isinstance(event, ApprovalAsked)]


def failure(events: list[AgentEvent]) -> str:
    return "".join(event.error for event in events if isinstance(event, TurnFailed))
