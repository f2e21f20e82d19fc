"""A far end that speaks real WebSocket from a script of frames, and a turn of the gateway's own against it.

Each socket that comes plays the next script; what the client sends unasked, or does not send, is a fault of the test.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import SecretStr
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from adapters.agent import frames
from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.frames import Frame
from gateway import exchange
from gateway.events import AgentStatus, Answer, ApprovalAsked
from gateway.exchange import Outcome
from gateway.history import Post
from gateway.listening import Patience
from gateway.ports import AgentLine
from gateway.redial import Redial, over_lines

HURRIED = Patience(turn_s=20.0, clear_s=0.2, begin_s=0.2, reread_s=0.2)
CALM = Patience(turn_s=20.0, clear_s=20.0, begin_s=20.0, reread_s=20.0)


@dataclass(frozen=True)
class Gets:
    """The client's next frame is of this type and says this."""

    type: str
    says: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drops:
    """The line breaks without a word, once what was sent before has arrived."""


@dataclass(frozen=True)
class Waits:
    """Nothing happens until a test says so."""

    until: asyncio.Event


Step = Gets | Drops | Waits | Frame | str | bytes
"""A frame is sent; a text or bytes are sent as they are."""

DROPS = Drops()


@dataclass
class Far:
    """The platform. `client` is the gateway's; `got` is what it sent, pings left out."""

    client: AgentClient
    scripts: list[Sequence[Step]]
    got: list[Frame] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    sockets: int = 0
    open_ones: int = 0
    paused_s: list[float] = field(default_factory=list)

    def types(self) -> list[str]:
        return [frame["type"] for frame in self.got]

    def posts(self) -> list[Any]:
        return [frame["content"] for frame in self.got if frame["type"] == "post_message"]

    async def play(self, socket: ServerConnection) -> None:
        self.sockets += 1
        self.open_ones += 1
        try:
            await self._play(socket, self.scripts[self.sockets - 1])
        except IndexError:
            self.faults.append(f"socket {self.sockets} came, and nobody expected it")
        except ConnectionClosed:
            self.faults.append(f"socket {self.sockets} was closed in the middle of its script")
        finally:
            self.open_ones -= 1

    async def _play(self, socket: ServerConnection, script: Sequence[Step]) -> None:
        for step in script:
            match step:
                case Gets(type=kind, says=said):
                    self._check(await self._next(socket), kind, said)
                case Drops():
                    await socket.ping()  # what was sent is on its way
                    socket.transport.abort()
                    return
                case Waits(until=event):
                    await event.wait()
                case dict():
                    await socket.send(frames.encode(step))
                case _:
                    await socket.send(step)
        with contextlib.suppress(ConnectionClosed):
            extra = await self._next(socket)
            self.faults.append(f"unasked: {extra['type']}")

    async def _next(self, socket: ServerConnection) -> Frame:
        while True:
            frame: Frame = json.loads(await socket.recv())
            if frame["type"] != "ping_session":
                self.got.append(frame)
                return frame
            await socket.send(frames.encode(frames.pong("s1")))

    def _check(self, frame: Frame, kind: str, said: dict[str, Any]) -> None:
        if frame["type"] != kind or any(frame.get(name) != value for name, value in said.items()):
            self.faults.append(f"{kind} {said} was expected, and {frame} came")


@asynccontextmanager
async def platform(*scripts: Sequence[Step], reply_within_s: float = 5.0, **options: Any) -> AsyncIterator[Far]:
    """`options` are the client's."""
    far: list[Far] = []

    async def play(socket: ServerConnection) -> None:
        await far[0].play(socket)

    async with serve(play, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = AgentSettings(url=f"http://127.0.0.1:{port}/v1", api_key=SecretStr("key-1"))
        client = AgentClient(settings, reply_within_s=reply_within_s, **options)
        far.append(Far(client, list(scripts)))
        try:
            yield far[0]
        finally:
            await client.aclose()
    assert far[0].faults == []
    assert far[0].sockets == len(scripts), "not every socket came"


# --- what a platform says ----------------------------------------------------------------------------------


def connects(now: AgentStatus | None = AgentStatus.IDLE) -> list[Step]:
    return [Gets("connect_session", {"session_id": "s1"}), frames.connect_ack("s1", status=now)]


def takes(text: str = "Where is it?", **acks: Any) -> list[Step]:
    """A post, and its acknowledgement."""
    return [Gets("post_message", {"content": text}), frames.post_ack("post_message", "s1", **acks)]


def takes_answer(request_id: str = "a-1", error: str = "") -> list[Step]:
    return [
        Gets("post_message", {"parent_message_id": request_id}),
        frames.post_ack("post_message", "s1", error=error),
    ]


def tells(*messages: Frame) -> list[Step]:
    """Its history, when it is asked."""
    return [Gets("get_messages"), frames.messages("s1", messages)]


def user(text: str = "Where is it?", name: str = "u-1") -> Frame:
    return {"id": name, "session_id": "s1", "sender": {"user_id": "key"}, "content": text}


def agent(content: Frame, name: str = "m-1") -> Frame:
    return {"id": name, "session_id": "s1", "sender": {"object_id": "a", "object_type": "agent"}, "content": content}


def reply(text: str = "On its way.", name: str = "m-1") -> Frame:
    return agent(frames.complete(text), name)


def request(name: str = "a-1", state: str = "pending", **more: Any) -> Frame:
    content = frames.tool_call_approval("c-" + name, "tool_1", "issue_refund", {"amount": 40})
    return agent({**content, "status": state, **more}, name)


def says(message: Frame) -> Frame:
    return frames.message_notification("s1", message)


def delta(text: str, name: str = "m-1") -> Frame:
    return frames.message_delta("s1", name, 0, text)


def is_now(status: AgentStatus) -> Frame:
    return frames.participant_status("s1", status)


PROCESSING, IDLE, AWAITING = map(is_now, (AgentStatus.PROCESSING, AgentStatus.IDLE, AgentStatus.AWAITING_APPROVAL))
ANSWERS: list[Step] = [PROCESSING, delta("On its way."), says(reply()), IDLE]


# --- what the gateway does ---------------------------------------------------------------------------------

POST = Post(text="Where is it?", key="turn-1", alike=0, first_try=True)


async def look() -> None:
    """Nobody else owns the conversation."""


async def _over_lines(far: Far, talk: Callable[[AgentLine, bool], Any], tries: int) -> Outcome:
    async def pause(seconds: float) -> None:
        far.paused_s.append(seconds)

    redial = Redial(tries=tries, sleep=pause, dice=lambda _, most: most)
    return await over_lines(lambda: far.client.attach("s1"), talk, redial, asyncio.Event())  # type: ignore[no-any-return]


async def posted(far: Far, what: Post = POST, patience: Patience = CALM, *, tries: int = 3) -> Outcome:
    """A turn, over as many lines as it takes."""

    async def talk(line: AgentLine, again: bool) -> Outcome:
        return await exchange.post(line, replace(what, first_try=what.first_try and not again), look, patience)

    return await _over_lines(far, talk, tries)


async def answered(
    far: Far, *answers: tuple[str, Answer], what: Post = POST, patience: Patience = CALM, tries: int = 3
) -> Outcome:
    """The rest of a turn that asked."""

    async def talk(line: AgentLine, _: bool) -> Outcome:
        return await exchange.answer(line, answers, what, look, patience)

    return await _over_lines(far, talk, tries)


def asked(name: str = "a-1", arguments: dict[str, Any] | None = None, **more: Any) -> ApprovalAsked:
    what: dict[str, Any] = {"tool_call_id": "c-" + name, "tool_id": "tool_1", "tool_name": "issue_refund", **more}
    return ApprovalAsked(message_id=name, arguments={"amount": 40} if arguments is None else arguments, **what)
