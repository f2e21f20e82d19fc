"""What Twilio calls: each request is proven, read, and kept before it is answered. Answers with no words of its own."""

from collections.abc import Callable, Sequence

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adapters.sms import inbound, proof
from adapters.sms.settings import SmsSettings
from gateway.ports import Door
from gateway.web.guard import capped_body, refusing

INBOUND, STATUS = "/sms/inbound", "/sms/status"
MAX_BODY = 256 * 1024  # bytes; Twilio's largest webhook is a few KB
EMPTY = Response("<Response/>", media_type="text/xml")


class Endpoint:
    def __init__(self, settings: SmsSettings, public_url: Callable[[], str]) -> None:
        self._settings = settings
        self._public_url = public_url

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        async def text(request: Request) -> Response:
            form, settings = await self._proven(request, INBOUND), self._settings
            event = inbound.read(form, ours=settings.sender, whatsapp=settings.whatsapp)
            await door.inbox.add(event)
            return EMPTY

        async def status(request: Request) -> Response:
            await door.inbox.report(inbound.read_status(await self._proven(request, STATUS)))
            return EMPTY

        return [
            Route(INBOUND, refusing(text), methods=["POST"]),
            Route(STATUS, refusing(status), methods=["POST"]),
        ]

    async def _proven(self, request: Request, path: str) -> FormData:
        """Signed over the address that people see, with the query as it was sent; no host of the request counts."""
        body = await capped_body(request, MAX_BODY)
        query = request.scope["query_string"].decode("latin-1")
        url = self._public_url().rstrip("/") + path + (f"?{query}" if query else "")
        ours = self._settings
        keys = {"tokens": ours.tokens, "shared_keys": ours.shared_keys}
        return proof.form_of(url, request.headers, body, **keys, account_sid=ours.account_sid)
