"""A service at the far end, on a real port: keeps every request and answers as it is told, by path."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.agent.server.tool_definitions import ToolDefinition
from tests.adapters.agent.world import serving_app

Answer = Response | Callable[[Request], Awaitable[Response]]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass
class FarService:
    """`url` is set while it is served. An unknown path is answered 404."""

    answers: dict[str, Answer] = field(default_factory=dict)
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        self.bodies.append(await request.body())
        found = self.answers.get(request.url.path) or JSONResponse({"error": "no such page"}, 404)
        return found if isinstance(found, Response) else await found(request)

    @property
    def raw_path(self) -> str:
        """Of the last request, as it came over the line."""
        scope = self.requests[-1].scope
        query = scope["query_string"].decode()
        return scope["raw_path"].decode() + (f"?{query}" if query else "")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def served(service: FarService) -> AsyncIterator[FarService]:
    app = Starlette(routes=[Route("/{path:path}", service.answer, methods=METHODS)])
    async with serving_app(app) as base:
        service.url = base.removesuffix("/v1")
        yield service


def http_tool(far: FarService, path: str, parameters: dict[str, Any] | None = None, **words: Any) -> ToolDefinition:
    """A tool that calls it there."""
    http = {"url": far.url + path, "hosts": ["127.0.0.1"], **words.pop("http", {})}
    return ToolDefinition.model_validate({"name": "shop", "http": http, "parameters": parameters or {}, **words})
