"""What `gateway doctor` looks at in a Twilio account."""

from collections.abc import Sequence
from dataclasses import replace

import aiohttp
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from adapters.sms.refusals import meaning
from adapters.sms.settings import SmsSettings
from gateway import clocks
from gateway.ports import Clock, Finding

MOST_NUMBERS = 50


class Checks:
    def __init__(self, settings: SmsSettings, client: Client, clock: Clock) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock

    async def findings(self) -> Sequence[Finding]:
        """Is the account active, is what we send from in it, and are we at one about the time?"""
        before = self._clock()
        try:
            answer = await self._client.api.v2010.accounts(self._settings.account_sid).fetch_with_http_info_async()
            after, has_sender = self._clock(), await self._has_sender()
        except (aiohttp.ClientError, TimeoutError):
            return [Finding(False, "sms: Twilio cannot be reached", "see SMS__API_URL and this machine's network")]
        except TwilioRestException as error:
            return [Finding(False, f"sms: {meaning(error)}", "see SMS__ACCOUNT_SID and SMS__AUTH_TOKEN")]
        except (TwilioException, ValueError):
            return [Finding(False, "sms: Twilio's answer cannot be read", "see SMS__API_URL")]
        account = Finding(answer.data.status == "active", f"sms: the Twilio account is {answer.data.status}")
        sender = Finding(has_sender, f"sms: {self._settings.sender} is {'in' if has_sender else 'not in'} the account")
        if not has_sender:
            sender = replace(sender, advice="see SMS__FROM")
        return [account, sender, *clocks.by_header("sms", (answer.headers or {}).get("Date"), before, after)]

    async def _has_sender(self) -> bool:
        ours = self._settings.sender
        if ours.startswith("MG"):
            if self._settings.api_url:
                self._client.messaging.base_url = self._settings.api_url.rstrip("/")
            try:
                return bool((await self._client.messaging.v1.services(ours).fetch_async()).sid)
            except TwilioRestException as error:
                if error.status == 404:
                    return False
                raise
        if ours.startswith("+"):
            numbers = await self._client.incoming_phone_numbers.list_async(phone_number=ours, limit=MOST_NUMBERS)
            return any(one.phone_number == ours for one in numbers)
        return any(one.short_code == ours for one in await self._client.short_codes.list_async(short_code=ours))
