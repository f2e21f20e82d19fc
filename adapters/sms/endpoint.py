"""What Twilio calls: each request is proven, read, and kept before it is answered. Answers with no words of its own."""

from collections.abc import Callable, Sequence

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sms import inbound
from adapters.sms.settings import SmsSettings
from gateway.ports import Door
from gateway.web.guard import capped_body, refusing

MAX_BODY = 256 * 1024  # bytes; Twilio's largest webhook is a few KB
EMPTY = Response("<Response/>", media_type="text/xml")


class Endpoint:
    def __init__(self, settings: SmsSettings, public_url: Callable[[], str]) -> None:
        self._settings = settings
        self._public_url = public_url

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        async def text(request: Request) -> Response:
            event = inbound.read(await self._proven(request), ours=self._settings.sender)
            await door.inbox.add(event)
            return EMPTY

        async def status(request: Request) -> Response:
            await door.inbox.report(inbound.read_status(await self._proven(request)))
            return EMPTY

        return [
            Route("/sms/inbound", refusing(text), methods=["POST"]),
            Route("/sms/status", refusing(status), methods=["POST"]),
        ]

    async def _proven(self, request: Request) -> FormData:
        body = await capped_body(request, MAX_BODY)
        query = request.url.query
        url = self._public_url().rstrip("/") + request.url.path + (f"?{query}" if query else "")
        signature = request.headers.get("x-twilio-signature")
        settings = self._settings
        return inbound.proven_form(url, body, signature, tokens=settings.tokens, account_sid=settings.account_sid)
