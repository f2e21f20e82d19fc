"""What every endpoint does before it believes a request: cap its size, and turn a refusal into its status."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.errors import DatabaseAway, Refused, TooLarge

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


async def capped_body(request: Request, most: int) -> bytes:
    """The body's bytes. Raises `TooLarge` as soon as there are more than `most`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise TooLarge(f"the body is larger than {most} bytes")
    return body


def refusing(answer: Endpoint) -> Endpoint:
    """An endpoint whose `Refused` errors become 400, 401, 403 or 413 with their one sentence, `DatabaseAway` 503."""

    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except Refused as error:
            log.warning("%s refused: %s", request.url.path, error)
            return PlainTextResponse(f"{error}\n", status_code=error.status)
        except DatabaseAway as error:
            log.error("%s was not kept: %s", request.url.path, error)
            return PlainTextResponse("not kept, try again\n", status_code=503, headers={"Retry-After": "5"})

    return guarded
