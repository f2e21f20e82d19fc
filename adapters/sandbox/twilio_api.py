"""Twilio's REST API for messages, as far as a gateway uses it: what twilio's client talks to.

Who calls is looked at here, and what was asked to go wrong; what a resource is, in the file of its noun.
"""

import hmac
from base64 import b64decode
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.sandbox import twilio_templates as templates
from adapters.sandbox.line import Line
from adapters.sandbox.phones import Phones
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.twilio_delivery import Delivery
from adapters.sandbox.twilio_faults import TextFaults
from adapters.sandbox.twilio_media import Media
from adapters.sandbox.twilio_messages import Messages
from adapters.sandbox.twilio_numbers import Numbers
from adapters.sandbox.twilio_rules import VERSION, TwilioSaysNo

Call = Callable[[Request], Response]
AsyncCall = Callable[[Request], Awaitable[Response]]


class TwilioApi:
    def __init__(
        self, settings: SandboxSettings, phones: Phones, line: Line, numbers: Numbers, faults: TextFaults
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._numbers = numbers
        self._delivery = Delivery(settings, phones, line, faults)
        self._messages = Messages(settings, phones, self._delivery)
        self._media = Media(settings, phones.pictures)

    def routes(self) -> list[Route]:
        account = f"/twilio/{VERSION}/Accounts/{{account}}"
        message, service = f"{account}/Messages/{{sid}}", "/twilio/v1/Services/{service}"
        numbers, media, template = self._numbers, self._media, f"/twilio/v1/Content/{templates.SID}"
        return [
            self._route(f"{account}/Messages.json", "POST", "messages.create", self._messages.create),
            self._route(f"{account}/Messages.json", "GET", "messages.list", _soon(self._messages.list)),
            self._route(f"{message}/Media.json", "GET", "media.list", _soon(media.list)),
            self._route(f"{message}/Media/{{media}}", "GET", "media.fetch", _soon(media.fetch)),
            self._route(f"{message}/Media/{{media}}", "DELETE", "media.delete", _soon(media.delete)),
            self._route(f"{message}.json", "GET", "messages.fetch", _soon(self._messages.fetch)),
            self._route(f"{account}/IncomingPhoneNumbers.json", "GET", "numbers.list", _soon(numbers.list_numbers)),
            self._route(f"{account}/SMS/ShortCodes.json", "GET", "numbers.list", _soon(numbers.list_short_codes)),
            self._route(f"{account}.json", "GET", "account.fetch", _soon(self._account)),
            self._route(service, "GET", "services.fetch", _soon(numbers.service)),
            self._route(f"{service}/PhoneNumbers", "GET", "services.numbers", _soon(numbers.service_numbers)),
            self._route(f"{service}/ShortCodes", "GET", "services.numbers", _soon(numbers.service_short_codes)),
            self._route(template, "GET", "content.fetch", _soon(lambda _: JSONResponse(templates.definition()))),
            self._route(
                f"{template}/ApprovalRequests",
                "GET",
                "content.fetch",
                _soon(lambda _: JSONResponse(templates.approval())),
            ),
            Route("/twilio-media/{key}", media.bytes, methods=["GET"]),
        ]

    async def aclose(self) -> None:
        await self._delivery.aclose()

    def _route(self, path: str, method: str, name: str, call: AsyncCall) -> Route:
        async def usual(request: Request) -> Response:
            try:
                return await call(request)
            except TwilioSaysNo as no:
                return no.response()

        async def answered(request: Request) -> Response:
            try:
                self._check_account(request)
            except TwilioSaysNo as no:
                return no.response()
            return await self._faults.answer(name, lambda: usual(request))

        return Route(path, answered, methods=[method])

    def _account(self, request: Request) -> Response:
        return JSONResponse(self._numbers.account())

    def _check_account(self, request: Request) -> None:
        sid, token = self._settings.sms_account_sid, self._settings.sms_auth_token
        if not hmac.compare_digest(_credentials(request), f"{sid}:{token}".encode()):
            raise TwilioSaysNo(20003, "Authenticate", 401)
        if request.path_params.get("account", sid) != sid:
            raise TwilioSaysNo(20404, f"The requested resource {request.url.path} was not found", 404)


def _soon(call: Call) -> AsyncCall:
    async def answer(request: Request) -> Response:
        return call(request)

    return answer


def _credentials(request: Request) -> bytes:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""
