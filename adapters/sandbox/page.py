"""The page at /sandbox and the small JSON API behind it.

The API only calls the sandbox's verbs; it answers nobody but its own page.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from adapters.sandbox import asked as words
from adapters.sandbox.errors import GatewayAway
from adapters.sandbox.pictures import Picture
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.slack_files import Upload
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from adapters.sandbox.world import Sandbox

STATIC = Path(__file__).parent / "static"
WAIT_S = 20.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Page:
    def __init__(self, sandbox: "Sandbox", settings: SandboxSettings) -> None:
        self._sandbox = sandbox
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", self.show, methods=["GET"]),
            Route("/api/state", self.state, methods=["GET"]),
            Route("/api/{deed}", self.do, methods=["POST"]),
            Mount("/static", app=_with_headers(StaticFiles(directory=STATIC))),
        ]

    async def show(self, request: Request) -> Response:
        return FileResponse(STATIC / "page.html", headers=HEADERS)

    async def state(self, request: Request) -> Response:
        """Everything there is; with `since`, as soon as it is not that version any more."""
        if refusal := self._refusal(request):
            return refusal
        since = request.query_params.get("since", "")
        if since.isdecimal():
            await self._sandbox.changed(int(since), WAIT_S)
        return JSONResponse(self._sandbox.state(), headers=HEADERS)

    async def do(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if request.headers.get("x-sandbox") != "1":
            return _problem("Send the header X-Sandbox: 1.", 403)
        deed = DEEDS.get(request.path_params["deed"])
        if deed is None:
            return _problem(f"There is no {request.path_params['deed']!r} here.", 404)
        model, act = deed
        try:
            asked = model.model_validate_json(await request.body())
            answer = await act(self._sandbox, asked)
        except ValidationError as error:
            return _problem("; ".join(f"{_place(one)}: {one['msg']}" for one in error.errors()), 400)
        except GatewayAway as error:
            return _problem(str(error), 502)
        except GatewayError as error:
            return _problem(str(error), 409)
        if answer is not None and not answer.is_success:
            return _problem(f"The gateway answered {answer.status_code}.", 502)
        return JSONResponse({"ok": True}, headers=HEADERS)

    def _refusal(self, request: Request) -> Response | None:
        """Only our own page, under our own name: a foreign site must not drive the sandbox, nor read it."""
        ours = {urlsplit(url).hostname for url in (self._settings.base, self._settings.public_url)} | LOOPBACK
        if request.url.hostname not in ours:
            return _problem("Open the sandbox under its own address.", 403)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return _problem("Another site may not use the sandbox.", 403)
        return None


Act = Callable[["Sandbox", Any], Awaitable[httpx.Response | None]]


async def _text(sandbox: "Sandbox", asked: words.Texting) -> httpx.Response:
    files = [Picture(one.data, one.mime_type) for one in asked.files]
    return await sandbox.text(asked.number, asked.body, pictures=files)


async def _tap(sandbox: "Sandbox", asked: words.Tapping) -> httpx.Response:
    return await sandbox.tap(asked.number, asked.sid, asked.title)


async def _click(sandbox: "Sandbox", asked: words.Clicking) -> httpx.Response:
    return await sandbox.in_team(asked.team).click(asked.user, asked.channel, asked.ts, asked.action_id)


async def _press(sandbox: "Sandbox", asked: words.Pressing) -> httpx.Response:
    return await sandbox.in_team(asked.team).press(asked.user, asked.view_id, asked.action_id, asked.block_id)


async def _submit(sandbox: "Sandbox", asked: words.Submitting) -> httpx.Response:
    return await sandbox.in_team(asked.team).submit(asked.user, asked.view_id, asked.values)


async def _dismiss(sandbox: "Sandbox", asked: words.Dismissing) -> httpx.Response | None:
    return await sandbox.in_team(asked.team).dismiss(asked.user, asked.view_id)


async def _write(sandbox: "Sandbox", asked: words.Writing) -> httpx.Response:
    files = [Upload(one.name, one.data, one.mime_type) for one in asked.files]
    return await sandbox.in_team(asked.team).write(asked.user, asked.channel, asked.text, asked.thread_ts, files)


async def _edit(sandbox: "Sandbox", asked: words.Editing) -> httpx.Response:
    return await sandbox.in_team(asked.team).edit(asked.user, asked.channel, asked.ts, asked.text)


async def _delete(sandbox: "Sandbox", asked: words.Deleting) -> httpx.Response:
    return await sandbox.in_team(asked.team).delete(asked.user, asked.channel, asked.ts)


async def _open_home(sandbox: "Sandbox", asked: words.OpeningHome) -> httpx.Response:
    return await sandbox.in_team(asked.team).opens_home(asked.user)


async def _fault(sandbox: "Sandbox", asked: words.Faulting) -> None:
    sandbox.fault(**asked.model_dump())


async def _forget_faults(sandbox: "Sandbox", _: words.ForgettingFaults) -> None:
    sandbox.forget_faults()


async def _text_fault(sandbox: "Sandbox", asked: words.TextFaulting) -> None:
    sandbox.text_fault(**asked.model_dump())


async def _forget_text_faults(sandbox: "Sandbox", _: words.ForgettingFaults) -> None:
    sandbox.forget_text_faults()


async def _stop_stream(sandbox: "Sandbox", asked: words.StoppingStream) -> None:
    sandbox.stops_stream(asked.channel, asked.ts)


async def _uninstall(sandbox: "Sandbox", asked: words.Uninstalling) -> httpx.Response:
    return await sandbox.uninstall(asked.team)


async def _reset(sandbox: "Sandbox", _: words.Resetting) -> None:
    sandbox.reset()


DEEDS: dict[str, tuple[type[BaseModel], Act]] = {
    "text": (words.Texting, _text),
    "tap": (words.Tapping, _tap),
    "click": (words.Clicking, _click),
    "press": (words.Pressing, _press),
    "submit": (words.Submitting, _submit),
    "dismiss": (words.Dismissing, _dismiss),
    "write": (words.Writing, _write),
    "edit": (words.Editing, _edit),
    "delete": (words.Deleting, _delete),
    "home": (words.OpeningHome, _open_home),
    "fault": (words.Faulting, _fault),
    "forget_faults": (words.ForgettingFaults, _forget_faults),
    "text_fault": (words.TextFaulting, _text_fault),
    "forget_text_faults": (words.ForgettingFaults, _forget_text_faults),
    "stop_stream": (words.StoppingStream, _stop_stream),
    "uninstall": (words.Uninstalling, _uninstall),
    "reset": (words.Resetting, _reset),
}


def _problem(sentence: str, status: int) -> Response:
    return JSONResponse({"ok": False, "problem": sentence}, status_code=status, headers=HEADERS)


def _place(error: Any) -> str:
    return ".".join(map(str, error["loc"])) or "body"


def _with_headers(app: StaticFiles) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await app(scope, receive, send_with_headers)

    return answer
