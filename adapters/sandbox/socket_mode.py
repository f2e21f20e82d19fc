"""Slack's end of Socket Mode: it tells an app where to connect, hands envelopes over, and sends again what it must.

Used where the app has an app token; without one the sandbox posts signed requests. A real WebSocket throughout.
"""

import asyncio
import contextlib
import secrets
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from adapters.sandbox.errors import GatewayAway
from adapters.sandbox.settings import SandboxSettings

TRIES = 4


class SocketMode:
    """`lines` are the open ones, the oldest first; `deliveries` what was sent, each time."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._tickets: set[str] = set()
        self._news = asyncio.Condition()
        self._sent: dict[str, tuple[WebSocket, asyncio.Future[dict[str, Any] | None]]] = {}
        self.lines: list[WebSocket] = []
        self.deliveries: list[dict[str, Any]] = []
        self.refusals = 0

    @property
    def api_url(self) -> str:
        return f"{self._settings.base}/sandbox/slack/api/"

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/slack/api/apps.connections.open", self._open, methods=["POST"]),
            WebSocketRoute("/slack/socket/{ticket}", self._talk),
        ]

    async def connected(self, count: int = 1) -> None:
        """Wait until so many lines are open."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.lines) == count)

    async def delivered(self, count: int) -> None:
        """Wait until so many envelopes were sent."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.deliveries) >= count)

    async def take_back(self, reason: str = "refresh_requested") -> None:
        """Ask every app for a new line; Slack does so every few hours."""
        for line in list(self.lines):
            await line.send_json({"type": "disconnect", "reason": reason})

    async def hang_up(self) -> None:
        """Close every line without a word."""
        for line in list(self.lines):
            await line.close(1001)

    async def deliver(self, kind: str, payload: dict[str, Any]) -> httpx.Response:
        """Hand it over until it is acknowledged; the answer as if it had been posted. Raises `GatewayAway`."""
        for attempt in range(TRIES):
            envelope: dict[str, Any] = {"type": kind, "envelope_id": secrets.token_hex(16), "payload": payload}
            envelope["accepts_response_payload"] = kind != "events_api"
            if attempt:
                envelope |= {"retry_attempt": attempt, "retry_reason": "timeout"}
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.socket_patience_s):
                    if (answer := await self._hand_over(envelope)) is not None:
                        return httpx.Response(200, **({"json": answer["payload"]} if "payload" in answer else {}))
        raise GatewayAway("nobody acknowledged the envelope")

    async def _hand_over(self, envelope: dict[str, Any]) -> dict[str, Any] | None:
        """What was acknowledged. None: the line was lost."""
        async with self._news:
            await self._news.wait_for(lambda: self.lines)
            line, acknowledged = secrets.choice(self.lines), asyncio.get_running_loop().create_future()
            self._sent[envelope["envelope_id"]] = line, acknowledged
            self.deliveries.append(envelope)
            self._news.notify_all()
        try:
            await line.send_json(envelope)
            return await acknowledged  # type: ignore[no-any-return]
        except (RuntimeError, WebSocketDisconnect):  # closed meanwhile
            return None
        finally:
            del self._sent[envelope["envelope_id"]]

    async def _open(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not self._settings.slack_app_token or given != self._settings.slack_app_token:
            self.refusals += 1
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        there = self._settings.base.removeprefix("http")
        return JSONResponse({"ok": True, "url": f"ws{there}/sandbox/slack/socket/{ticket}"})

    async def _talk(self, line: WebSocket) -> None:
        if line.path_params["ticket"] not in self._tickets:
            await line.close(4001)
            return
        self._tickets.discard(line.path_params["ticket"])
        await line.accept()
        await line.send_json({"type": "hello", "num_connections": len(self.lines) + 1})
        await self._count(line, there=True)
        try:
            while True:
                said = await line.receive_json()
                _, acknowledged = self._sent.get(said.get("envelope_id"), (None, None))
                if acknowledged is not None and not acknowledged.done():
                    acknowledged.set_result(said)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            await self._count(line, there=False)

    async def _count(self, line: WebSocket, *, there: bool) -> None:
        async with self._news:
            if there:
                self.lines.append(line)
            else:
                self.lines.remove(line)
                for on, acknowledged in self._sent.values():
                    if on is line and not acknowledged.done():
                        acknowledged.set_result(None)
            self._news.notify_all()
