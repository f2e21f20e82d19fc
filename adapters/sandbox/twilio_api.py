"""Twilio's REST API for messages, as far as a gateway uses it: what twilio's client talks to.

Answers what Twilio answers, errors included, and reports back with signed status callbacks.
"""

import asyncio
import hmac
import logging
from base64 import b64decode
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.sandbox import twilio_templates as templates
from adapters.sandbox.errors import GatewayAway
from adapters.sandbox.line import Line
from adapters.sandbox.phones import Phones, new_sid
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Thing
from adapters.sandbox.twilio_rules import TwilioSaysNo, check_message, segments

log = logging.getLogger(__name__)

VERSION = "2010-04-01"
OUTSIDE_WINDOW = "63016"  # WhatsApp: free words to somebody who did not write in the last 24 hours


class TwilioApi:
    def __init__(self, settings: SandboxSettings, phones: Phones, line: Line) -> None:
        self._settings = settings
        self._phones = phones
        self._line = line
        self._under_way: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        account = f"/twilio/{VERSION}/Accounts/{{account}}"
        return [
            Route(f"{account}/Messages.json", self.messages, methods=["GET", "POST"]),
            Route(f"{account}/Messages/{{sid}}.json", self.message, methods=["GET"]),
            Route(f"/twilio/v1/Content/{templates.SID}", self.template, methods=["GET"]),
            Route(f"/twilio/v1/Content/{templates.SID}/ApprovalRequests", self.template, methods=["GET"]),
            Route(f"{account}.json", self.account, methods=["GET"]),
        ]

    async def messages(self, request: Request) -> Response:
        try:
            self._check_account(request)
            return self._list(request) if request.method == "GET" else self._create(await request.form())
        except TwilioSaysNo as no:
            return no.response()

    async def message(self, request: Request) -> Response:
        try:
            self._check_account(request)
            text = self._phones.text(request.path_params["sid"])
            if text is None:
                raise TwilioSaysNo(20404, f"The requested resource {request.url.path} was not found", 404)
        except TwilioSaysNo as no:
            return no.response()
        return JSONResponse(self._as_resource(text))

    async def template(self, request: Request) -> Response:
        try:
            self._check_credentials(request)
        except TwilioSaysNo as no:
            return no.response()
        approval = request.url.path.endswith("ApprovalRequests")
        return JSONResponse(templates.approval() if approval else templates.definition())

    async def account(self, request: Request) -> Response:
        try:
            self._check_account(request)
        except TwilioSaysNo as no:
            return no.response()
        sid = self._settings.sms_account_sid
        return JSONResponse(
            {
                "sid": sid,
                "owner_account_sid": sid,
                "friendly_name": "Sandbox",
                "status": "active",
                "type": "Trial",
                "auth_token": None,
                "date_created": "Thu, 01 Jan 2026 00:00:00 +0000",
                "date_updated": "Thu, 01 Jan 2026 00:00:00 +0000",
                "uri": f"/{VERSION}/Accounts/{sid}.json",
                "subresource_uris": {"messages": f"/{VERSION}/Accounts/{sid}/Messages.json"},
            }
        )

    async def aclose(self) -> None:
        """Whatever is still being delivered is given up."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _check_credentials(self, request: Request) -> None:
        sid, token = self._settings.sms_account_sid, self._settings.sms_auth_token
        if not hmac.compare_digest(_credentials(request), f"{sid}:{token}".encode()):
            raise TwilioSaysNo(20003, "Authenticate", 401)

    def _check_account(self, request: Request) -> None:
        self._check_credentials(request)
        if request.path_params["account"] != self._settings.sms_account_sid:
            raise TwilioSaysNo(20404, f"The requested resource {request.url.path} was not found", 404)

    def _create(self, form: FormData) -> Response:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        check_message(fields, self._settings, self._phones)
        body, buttons = templates.shown(fields)
        text = self._phones.keep(
            direction="outbound",
            ours=self._settings.our_end(fields["To"]),
            theirs=fields["To"],
            body=body,
            sid=new_sid(),
            status="queued",
            buttons=buttons,
        )
        # After the answer, so that the client learns the sid before the first callback names it.
        deliver = BackgroundTask(self._start_delivery, text, fields.get("StatusCallback", ""))
        return JSONResponse(self._as_resource(text), status_code=201, background=deliver)

    async def _start_delivery(self, text: Thing, callback: str) -> None:
        task = asyncio.create_task(self._deliver(text, callback))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _deliver(self, text: Thing, callback: str) -> None:
        if not text["buttons"] and not self._phones.may_be_written_to(text["number"]):
            self._phones.mark(text["sid"], "failed", OUTSIDE_WINDOW)
            await self._report(text, "failed", callback, OUTSIDE_WINDOW)
            return
        for status in ("sent", "delivered"):
            self._phones.mark(text["sid"], status)
            await self._report(text, status, callback)

    async def _report(self, text: Thing, status: str, callback: str, error: str = "") -> None:
        public = self._settings.public_url.rstrip("/")
        if not callback.startswith(public + "/"):
            # The sandbox calls nobody but its gateway.
            return
        form = {
            "SmsSid": text["sid"],
            "SmsStatus": status,
            "MessageStatus": status,
            "To": text["number"],
            "MessageSid": text["sid"],
            "AccountSid": self._settings.sms_account_sid,
            "From": text["ours"],
            "ApiVersion": VERSION,
            **({"ErrorCode": error} if error else {}),
        }
        try:
            await self._line.twilio(callback.removeprefix(public), form)
        except GatewayAway as away:
            log.warning("sandbox: a status callback got no answer: %s", away)

    def _list(self, request: Request) -> Response:
        asked = request.query_params
        shown = [
            resource
            for resource in map(self._as_resource, reversed(self._phones.texts()))
            if asked.get("To") in (None, resource["to"]) and asked.get("From") in (None, resource["from"])
        ]
        size, page = min(int(asked.get("PageSize", 50)), 1000), int(asked.get("Page", 0))
        path = f"/{VERSION}/Accounts/{self._settings.sms_account_sid}/Messages.json"

        def page_uri(number: int) -> str:
            return f"{path}?{urlencode(dict(asked) | {'PageSize': size, 'Page': number})}"

        return JSONResponse(
            {
                "first_page_uri": page_uri(0),
                "next_page_uri": page_uri(page + 1) if len(shown) > (page + 1) * size else None,
                "previous_page_uri": page_uri(page - 1) if page else None,
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": min((page + 1) * size, len(shown)) - 1,
                "uri": page_uri(page),
                "messages": shown[page * size : (page + 1) * size],
            }
        )

    def _as_resource(self, text: Thing) -> Thing:
        account, sid = self._settings.sms_account_sid, text["sid"]
        uri = f"/{VERSION}/Accounts/{account}/Messages/{sid}"
        inbound = text["direction"] == "inbound"
        moment = format_datetime(datetime.fromisoformat(text["at"]))
        service = self._settings.sms_from
        return {
            "account_sid": account,
            "api_version": VERSION,
            "body": text["body"],
            "date_created": moment,
            "date_sent": moment if text["status"] != "queued" else None,
            "date_updated": moment,
            "direction": "inbound" if inbound else "outbound-api",
            "error_code": int(text["error"]) if text.get("error") else None,
            "error_message": None,
            "from": text["number"] if inbound else text["ours"],
            "messaging_service_sid": service if service.startswith("MG") else None,
            "num_media": "0",
            "num_segments": str(segments(text["body"])),
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": text["status"],
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": text["ours"] if inbound else text["number"],
            "uri": f"{uri}.json",
        }


def _credentials(request: Request) -> bytes:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""
