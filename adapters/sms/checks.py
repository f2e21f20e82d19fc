"""What `gateway doctor` asks Twilio about our account. Changes nothing there; what the answers mean is in `wanted`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from adapters.sms import wanted
from adapters.sms.refusals import meaning
from adapters.sms.settings import SmsSettings
from adapters.sms.wanted import CallsAt
from gateway import clocks
from gateway.ports import Clock, Finding

MOST_NUMBERS = 50


class Checks:
    def __init__(self, settings: SmsSettings, client: Client, clock: Clock, public_url: Callable[[], str]) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._public_url = public_url

    async def findings(self) -> Sequence[Finding]:
        """The account, what we send from, where it sends what comes in, and are we at one about the time?"""
        try:
            account, sender = await asyncio.gather(self._account(), self._sender())
        except (aiohttp.ClientError, TimeoutError):
            return [Finding(False, "sms: Twilio cannot be reached", "see SMS__API_URL and this machine's network")]
        except TwilioRestException as error:
            return [Finding(False, f"sms: {meaning(error)}", _advice(error))]
        except (TwilioException, ValueError):
            return [Finding(False, "sms: Twilio's answer cannot be read", "see SMS__API_URL")]
        return [*account, *sender]

    async def _account(self) -> list[Finding]:
        before = self._clock()
        answer = await self._client.api.v2010.accounts(self._settings.account_sid).fetch_with_http_info_async()
        after, account = self._clock(), answer.data
        found = [wanted.account(str(account.status), str(account.type or ""))]
        found += wanted.tokens(len(self._settings.tokens))
        return [*found, *clocks.by_header("sms", (answer.headers or {}).get("Date"), before, after)]

    async def _sender(self) -> list[Finding]:
        ours = self._settings.sender
        if ours.startswith("MG"):
            return await self._service(ours)
        if ours.startswith("+"):
            numbers = await self._client.incoming_phone_numbers.list_async(phone_number=ours, limit=MOST_NUMBERS)
            return self._number(ours, [one for one in numbers if one.phone_number == ours])
        if not ours.isascii() or not ours.isdigit():
            return [Finding(False, f"sms: nobody can answer {ours}: it is a name", "set SMS__FROM to a number")]
        codes = [one for one in await self._client.short_codes.list_async(short_code=ours) if one.short_code == ours]
        if not codes:
            return [_not_there(ours)]
        return [Finding(True, f"sms: {ours} is in the account"), *self._calls(ours, codes[0])]

    def _number(self, ours: str, found: Sequence[Any]) -> list[Finding]:
        if not found:
            return [_not_there(ours)]
        able = wanted.capabilities(ours, found[0].capabilities or {})
        there = Finding(True, f"sms: {ours} is in the account")
        return [there, *able, *(self._calls(ours, found[0]) if able[0].ok else [])]

    async def _service(self, ours: str) -> list[Finding]:
        if self._settings.api_url:
            self._client.messaging.base_url = self._settings.api_url.rstrip("/")
        resource = self._client.messaging.v1.services(ours)
        try:
            service, numbers, codes = await asyncio.gather(
                resource.fetch_async(),
                resource.phone_numbers.list_async(limit=MOST_NUMBERS),
                resource.short_codes.list_async(limit=MOST_NUMBERS),
            )
        except TwilioRestException as error:
            if error.status == 404:
                return [_not_there(ours)]
            raise
        found = [Finding(True, f"sms: {ours} is in the account")]
        if not numbers and not codes:
            return [*found, Finding(False, f"sms: {ours} has no number", "add one to the service at Twilio")]
        for one in numbers:
            found += wanted.capabilities(str(one.phone_number), one.capabilities or [])
        if service.use_inbound_webhook_on_number:
            return [*found, *await self._each({str(one.sid) for one in numbers} | {str(one.sid) for one in codes})]
        at = CallsAt(service.inbound_request_url or "", service.inbound_method or "", service.fallback_url or "")
        return [*found, *wanted.calls(ours, at, self._public_url())]

    async def _each(self, sids: set[str]) -> list[Finding]:
        """Of a service that leaves it to its numbers."""
        numbers, codes = await asyncio.gather(
            self._client.incoming_phone_numbers.list_async(), self._client.short_codes.list_async()
        )
        found: list[tuple[str, Any]] = [(str(one.phone_number), one) for one in numbers if one.sid in sids]
        found += [(str(one.short_code), one) for one in codes if one.sid in sids]
        return [finding for name, one in found for finding in self._calls(name, one)]

    def _calls(self, name: str, resource: Any) -> list[Finding]:
        if application := getattr(resource, "sms_application_sid", ""):
            advice = f"see that it calls {wanted.address(self._public_url())}, or take the application away"
            return [Finding(True, f"sms: {name} leaves what comes in to the application {application}", advice)]
        at = CallsAt(resource.sms_url or "", resource.sms_method or "", resource.sms_fallback_url or "")
        return wanted.calls(name, at, self._public_url())


def _not_there(ours: str) -> Finding:
    return Finding(False, f"sms: {ours} is not in the account", "see SMS__FROM")


def _advice(error: TwilioRestException) -> str:
    if error.status in (401, 403):
        return "the first token in SMS__AUTH_TOKEN must be that of SMS__ACCOUNT_SID"
    return "see SMS__ACCOUNT_SID and SMS__FROM"
