"""`Authorization: Bearer ...`: what was sent, and pages that are for whoever knows OPS__TOKEN."""

import hmac
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

Endpoint = Callable[[Request], Awaitable[Response]]
NOT_CACHED = {"Cache-Control": "no-store"}


def sent(header: str) -> str:
    """The token of an Authorization header; empty: none."""
    scheme, _, token = header.partition(" ")
    # Headers come as Latin-1; this gives back the bytes that were sent.
    return token.strip().encode("latin-1").decode("utf-8", "replace") if scheme.lower() == "bearer" else ""


def same(given: str, token: str) -> bool:
    """In constant time. An empty token is nobody's."""
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def operations(answer: Endpoint, what: str, *, token: str, open_without: bool) -> Endpoint:
    """A page for whoever sends `token`; where it is empty, for everybody or for nobody."""

    async def guarded(request: Request) -> Response:
        if token and not same(sent(request.headers.get("authorization", "")), token):
            refused = {"WWW-Authenticate": "Bearer"}
            return line(401, "send the value of OPS__TOKEN as `Authorization: Bearer ...`", refused)
        if not token and not open_without:
            return line(404, f"there {what} without OPS__TOKEN: set it, and send it as a bearer token")
        return await answer(request)

    return guarded


def line(status: int, words: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{words}\n", status_code=status, headers={**NOT_CACHED, **(headers or {})})
