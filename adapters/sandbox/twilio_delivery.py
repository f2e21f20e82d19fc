"""What becomes of a text after Twilio took it: its states on the phone, each told to the gateway as Twilio tells it."""

import asyncio
import logging

from adapters.sandbox.errors import GatewayAway
from adapters.sandbox.line import Line
from adapters.sandbox.phones import Phones
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Thing
from adapters.sandbox.twilio_faults import TextFaults
from adapters.sandbox.twilio_rules import VERSION

log = logging.getLogger(__name__)

WAYS = {"delivered": ("queued", "sent", "delivered"), "undelivered": ("queued", "sent", "undelivered")}
NOT_SENT = ("queued", "failed")
OUTSIDE_WINDOW = 63016  # WhatsApp: free words to somebody who did not write in the last 24 hours


class Delivery:
    def __init__(self, settings: SandboxSettings, phones: Phones, line: Line, faults: TextFaults) -> None:
        self._settings = settings
        self._phones = phones
        self._line = line
        self._faults = faults
        self._under_way: set[asyncio.Task[None]] = set()

    def before_the_answer(self) -> bool:
        """Was it asked for that the next text's callbacks come before the answer to its call?"""
        return self._faults.met("early") is not None

    async def start(self, text: Thing, callback: str) -> None:
        """Go on beside everything else; an answer need not wait for it."""
        task = asyncio.create_task(self.run(text, callback))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def run(self, text: Thing, callback: str) -> None:
        end, error = self._fate(text)
        twice, backwards = self._faults.met("twice") is not None, self._faults.met("backwards") is not None
        states = [(status, error if status == end else 0) for status in WAYS.get(end, NOT_SENT)]
        if backwards:
            self._phones.mark(text["sid"], *states[-1])
        for status, code in reversed(states) if backwards else states:
            if not backwards:
                self._phones.mark(text["sid"], status, code)
            for _ in range(2 if twice else 1):
                await self._report(text, status, code, callback)

    def _fate(self, text: Thing) -> tuple[str, int]:
        """Its last state, and the code of what went wrong."""
        if not text.get("buttons") and not self._phones.may_be_written_to(text["number"]):
            return "failed", OUTSIDE_WINDOW
        asked = self._faults.met("undelivered", "failed")
        return (asked["kind"], asked["code"]) if asked else ("delivered", 0)

    async def aclose(self) -> None:
        """Whatever is still being delivered is given up."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _report(self, text: Thing, status: str, code: int, callback: str) -> None:
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
        }
        if self._settings.sms_from.startswith("MG"):
            form["MessagingServiceSid"] = self._settings.sms_from
        if code:
            form["ErrorCode"] = str(code)
        try:
            await self._line.twilio(callback.removeprefix(public), form)
        except GatewayAway as away:
            log.warning("sandbox: a status callback got no answer: %s", away)
