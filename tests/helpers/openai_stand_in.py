"""A stand-in of a chat completions endpoint: real HTTP and server-sent events, its answers from a script."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Chunk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Says:
    """`then` is what comes after the words: the proper end, or a line that is cut, ends cleanly or falls silent.

    "breathes" sends comments for ever, as endpoints do while a model thinks. A `gate` is waited for after each word.
    """

    words: tuple[str, ...]
    then: str = "end"  # end | cut | stop | silence | breathes
    gate: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class Calls:
    """Tools and the arguments as the model writes them: text, which need not be JSON. `then` as for `Says`."""

    calls: tuple[tuple[str, str], ...]
    then: str = "end"  # end | stop


@dataclass(frozen=True, slots=True)
class Refuses:
    status: int
    retry_after: str = ""
    message: str = "s3cret words of the endpoint"
    code: str = ""


@dataclass(frozen=True, slots=True)
class Raw:
    body: str
    media_type: str = "text/event-stream"


Answer = Says | Calls | Refuses | Raw


@dataclass
class StandIn:
    """`script` is answered from its head; `asked` holds the bodies that came, and `keys` whose they were.

    `left` is set when somebody hangs up on a silent answer.
    """

    script: list[Answer] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    url: str = ""
    provider: str = "openai"
    breath: str = ": still there\n\n"
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, at: int = -1) -> list[tuple[str, str]]:
        """What the model was told in one request: who, and the text."""
        return [(one["role"], _text(one.get("content"))) for one in self.asked[at]["messages"]]

    def refusal(self, answer: Refuses) -> Chunk:
        return {"error": {"message": answer.message, "code": answer.code or None, "type": None}}

    async def complete(self, request: Request) -> Response:
        self.asked.append(json.loads(await request.body()))
        self.keys.append(request.headers.get("authorization", "").removeprefix("Bearer "))
        answer = self.script.pop(0)
        match answer:
            case Refuses():
                headers = {"Retry-After": answer.retry_after} if answer.retry_after else None
                return JSONResponse(self.refusal(answer), answer.status, headers=headers)
            case Raw(body=body, media_type=media_type):
                return Response(body, media_type=media_type)
            case Says():
                return _stream(self._said(answer, request))
            case Calls():
                return _stream(self.called(answer))

    async def _said(self, answer: Says, request: Request) -> AsyncIterator[str]:
        for first in self.begun():
            yield first
        for word in answer.words:
            yield self.word(word)
            if answer.gate is not None:
                await answer.gate.wait()
        match answer.then:
            case "end":
                for last in self.ended():
                    yield last
            case "cut":
                raise ConnectionAbortedError("the stand-in cuts the line, as its script says")
            case "silence":
                while (await request.receive())["type"] != "http.disconnect":
                    pass
                self.left.set()
            case "breathes":
                while not await request.is_disconnected():
                    yield self.breath
                    await asyncio.sleep(0.01)

    def begun(self) -> Iterator[str]:
        yield self._event({"role": "assistant", "content": ""})

    def word(self, word: str) -> str:
        return self._event({"content": word})

    def ended(self) -> Iterator[str]:
        yield from self._end("stop")

    async def called(self, answer: Calls) -> AsyncIterator[str]:
        for at, (name, arguments) in enumerate(answer.calls):
            call_id = f"call_{len(self.asked)}_{at}"
            begun = {"index": at, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
            yield self._event({"role": "assistant", "content": None, "tool_calls": [begun]})
            for half in (arguments[:5], arguments[5:]):
                yield self._event({"tool_calls": [{"index": at, "function": {"arguments": half}}]})
        for last in self._end("tool_calls") if answer.then == "end" else ():
            yield last

    def _end(self, reason: str) -> Iterator[str]:
        yield self._event({}, reason)
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        yield _line({**self._chunk(), "choices": [], "usage": usage})
        yield "data: [DONE]\n\n"

    def _event(self, delta: Chunk, finish_reason: str | None = None) -> str:
        return _line({**self._chunk(), "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    def _chunk(self) -> Chunk:
        name = self.asked[-1]["model"]
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763700000, "model": name}


def _line(chunk: Chunk) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


def _stream(body: AsyncIterator[str]) -> Response:
    return StreamingResponse(body, media_type="text/event-stream")


def _text(content: object) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to the test run


@contextlib.asynccontextmanager
async def openai_stand_in() -> AsyncIterator[StandIn]:
    async with at_home(StandIn(), "/v1", "/chat/completions") as stand_in:
        yield stand_in


@contextlib.asynccontextmanager
async def at_home(stand_in: StandIn, base: str, path: str) -> AsyncIterator[StandIn]:
    """It answers at `path` below `base`, which its `url` ends with."""
    app = Starlette(routes=[Route(base + path, stand_in.complete, methods=["POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stand_in.url = f"http://127.0.0.1:{listening.getsockname()[1]}{base}"
        server = _Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield stand_in
        finally:
            server.should_exit = True
            await task
