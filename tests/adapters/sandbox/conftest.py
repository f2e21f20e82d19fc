"""A sandbox and a tiny gateway behind one real server, and the real clients that talk to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import uvicorn
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from adapters.sandbox import Sandbox, SandboxSettings

ACCOUNT = "AC" + "0" * 32
AUTH_TOKEN = "sms-secret"
SIGNING_SECRET = "slack-secret"
BOT_TOKEN = "xoxb-sandbox"

Answer = Callable[[dict[str, Any]], Awaitable[Response]]


@dataclass
class Got:
    """One request the gateway received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        pairs = parse_qs(self.body.decode(), keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    @property
    def payload(self) -> dict[str, Any]:
        return json.loads(self.form["payload"] if self.body.startswith(b"payload=") else self.body)


@dataclass
class TinyGateway:
    """Keeps what it gets, answers as scripted: by the type of Slack's payload, or by path."""

    got: list[Got] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    def routes(self) -> list[Route]:
        paths = ("/sms/inbound", "/sms/status", "/slack/events")
        return [Route(path, self.take, methods=["POST"]) for path in paths]

    async def take(self, request: Request) -> Response:
        got = Got(request.url.path, dict(request.headers), await request.body())
        async with self.arrived:
            self.got.append(got)
            self.arrived.notify_all()
        slack = got.path == "/slack/events"
        answer = self.answers.get(got.payload["type"] if slack else got.path)
        return await answer(got.payload if slack else got.form) if answer else Response("")

    async def wait_for(self, count: int, path: str) -> list[Got]:
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.at(path)) >= count)
        return self.at(path)

    def at(self, path: str) -> list[Got]:
        return [one for one in self.got if one.path == path]


@dataclass
class World:
    url: str
    sandbox: Sandbox
    gateway: TinyGateway
    slack: AsyncWebClient
    twilio: Client
    clock: "Clock"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "sandbox.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settings_for(state_path: Path, url: str) -> SandboxSettings:
    return SandboxSettings(
        gateway_url=url,
        public_url=url,
        state_path=state_path,
        slack_signing_secret=SIGNING_SECRET,
        slack_bot_token=BOT_TOKEN,
        sms_account_sid=ACCOUNT,
        sms_auth_token=AUTH_TOKEN,
    )


@pytest.fixture
async def world(state_path: Path, clock: Clock) -> AsyncIterator[World]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    sandbox, gateway = Sandbox(settings_for(state_path, url), clock=clock), TinyGateway()
    app = Starlette(routes=[*gateway.routes(), *sandbox.routes()])
    config = uvicorn.Config(app, log_config=None, ws="websockets-sansio", timeout_graceful_shutdown=1)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Not serve(): its loop ticks ten times a second, which every test here would wait for.
    await server.startup(sockets=[listening])
    http = AsyncTwilioHttpClient(timeout=5)
    twilio = Client(ACCOUNT, AUTH_TOKEN, http_client=http)
    twilio.api.base_url = f"{url}/sandbox/twilio"
    slack = AsyncWebClient(BOT_TOKEN, base_url=f"{url}/sandbox/slack/api/")
    try:
        yield World(url, sandbox, gateway, slack, twilio, clock)
    finally:
        await http.close()
        sandbox.stop_waiting()
        await server.shutdown(sockets=[listening])
        await sandbox.aclose()
