"""The servers that are measured, each in a process of its own, and how one speaks with them over bare WebSockets."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect

from adapters.agent import frames
from adapters.agent.frames import Frame
from bench.agent_bare import AGENT, SERVED
from bench.agent_crowd import Opens, TurnLost
from gateway.events import AgentStatus
from tests.helpers.process import Gateway, running

START_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    pid: int
    opens: Opens


@asynccontextmanager
async def gatehouse(database_url: str, folder: Path) -> AsyncIterator[Server]:
    """`gateway agents serve` on this database."""
    here = Gateway(folder, command="agents serve", name="agents", AGENT_SERVER__DATABASE_URL=database_url)
    async with running(here):
        yield Server(here.pid, partial(_session, f"ws://127.0.0.1:{here.port}/v1/ws/session"))


@asynccontextmanager
async def bare(folder: Path) -> AsyncIterator[Server]:
    """See `agent_bare`."""
    with (folder / "bare.log").open("ab") as log:
        words = (sys.executable, "-P", "-m", "bench.agent_bare")
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_S):
            said = (await process.stdout.readline()).decode().split()
        if said[:1] != [SERVED]:
            raise RuntimeError("the bare server did not start")
        yield Server(process.pid, partial(_plain, f"ws://127.0.0.1:{said[1]}/"))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


class Session:
    """A socket of our protocol, connected to a session of its own."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._id = ""

    async def begin(self) -> None:
        await self._send(frames.create_session(AGENT))
        self._id = str((await self._next())["session_id"])
        await self._send(frames.connect_session(self._id))
        if not (await self._next())["success"]:
            raise TurnLost("the session was refused")

    async def ask(self, words: str) -> AsyncIterator[str]:
        await self._send(frames.post_message(self._id, words, client_message_id="1"))
        replied = False
        while True:
            match await self._next():
                case {"type": "message_delta", "value": str(piece)}:
                    yield piece
                case {"type": "message_notification", "message": {"content": {"type": "data_type_message"}}}:
                    replied = True
                case {"type": "participant_status", "message": {"status": AgentStatus.IDLE}}:
                    break
                case {"success": False} | {"type": "error"}:
                    raise TurnLost("it was refused")
        if not replied:
            raise TurnLost("it failed")

    async def _send(self, frame: Frame) -> None:
        await self._socket.send(frames.encode(frame))

    async def _next(self) -> Frame:
        return frames.decode(str(await self._socket.recv()))


class Plain:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def ask(self, words: str) -> AsyncIterator[str]:
        await self._socket.send(words)
        while piece := json.loads(await self._socket.recv())["delta"]:
            yield piece


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[Session]:
    async with _socket(url) as socket:
        session = Session(socket)
        await session.begin()
        yield session


@asynccontextmanager
async def _plain(url: str) -> AsyncIterator[Plain]:
    async with _socket(url) as socket:
        yield Plain(socket)


@asynccontextmanager
async def _socket(url: str) -> AsyncIterator[ClientConnection]:
    # As the gateway's own client does; patient, since everybody comes at once.
    async with connect(url, compression=None, proxy=None, open_timeout=START_S, ping_timeout=START_S) as socket:
        yield socket
