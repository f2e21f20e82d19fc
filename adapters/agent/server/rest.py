"""REST for agents, as the published SDK calls it. Every answer is JSON; a refusal says what the request got wrong."""

import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Message

from adapters.agent.frames import MAX_DEPTH, clean, parsed
from adapters.agent.server.agents import Agents, Saved
from adapters.agent.server.functional import Functional, GivenFile
from adapters.agent.server.limits import Limits
from adapters.agent.server.liveness import AWAY
from adapters.agent.server.rates import Rates
from adapters.agent.server.refusals import NotFound, NotJson, TooMany, Wrong
from gateway.errors import Refused, TooLarge, Unreadable

log = logging.getLogger(__name__)

Answer = dict[str, Any]
Deed = Callable[[Request, str], Awaitable[Answer]]

MAX_PAGE = 500
JSON = re.compile(r"application/(.+\+)?json")
BUMPS = ("major", "minor", "patch")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a functional agent is to be run with."""

    inputs: dict[str, Any]
    files: dict[str, GivenFile]
    additional_instructions: str


class Rest:
    def __init__(
        self,
        agents: Agents,
        functional: Functional,
        erase: Callable[[str, str], Awaitable[None]],
        tenant_of: Callable[[HTTPConnection], str],
        limits: Limits,
    ) -> None:
        """`erase` forgets a session of a tenant; `tenant_of` raises `Refused` for who may not come in."""
        self._agents = agents
        self._functional = functional
        self._erase_session = erase
        self._rates = Rates(limits.requests_per_second, limits.requests_at_once)
        self._tenant_of = tenant_of
        self._limits = limits

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/agent", self._guarded(self._create), methods=["POST"]),
            Route("/agent", self._guarded(self._fetch), methods=["GET"]),
            Route("/agents", self._guarded(self._list), methods=["GET"]),
            Route("/update/agent/{id}", self._guarded(self._save), methods=["POST"]),
            Route("/agent/{id}", self._guarded(self._delete), methods=["DELETE"]),
            Route("/agent/{id}/run", self._guarded(self._run), methods=["POST"]),
            Route("/sessions/{id}", self._guarded(self._erase), methods=["DELETE"]),
        ]

    def _guarded(self, deed: Deed) -> Callable[[Request], Awaitable[JSONResponse]]:
        """Proven and counted before anything is read."""

        async def answer(request: Request) -> JSONResponse:
            try:
                tenant = self._tenant_of(request)
                self._count(tenant)
                return JSONResponse(await deed(_capped(request, self._limits.max_request_bytes), tenant))
            except TooMany as error:
                return refused(str(error), error.status, {"Retry-After": str(error.retry_after_s)})
            except Refused as error:
                return refused(str(error), error.status)
            except AWAY as error:
                log.warning("%s %s: the database is away (%s)", request.method, request.url.path, type(error).__name__)
                return refused("the database is away; try again", 503)
            except Exception:  # our fault, whatever it is: the client gets JSON here too
                log.exception("%s %s failed", request.method, request.url.path)
                return refused("this server failed; its log says how", 500)

        return answer

    def _count(self, tenant: str) -> None:
        if wait_s := self._rates.take(tenant):
            raise TooMany(f"too many requests with this key; try again in {wait_s} s", retry_after_s=wait_s)

    async def _create(self, request: Request, tenant: str) -> Answer:
        return _saved(await self._agents.add(tenant, await _object(request)))

    async def _save(self, request: Request, tenant: str) -> Answer:
        body = await _object(request)
        if body.get("bump") not in (None, False, "", *BUMPS):
            raise Wrong(f"bump: must be one of {', '.join(BUMPS)}")
        return _saved(await self._agents.change(tenant, _id(request), body))

    async def _fetch(self, request: Request, tenant: str) -> Answer:
        id, name = (clean(request.query_params.get(word, "")) for word in ("id", "name"))
        if not id and not name:
            raise Unreadable("say which agent: id=... or name=...")
        # An extension of ours, and only for who asks: another client would save it with the agent.
        with_schemas = request.query_params.get("input_schemas") == "true"
        read = self._agents.read_with_schemas if with_schemas else self._agents.read
        return {"object": await read(tenant, id=id, name=name)}

    async def _list(self, request: Request, tenant: str) -> Answer:
        limit, offset = _number(request, "limit", 50), _number(request, "offset", 0)
        listed = await self._agents.listed(tenant, limit=min(limit, MAX_PAGE), offset=offset)
        return {"objects": listed, "object_ids": [agent["_id"] for agent in listed]}

    async def _delete(self, request: Request, tenant: str) -> Answer:
        await self._agents.remove(tenant, _id(request))
        return {"id": _id(request), "status": "success"}

    async def _run(self, request: Request, tenant: str) -> Answer:
        agent = await self._agents.find(tenant, _id(request))
        if agent is None:
            raise NotFound(f"there is no agent {_id(request)!r}")
        asked = await _asked(request, self._limits)
        return await self._functional.run(
            agent, asked.inputs, asked.files, additional_instructions=asked.additional_instructions
        )

    async def _erase(self, request: Request, tenant: str) -> Answer:
        """An extension of ours. The same answer for a session nobody knows: it is gone, whoever asks."""
        await self._erase_session(_id(request), tenant)
        return {"id": _id(request), "status": "success"}


def refused(error: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error}, status, headers)


async def unknown_address(request: Request, error: Exception) -> JSONResponse:
    """What no route takes, in JSON too."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refused(f"{request.method} {request.url.path}: there is no such call here", status)


def _saved(saved: Saved) -> Answer:
    """A tool that cannot run here is saved nevertheless: it is told of."""
    answer: Answer = {"id": saved.id, "status": "success"}
    return {**answer, "unavailable_tools": list(saved.unavailable)} if saved.unavailable else answer


def _id(request: Request) -> str:
    return str(clean(request.path_params["id"]))


def _number(request: Request, word: str, default: int) -> int:
    given = request.query_params.get(word, "")
    if given and not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise Wrong(f"{word}: must be a whole number, not {given[:20]!r}")
    return int(given) if given else default


def _capped(request: Request, max_bytes: int) -> Request:
    """The same request; reading more of its body than `max_bytes` raises `TooLarge`."""
    read = 0

    async def receive() -> Message:
        nonlocal read
        message = await request.receive()
        read += len(message.get("body", b""))
        if read > max_bytes:
            raise TooLarge(f"the request is over {max_bytes} bytes")
        return message

    return Request(request.scope, receive)


async def _object(request: Request) -> Answer:
    # A web page may send any other type to any server without asking that one first.
    if not JSON.fullmatch(request.headers.get("content-type", "").partition(";")[0].strip().lower()):
        raise NotJson("the body must be JSON, with the header Content-Type: application/json")
    return _parsed(await request.body(), "the body")


def _parsed(text: bytes | str, what: str) -> Answer:
    try:
        body = parsed(text)
    except ValueError as error:
        raise Unreadable(f"{what} is not JSON, or over {MAX_DEPTH} levels deep") from error
    if not isinstance(body, dict):
        raise Unreadable(f"{what} is not a JSON object")
    cleaned: Answer = clean(body)
    return cleaned


async def _asked(request: Request, limits: Limits) -> Asked:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _form(request, limits)
    body = await _object(request)
    return _read(body.get("inputs"), body.get("additional_instructions"), {})


async def _form(request: Request, limits: Limits) -> Asked:
    try:
        form = await request.form(max_files=limits.max_files, max_part_size=limits.max_request_bytes)
    except HTTPException as error:
        raise Unreadable(f"the form cannot be read: {error.detail}") from error
    try:
        files: dict[str, GivenFile] = {}
        for name, part in form.multi_items():
            if isinstance(part, UploadFile):
                if name in files:
                    raise Wrong(f"inputs.{name}: two files for one input")
                shown = PurePath((part.filename or "file").replace("\\", "/")).name
                files[clean(name)] = GivenFile(clean(shown), part.content_type or "", await part.read())
        inputs = form.get("inputs")
        given = _parsed(inputs, "inputs") if isinstance(inputs, str) else {}
        return _read(given, form.get("additional_instructions"), files)
    finally:
        await form.close()


def _read(inputs: object, additional: object, files: dict[str, GivenFile]) -> Asked:
    if inputs is not None and not isinstance(inputs, dict):
        raise Wrong("inputs: must be an object of input names and values")
    if additional is not None and not isinstance(additional, str):
        raise Wrong("additional_instructions: must be a text")
    return Asked({str(name): value for name, value in (inputs or {}).items()}, files, clean(additional or ""))
