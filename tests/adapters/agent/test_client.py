"""The client against a platform that misbehaves in every way a network can."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from adapters.agent import frames
from adapters.agent.client import AgentClient, AgentSettings
from gateway.errors import AgentRefused, AgentUnavailable, GatewayError, SessionGone
from gateway.events import AgentStatus, Confirm, Deny, Replied
from gateway.ports import AgentLine
from tests.adapters.agent.world import client_of

Script = Callable[[ServerConnection], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, **options: Any) -> AsyncIterator[AgentClient]:
    """A client of a platform that does what the script does on each socket."""
    async with serve(script, "127.0.0.1", 0, **options) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client_of(f"http://127.0.0.1:{port}/v1", reply_within_s=5) as client:
            yield client


async def received(socket: ServerConnection) -> frames.Frame:
    """The next frame that is not a ping."""
    while (frame := json.loads(await socket.recv()))["type"] == "ping_session":
        pass
    assert isinstance(frame, dict)
    return frame


async def connects(socket: ServerConnection) -> None:
    assert (await received(socket))["type"] == "connect_session"
    await socket.send(frames.encode(frames.connect_ack("s1", status=AgentStatus.IDLE)))


async def unused(socket: ServerConnection) -> None:
    await socket.wait_closed()


def own_tasks() -> set[str]:
    return {task.get_coro().__qualname__ for task in asyncio.all_tasks() if task.get_coro()} & {  # type: ignore[union-attr]
        "Line.read",
        "_ping",
    }


@pytest.mark.parametrize(
    ("url", "ws_url", "expected"),
    [
        ("http://127.0.0.1:8765/v1", None, "ws://127.0.0.1:8765/v1/ws/session"),
        ("https://api.example.com/v1/", None, "wss://api.example.com/v1/ws/session"),
        ("https://api.example.com/v1", "wss://ws.example.com", "wss://ws.example.com/ws/session"),
    ],
)
def test_the_socket_is_below_the_rest_base_unless_it_is_said(url: str, ws_url: str | None, expected: str) -> None:
    assert AgentSettings(url=url, ws_url=ws_url).socket_url == expected


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AgentRefused), (403, AgentRefused), (404, AgentRefused), (429, AgentUnavailable), (503, AgentUnavailable)],
)
async def test_a_refused_upgrade_is_for_good_only_when_it_is_about_us(status: int, error: type[GatewayError]) -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(HTTPStatus(status), "no")

    async with scripted(unused, process_request=refuse) as client:
        with pytest.raises(error):
            await client.open_session("support")


async def test_a_platform_that_is_not_there_is_unavailable() -> None:
    async with client_of("http://127.0.0.1:1/v1") as client:
        with pytest.raises(AgentUnavailable):
            await client.open_session("support")

        [finding] = await client.check()
        assert not finding.ok


async def test_the_key_goes_with_the_upgrade() -> None:
    keys = []

    def note(socket: ServerConnection, request: Request) -> None:
        keys.append(request.headers.get("Authorization"))

    async def creates(socket: ServerConnection) -> None:
        await received(socket)
        await socket.send(frames.encode(frames.session_created("s1")))

    async with scripted(creates, process_request=note) as client:
        assert await client.open_session("support") == "s1"

    assert keys == ["Bearer key-1"]
    assert AgentSettings(url="http://x", api_key=SecretStr("k")).headers == {"Authorization": "Bearer k"}
    assert AgentSettings(url="http://x").headers == {}


async def test_an_agent_nobody_knows_is_refused() -> None:
    async def refuses(socket: ServerConnection) -> None:
        await received(socket)
        await socket.send(frames.encode(frames.error("unknown agent", request_type="create_session")))

    async with scripted(refuses) as client:
        with pytest.raises(AgentRefused, match="unknown agent"):
            await client.open_session("support")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("unknown session", SessionGone),
        ("Session not found", SessionGone),
        ("its agent was deleted", SessionGone),
        ("suspended", AgentRefused),
        ("agents are suspended", AgentRefused),
    ],
)
async def test_a_failed_connect_says_whether_the_session_is_gone(said: str, error: type[GatewayError]) -> None:
    async def refuses(socket: ServerConnection) -> None:
        await received(socket)
        await socket.send(frames.encode(frames.connect_ack("s1", error=said)))
        await socket.wait_closed()

    async with scripted(refuses) as client:
        with pytest.raises(error):
            async with client.attach("s1"):
                pass

    assert own_tasks() == set()


DEEDS: dict[str, Callable[[AgentLine], Awaitable[Any]]] = {
    "post": lambda line: line.post("Hi", client_message_id="c1"),
    "answer": lambda line: line.answer("m1", Confirm()),
    "history": lambda line: line.history(),
    "events": lambda line: anext(line.events()),
}


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_line_lost_before_the_reply_ends_every_wait(deed: str) -> None:
    async def hangs_up(socket: ServerConnection) -> None:
        await connects(socket)
        if deed != "events":
            await received(socket)
        await socket.close()

    async with scripted(hangs_up) as client, client.attach("s1") as line:
        with pytest.raises(AgentUnavailable):
            await DEEDS[deed](line)
        with pytest.raises(AgentUnavailable):
            await line.history()


async def test_a_platform_that_never_replies_is_unavailable() -> None:
    async with scripted(unused) as client:
        client._reply_within_s = 0.05
        with pytest.raises(AgentUnavailable):
            async with client.attach("s1"):
                pass

    assert own_tasks() == set()


async def test_a_refused_post_is_refused() -> None:
    async def refuses(socket: ServerConnection) -> None:
        await connects(socket)
        await received(socket)
        await socket.send(frames.encode(frames.post_ack("post_message", "s1", error="no")))
        await socket.wait_closed()

    async with scripted(refuses) as client, client.attach("s1") as line:
        with pytest.raises(AgentRefused):
            await line.post("Hi", client_message_id="c1")


@pytest.mark.parametrize("said", ["already answered", "This request was Already Answered."])
async def test_an_answer_that_was_given_before_counts_as_taken(said: str) -> None:
    async def refuses(socket: ServerConnection) -> None:
        await connects(socket)
        await received(socket)
        await socket.send(frames.encode(frames.post_ack("post_message", "s1", error=said)))
        await socket.wait_closed()

    async with scripted(refuses) as client, client.attach("s1") as line:
        await line.answer("m1", Deny(reason="no"))


async def test_frames_nobody_understands_are_passed_over() -> None:
    async def babbles(socket: ServerConnection) -> None:
        await connects(socket)
        await received(socket)
        for text in ("", "{", '{"type": "new"}', '{"type": "message_delta"}', '{"type": "message_notification"}'):
            await socket.send(text)
        await socket.send(b"\xff")
        message = {"id": "m1", "content": frames.complete("Hi.")}
        await socket.send(frames.encode(frames.message_notification("s1", message)))
        await socket.send(frames.encode(frames.post_ack("post_message", "s1")))
        await socket.wait_closed()

    async with scripted(babbles) as client, client.attach("s1") as line:
        await line.post("Hi", client_message_id="c1")

        assert await anext(line.events()) == Replied(message_id="m1", text="Hi.")


async def test_a_reply_nobody_waits_for_any_more_is_not_taken_for_the_next_one() -> None:
    asked = asyncio.Event()

    async def replies_late(socket: ServerConnection) -> None:
        await connects(socket)
        await received(socket)
        asked.set()
        await received(socket)
        await socket.send(frames.encode(frames.post_ack("post_message", "s1", error="the first")))
        await socket.send(frames.encode(frames.post_ack("post_message", "s1")))
        await socket.wait_closed()

    async with scripted(replies_late) as client, client.attach("s1") as line:
        first = asyncio.ensure_future(line.post("Hi", client_message_id="c1"))
        await asked.wait()
        first.cancel()
        await asyncio.wait([first])

        await line.post("Hello", client_message_id="c2")


async def test_nothing_is_left_behind_when_the_one_who_attached_is_cancelled() -> None:
    attached, closed = asyncio.Event(), asyncio.Event()

    async def watches(socket: ServerConnection) -> None:
        await connects(socket)
        await socket.wait_closed()
        closed.set()

    async with scripted(watches) as client:

        async def waits() -> None:
            async with client.attach("s1") as line:
                attached.set()
                await anext(line.events())

        waiting = asyncio.create_task(waits())
        await attached.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        await closed.wait()

    assert waiting.cancelled()
    assert own_tasks() == set()


async def test_an_attached_session_is_pinged() -> None:
    pinged = asyncio.Event()

    async def waits_for_a_ping(socket: ServerConnection) -> None:
        await connects(socket)
        assert json.loads(await socket.recv()) == frames.ping_session("s1")
        await socket.send(frames.encode(frames.pong("s1")))
        pinged.set()
        await socket.wait_closed()

    async with scripted(waits_for_a_ping) as client:
        client._ping_every_s = 0.01
        async with client.attach("s1"):
            await pinged.wait()
