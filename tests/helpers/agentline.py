"""In front of an agent server: sees the frames of the session protocol, may hold them back, and can drop the lines."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from config.serving import bind, serving
from tests.helpers.halt import Halt
from tests.helpers.process import plain_client

MAX_FRAME = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame on its way. `tap` is whose line it is on, `at` by the monotonic clock."""

    tap: str
    to_agent: bool
    frame: dict[str, Any]
    at: float

    @property
    def type(self) -> str:
        """The frame's type, or the status or the kind of content it tells of."""
        message = self.frame.get("message") or {}
        kind = self.frame["type"]
        if kind == "participant_status":
            return str(message["status"])
        return str(message["content"]["type"]) if kind == "message_notification" else str(kind)

    @property
    def session(self) -> str:
        return str(self.frame.get("session_id", ""))

    @property
    def is_post(self) -> bool:
        return self.to_agent and self.type == "post_message" and "parent_message_id" not in self.frame

    @property
    def is_answer(self) -> bool:
        """To a request for approval."""
        return self.to_agent and self.type == "post_message" and "parent_message_id" in self.frame

    @property
    def is_post_ack(self) -> bool:
        """Of a message or of an answer: the protocol does not tell them apart."""
        return not self.to_agent and self.type == "post_message"


class Tap:
    """`url` is an AGENT__URL. `seen` is what was passed on, in order. Made by `tapped`."""

    def __init__(self, name: str, there: str) -> None:
        self.name = name
        self.url = ""
        self.seen: list[Seen] = []
        self.halt: Halt[Seen] | None = None
        self.breaks_at: Callable[[Seen], bool] = lambda _: False
        self._there = there
        self._lines: set[asyncio.Task[Any]] = set()
        self.app = Starlette(
            routes=[WebSocketRoute("/v1/ws/session", self._session), Route("/v1/{rest:path}", self._rest)]
        )

    def drop(self) -> None:
        """Close every line."""
        for line in self._lines:
            line.cancel()

    def passed(self, is_it: Callable[[Seen], bool]) -> list[Seen]:
        return [one for one in self.seen if is_it(one)]

    async def _rest(self, request: Request) -> Response:
        async with plain_client() as client:
            answer = await client.get(f"{self._there}/{request.path_params['rest']}", params=request.query_params)
        return Response(answer.content, answer.status_code, media_type="application/json")

    async def _session(self, websocket: WebSocket) -> None:
        headers = {name: websocket.headers[name] for name in ("authorization",) if name in websocket.headers}
        there = self._there.replace("http", "ws", 1) + "/ws/session"
        try:
            socket = await connect(
                there, additional_headers=headers, proxy=None, max_size=MAX_FRAME, compression=None, close_timeout=1
            )
        except (OSError, InvalidHandshake, EOFError):
            await websocket.send_denial_response(Response("the agent server is away", 502))
            return
        try:
            await websocket.accept()
            await self._until_closed(websocket, socket)
        finally:
            socket.transport.abort()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it is closed already
            await websocket.close(1011)

    async def _until_closed(self, here: WebSocket, there: ClientConnection) -> None:
        pumps = [asyncio.create_task(self._up(here, there)), asyncio.create_task(self._down(here, there))]
        self._lines.update(pumps)
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._lines.difference_update(pumps)

    async def _up(self, here: WebSocket, there: ClientConnection) -> None:
        with contextlib.suppress(WebSocketDisconnect, ConnectionClosed):
            while await self._goes_on(text := await here.receive_text(), to_agent=True):
                await there.send(text)

    async def _down(self, here: WebSocket, there: ClientConnection) -> None:
        with contextlib.suppress(WebSocketDisconnect, ConnectionClosed, RuntimeError):
            async for text in there:
                assert isinstance(text, str)
                if not await self._goes_on(text, to_agent=False):
                    return
                await here.send_text(text)

    async def _goes_on(self, text: str, *, to_agent: bool) -> bool:
        one = Seen(self.name, to_agent, json.loads(text), time.monotonic())
        if self.breaks_at(one):
            return False
        if self.halt is not None and not await self.halt.pass_by(one):
            return False
        self.seen.append(one)
        return True


@contextlib.asynccontextmanager
async def tapped(there: str, name: str = "tap") -> AsyncIterator[Tap]:
    """`there` is the agent server's REST base."""
    tap, listening = Tap(name, there), bind("127.0.0.1", 0)
    tap.url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    async with serving(tap.app, listening):
        try:
            yield tap
        finally:
            tap.drop()
