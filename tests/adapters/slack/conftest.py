"""The real Slack adapter between a door that writes down and a Slack that answers as it is told."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from adapters.slack.channel import SlackChannel
from adapters.slack.settings import SlackSettings
from tests.adapters.doors import Call, OutsideSystem, RecordingDoor, nobody_listens

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


class FakeSlack(OutsideSystem):
    """The Web API below `api/`, and the addresses of clicks below `click/`."""

    def usual(self, call: Call) -> Response:
        return JSONResponse({"ok": True, "channel": call.told.get("channel", ""), "ts": "7.0001"})

    def methods(self) -> list[str]:
        return [call.what.removeprefix("api/") for call in self.calls]

    def refuses(self, method: str, error: str, status: int = 200, **headers: str) -> None:
        self.will_answer(f"api/{method}", {"ok": False, "error": error}, status, headers)


class Clock:
    """It stands until somebody moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class SlackSide:
    """What Slack does to us: it signs a body and posts it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def posts(
        self, body: bytes, kind: str = "application/json", *, signed: bool = True, **headers: str
    ) -> httpx.Response:
        proof = {}
        if signed:
            stamp = str(int(NOW.timestamp()))
            digest = hmac.new(SECRET.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
            proof = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
        return await self._http.post("/slack/events", content=body, headers={"Content-Type": kind, **proof, **headers})

    async def sends(self, body: Any) -> httpx.Response:
        return await self.posts(json.dumps(body).encode())

    async def interacts(self, payload: Any) -> httpx.Response:
        return await self.fills_in({"payload": json.dumps(payload)})

    async def fills_in(self, form: dict[str, Any]) -> httpx.Response:
        return await self.posts(urlencode(form).encode(), "application/x-www-form-urlencoded")


@asynccontextmanager
async def slack_at(base: str, clock: Callable[[], datetime] = lambda: NOW) -> AsyncIterator[SlackChannel]:
    settings = SlackSettings(signing_secret=SecretStr(SECRET), bot_token=SecretStr("xoxb-test"), api_url=base)
    channel = SlackChannel(settings, clock=clock)
    try:
        yield channel
    finally:
        await channel.aclose()


@asynccontextmanager
async def side_of(channel: SlackChannel, door: RecordingDoor) -> AsyncIterator[SlackSide]:
    transport = httpx.ASGITransport(Starlette(routes=list(channel.routes(door))), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as http:
        yield SlackSide(http)


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    fake = FakeSlack()
    async with fake.open():
        yield fake


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@pytest.fixture
def standing() -> Clock:
    return Clock()


@pytest.fixture
async def channel(slack: FakeSlack, standing: Clock) -> AsyncIterator[SlackChannel]:
    async with slack_at(f"{slack.base}/api", standing) as made:
        yield made


@pytest.fixture
async def slack_side(channel: SlackChannel, door: RecordingDoor) -> AsyncIterator[SlackSide]:
    async with side_of(channel, door) as side:
        yield side


@pytest.fixture
async def gate(door: RecordingDoor) -> AsyncIterator[SlackSide]:
    """As `slack_side`, where nothing is asked of Slack in return: its Web API is not there."""
    async with slack_at(nobody_listens()) as channel, side_of(channel, door) as side:
        yield side
