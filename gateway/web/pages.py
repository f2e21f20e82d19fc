"""`/m/{token}`: the page that a shortened reply leads to. Text alone: no script, nothing that a browser would load."""

import base64
import hashlib
import html
import logging

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.pages import Page, Pages
from gateway.store.store import DATABASE_AWAY

log = logging.getLogger(__name__)

UNKNOWN = "There is no such page."
GONE = "This page is not there any more."
AWAY = "This page cannot be shown at the moment. Please try again in a minute."

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 40rem; padding: 1.25rem; font: 1.0625rem/1.5 system-ui, sans-serif; }
main { white-space: pre-wrap; overflow-wrap: anywhere; }
footer { margin-top: 2rem; font-size: 0.875rem; opacity: 0.7; }
"""
DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Message</title>
<style>{style}</style>
<main dir="auto">{text}</main>{footer}
"""


def route(pages: Pages) -> Route:
    async def page(request: Request) -> Response:
        try:
            found = await pages.read(request.path_params["token"])
        except DATABASE_AWAY as error:
            log.error("a page could not be shown: %s", type(error).__name__)  # its address is a key: never logged
            return _shown(AWAY, status=503)
        if found is None:
            return _shown(UNKNOWN, status=404)
        return _shown(found.text, until=found) if found.text else _shown(GONE, status=410)

    return Route("/m/{token}", page, methods=["GET"])


def _shown(text: str, *, status: int = 200, until: Page | None = None) -> Response:
    footer = f"\n<footer>This page goes away on {until.until.day} {until.until:%B %Y}.</footer>" if until else ""
    body = HTML.format(style=STYLE, text=html.escape(text), footer=footer)
    return HTMLResponse(body, status_code=status, headers=HEADERS)
