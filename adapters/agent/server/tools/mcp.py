"""One tool of an MCP server over streamable HTTP, in a session of its own for each call.

Speaks the revision 2025-06-18 of the specification; what a server asks of its client is not answered.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx

from adapters.agent.server.tool_kinds import McpTool
from adapters.agent.server.tools.call import Arguments, Call, Result, ToolFailed
from adapters.agent.server.tools.outside import (
    Request,
    Unsure,
    capped,
    failed,
    in_time,
    opened,
    readable,
    value_of,
    without,
)
from adapters.agent.server.tools.settings import ToolSettings

VERSIONS = ("2025-06-18", "2025-03-26", "2025-11-25")  # the first is asked for; what we use is the same in all
ACCEPT = "application/json, text/event-stream"
CLIENT = {"name": "gatehouse", "version": "1"}
MAX_PAGES = 20
MAX_TOLD_CHARS = 2_000  # of a server's own words about a failure
END_WITHIN_S = 2.0
LINE_END = re.compile(rb"\r\n|\n|\r(?=.)", re.DOTALL)  # a last \r may be half of one

Message = Mapping[str, Any]


async def run(tool: McpTool, call: Call, arguments: Arguments, *, writes: bool) -> Result:
    """Raises `ToolFailed`; of a tool that the server does not have it names those it has."""
    async with in_time(call.settings, writes=writes):
        session = await begun(tool, call.settings)
        try:
            result = await session.ask("tools/call", {"name": tool.tool, "arguments": dict(arguments)})
        except Refused as error:
            names = await session.tools()
            if tool.tool in names:
                raise
            has = f"its MCP server has no tool {tool.tool}; it has {', '.join(names) or 'none'}"
            raise ToolFailed(has, for_log="its MCP server has no such tool") from error
    await session.end()
    return _told(result)


def _told(result: Message) -> Result:
    listed = result.get("content")
    parts = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    text = "\n".join(_text(part) for part in parts)
    if result.get("isError"):
        raise ToolFailed(text[:MAX_TOLD_CHARS] or "it failed without a word", for_log="the tool reported an error")
    structured = result.get("structuredContent")
    return {"content": text, "structured": structured} if isinstance(structured, dict) else {"content": text}


def _text(part: Message) -> str:
    return str(part.get("text", "")) if part.get("type") == "text" else f"[{part.get('type')}: left out]"


class Refused(ToolFailed):
    """The server answered with an error of its own."""


async def begun(tool: McpTool, settings: ToolSettings) -> "Session":
    """A session that is initialized. Raises `ToolFailed` and httpx's errors."""
    secret = value_of(tool, settings)
    headers = {tool.secret_header: f"{tool.prefix}{secret}"} if secret else {}
    request = Request("POST", tool.url, {**tool.headers, "Accept": ACCEPT}, secret_headers=headers)
    session = Session(request, settings, secret)
    await session.initialize()
    return session


class Session:
    def __init__(self, request: Request, settings: ToolSettings, secret: str) -> None:
        self._request = request
        self._settings = settings
        self._secret = secret
        self._last_id = 0

    async def initialize(self) -> None:
        params = {"protocolVersion": VERSIONS[0], "capabilities": {}, "clientInfo": CLIENT}
        version = (await self.ask("initialize", params)).get("protocolVersion")
        if version not in VERSIONS:
            unknown = "its MCP server speaks another version of the protocol"
            raise ToolFailed(unknown, for_log=unknown)
        self._keep("MCP-Protocol-Version", version)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def tools(self) -> Sequence[str]:
        """The names of the tools the server has."""
        names: list[str] = []
        cursor = None
        for _ in range(MAX_PAGES):
            page = await self.ask("tools/list", {"cursor": cursor} if cursor else {})
            listed = page.get("tools")
            names += (
                [str(one.get("name")) for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
            )
            cursor = page.get("nextCursor")
            if not cursor:
                break
        return names

    async def ask(self, method: str, params: Message) -> Message:
        """The result. Raises `Refused` with the server's own words for an error."""
        self._last_id += 1
        answer = await self._send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        if answer is None:
            raise Unsure("its MCP server did not answer", for_log=f"no answer to {method}")
        if error := answer.get("error"):
            said = str(error.get("message") if isinstance(error, dict) else error)[:MAX_TOLD_CHARS]
            raise Refused(f"its MCP server refused: {said}", for_log=f"{method} was refused")
        result = answer.get("result")
        return result if isinstance(result, dict) else {}

    async def _send(self, message: Message) -> Message | None:
        """The answer to it. None: there is none, as to a notification."""
        request = replace(self._request, content=json.dumps(message).encode())
        async with opened(request, self._settings) as response:
            if not response.is_success:
                answered = f"its MCP server answered {response.status_code}"
                raise failed(response.status_code)(answered, for_log=answered)
            if session_id := response.headers.get("mcp-session-id"):
                self._keep("Mcp-Session-Id", session_id)
            return await self._answer(response, message["id"]) if "id" in message else None

    def _keep(self, header: str, value: str) -> None:
        self._request = replace(self._request, headers={**self._request.headers, header: value})

    async def _answer(self, response: httpx.Response, wanted: int) -> Message | None:
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        texts = _events if is_stream else _whole
        async with aclosing(texts(response, self._settings.max_answer_bytes)) as told:
            async for text in told:
                found = readable(without(self._secret, text))
                for one in found if isinstance(found, list) else [found]:
                    if isinstance(one, dict) and one.get("id") == wanted and "method" not in one:
                        return one
        return None

    async def end(self) -> None:
        """Politeness alone: a server forgets a session by itself, and one that keeps none answers 405."""
        if "Mcp-Session-Id" not in self._request.headers:
            return
        try:
            async with asyncio.timeout(END_WITHIN_S), opened(replace(self._request, method="DELETE"), self._settings):
                return
        except (TimeoutError, ToolFailed, httpx.HTTPError):
            return


async def _whole(response: httpx.Response, limit: int) -> AsyncGenerator[str]:
    data, is_whole = await capped(response.aiter_raw(), limit)
    if not is_whole:
        raise _too_long(limit)
    yield data.decode("utf-8", "replace")


async def _events(response: httpx.Response, limit: int) -> AsyncGenerator[str]:
    """The data of each server-sent event. One that is cut off is none."""
    data: list[bytes] = []
    async for line in _lines(response, limit):
        if line.startswith(b"data:"):
            data.append(line.removeprefix(b"data:").removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data).decode("utf-8", "replace")
            data = []


async def _lines(response: httpx.Response, limit: int) -> AsyncIterator[bytes]:
    rest, size = b"", 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > limit:
            raise _too_long(limit)
        *lines, rest = LINE_END.split(rest + piece)
        for line in lines:
            yield line
    if rest.endswith(b"\r"):
        yield rest.removesuffix(b"\r")


def _too_long(limit: int) -> ToolFailed:
    return Unsure(f"its answer is longer than {limit // 1024} KiB", for_log="too long an answer")
