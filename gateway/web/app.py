"""The ASGI app: the channels' endpoints and the health pages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

log = logging.getLogger(__name__)

Ready = Callable[[], Awaitable[str | None]]
"""None when it is ready, else the reason why not, in one line."""

Report = Callable[[], Awaitable[str]]
"""What is worth telling and is no reason to fail, in one line."""

WITHIN_S = 5.0  # a check that hangs is one that fails


def build(routes: Sequence[BaseRoute], checks: dict[str, Ready], reports: dict[str, Report] | None = None) -> Starlette:
    async def healthz(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> JSONResponse:
        reasons = {name: await _why_not(name, check) for name, check in checks.items()}
        ready = not any(reasons.values())
        told = {name: reason or "ok" for name, reason in reasons.items()}
        if ready:
            told |= {name: await _why_not(name, report) or "" for name, report in (reports or {}).items()}
        return JSONResponse({"ready": ready, "checks": told}, status_code=200 if ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), *routes])


async def _why_not(name: str, check: Ready | Report) -> str | None:
    try:
        async with asyncio.timeout(WITHIN_S):
            return await check()
    except TimeoutError:
        return f"no answer within {WITHIN_S:.0f} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason; details may hold a password
        log.warning("not ready: %s: %s", name, type(error).__name__)
        return f"{type(error).__name__}; see the log"
