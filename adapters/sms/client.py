"""Twilio's HTTP client, which drops the headers of a refusal; this one remembers how long we are asked to wait.

It sends each request once: a POST that is repeated is a text that arrives twice.
"""

from contextvars import ContextVar
from typing import Any

from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.response import Response

LONGEST_S = 3600.0  # no answer of a proxy in between keeps a text for longer

_asked: ContextVar[float | None] = ContextVar("asked", default=None)


class Http(AsyncTwilioHttpClient):
    async def request(self, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # as Twilio's own
        _asked.set(None)
        response = await super().request(*args, **kwargs)
        said = str((response.headers or {}).get("Retry-After", ""))
        if response.status_code >= 400 and said.isascii() and said.isdigit() and len(said) < 10:
            _asked.set(min(float(said), LONGEST_S))
        return response


def asked_to_wait() -> float | None:
    """The seconds that the last answer to whoever asks wanted to be left alone for."""
    return _asked.get()
