"""A client that speaks in bare frames."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from adapters.agent import frames
from adapters.agent.client import AgentSettings

Frame = dict[str, Any]


class Wire:
    """A socket that speaks in frames."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, *sent: Frame) -> None:
        for frame in sent:
            await self.socket.send(frames.encode(frame))

    async def next(self) -> Frame:
        frame = json.loads(await self.socket.recv())
        assert isinstance(frame, dict)
        return frame

    async def until(self, status: str) -> list[Frame]:
        seen = []
        while True:
            seen.append(await self.next())
            if seen[-1]["type"] == "participant_status" and seen[-1]["message"]["status"] == status:
                return seen

    async def session(self, agent: str = "support") -> str:
        await self.send(frames.create_session(agent))
        session_id = str((await self.next())["session_id"])
        await self.send(frames.connect_session(session_id))
        assert (await self.next())["success"] is True
        return session_id


@asynccontextmanager
async def wired(url: str, key: str = "key-1") -> AsyncIterator[Wire]:
    headers = {"Authorization": f"Bearer {key}"}
    async with connect(AgentSettings(url=url).socket_url, additional_headers=headers, proxy=None) as socket:
        yield Wire(socket)


def kinds(seen: list[Frame]) -> list[str]:
    """What came, in order; a run of deltas counts once."""
    named: list[str] = []
    for frame in seen:
        kind = frame["type"]
        if kind == "message_notification":
            content = frame["message"]["content"]
            kind = " ".join(filter(None, (content["type"], content.get("status"))))
        elif kind == "participant_status":
            kind = frame["message"]["status"]
        if kind != "message_delta" or named[-1:] != ["message_delta"]:
            named.append(kind)
    return named
