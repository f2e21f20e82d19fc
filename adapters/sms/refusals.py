"""What Twilio's codes mean: for us, and in words for operations. Pure.

The code alone decides, never Twilio's text. What is not in the table is given up, with its code.
"""

from dataclasses import dataclass
from enum import StrEnum

from twilio.base.exceptions import TwilioRestException

from gateway.errors import KeyRefused, Misconfigured, OptedOut, TryLater, Uncertain, WillNeverArrive
from gateway.events import Delivery


class Then(StrEnum):
    RETRY = "retry"  #: the same text may well arrive a little later
    GIVE_UP = "give up"
    STOP = "stop"  #: whoever should get it has written STOP
    SET_UP = "set up"  #: our own account is not as it must be: no text arrives until somebody mends it


@dataclass(frozen=True, slots=True)
class Refusal:
    """`means` is also told to the agent; `to_do` to operations alone."""

    then: Then
    means: str
    to_do: str = ""

    def says(self, code: int) -> str:
        return f"{code}: {self.means}; {self.to_do}" if self.to_do else f"{code}: {self.means}"


RETRY, GIVE_UP, STOP, SET_UP = Then

# (!) is what Twilio's own page of the code was read for. The others are as other users of Twilio describe them.
TABLE = {
    14107: Refusal(RETRY, "more than 30 texts went to this person in half a minute", "look for a loop"),  # (!)
    20003: Refusal(SET_UP, "Twilio does not take our credentials", "check SMS__ACCOUNT_SID and SMS__AUTH_TOKEN"),
    20429: Refusal(RETRY, "too many requests to Twilio at once"),  # (!) such a request was never processed
    21211: Refusal(GIVE_UP, "it is no phone number that can be texted"),
    21266: Refusal(GIVE_UP, "it is the number that we send from"),
    21408: Refusal(
        GIVE_UP,
        "texts to that country are switched off",
        "if they are wanted, enable the country in Twilio's console: Messaging, Settings, Geo permissions",
    ),
    21602: Refusal(GIVE_UP, "the text had no words"),
    21604: Refusal(GIVE_UP, "it named no number"),
    21606: Refusal(
        SET_UP, "we may not send from our number to there", "check SMS__FROM: is it in this account, and for texts?"
    ),  # (!)
    21608: Refusal(GIVE_UP, "a trial account texts verified numbers alone", "verify the number, or upgrade"),
    21610: Refusal(STOP, "this person has opted out of our texts"),
    21611: Refusal(RETRY, "ten hours of texts wait at Twilio already", "set SMS__RATE, or use more numbers"),  # (!)
    21612: Refusal(GIVE_UP, "no carrier takes a text from our number to there", "send from a number of that country"),
    21614: Refusal(GIVE_UP, "it is not a mobile number"),
    21617: Refusal(GIVE_UP, "the text is too long"),
    21635: Refusal(GIVE_UP, "the number is a landline"),  # (!)
    21655: Refusal(GIVE_UP, "the template for WhatsApp is unknown at Twilio", "check SMS__WHATSAPP_TEMPLATE"),
    21656: Refusal(GIVE_UP, "the template for WhatsApp was not filled in as it must be", "see `gateway doctor`"),  # (!)
    21661: Refusal(SET_UP, "our number cannot send texts", "check SMS__FROM"),  # (!)
    21701: Refusal(SET_UP, "our messaging service does not exist", "check SMS__FROM"),
    21703: Refusal(SET_UP, "our messaging service has no number to send from", "add one in Twilio's console"),
    30001: Refusal(RETRY, "too many texts were waiting at Twilio", "set SMS__RATE, or use more numbers"),  # (!)
    30002: Refusal(SET_UP, "our Twilio account is suspended", "look at Twilio's console"),
    30003: Refusal(RETRY, "the phone is off or out of reach"),  # (!)
    30004: Refusal(GIVE_UP, "this person, or their carrier, blocks our texts"),
    30005: Refusal(GIVE_UP, "the number is unknown, or no longer in service"),
    30006: Refusal(GIVE_UP, "the number is a landline, or its carrier cannot be reached"),  # (!)
    30007: Refusal(
        GIVE_UP, "it was filtered as spam", "change the words before anybody sends them again, and see Twilio's policy"
    ),  # (!)
    30008: Refusal(GIVE_UP, "the carrier did not say why"),
    30034: Refusal(
        SET_UP, "our US number is not registered (A2P 10DLC)", "register its brand and campaign in Twilio's console"
    ),
    30036: Refusal(GIVE_UP, "it waited at Twilio for too long"),  # (!)
    63014: Refusal(GIVE_UP, "this person blocks us there"),  # (!)
    63016: Refusal(GIVE_UP, "WhatsApp's 24 hours since their last message are over"),  # (!)
    63021: Refusal(GIVE_UP, "WhatsApp does not take what is in it"),  # (!)
    63024: Refusal(GIVE_UP, "there is no such person on WhatsApp"),
    63028: Refusal(GIVE_UP, "the template for WhatsApp has other variables", "see `gateway doctor`"),  # (!)
}

RAISES = {RETRY: TryLater, GIVE_UP: WillNeverArrive, STOP: OptedOut, SET_UP: Misconfigured}
STATES = {RETRY: Delivery.AGAIN, GIVE_UP: Delivery.FAILED, STOP: Delivery.REFUSED, SET_UP: Delivery.FAILED}


def meaning(error: TwilioRestException, *, retry_after: float | None = None) -> Exception:
    """To be raised in its place. `retry_after`: the seconds that Twilio asked us to wait."""
    code = error.code if isinstance(error.code, int) else 0
    known = TABLE.get(code)
    if error.status == 429 or (known is not None and known.then is RETRY):
        return TryLater(known.says(code) if known else _unknown(error.status, code), retry_after=retry_after)
    if error.status >= 500:
        return Uncertain(_unknown(error.status, code))
    if error.status in (401, 403):
        return KeyRefused(TABLE[20003].says(code or error.status))
    return RAISES[known.then](known.says(code)) if known else WillNeverArrive(_unknown(error.status, code))


def later(code: str) -> tuple[Delivery, str]:
    """Of a text that Twilio took, and of which it says afterwards that it failed: what it counts as, and why."""
    known = TABLE.get(int(code)) if code.isascii() and code.isdigit() else None
    if known is None:
        return Delivery.FAILED, f"{code}: Twilio says no more" if code else "Twilio says no more"
    return STATES[known.then], known.says(int(code))


def _unknown(status: int, code: int) -> str:
    return f"{code}: Twilio said {status}" if code else f"Twilio said {status}"


def is_passing(error: Exception) -> bool:
    """A page that did not come: the client keeps the answer as the second argument of its error."""
    status = getattr(error.args[1], "status_code", 0) if len(error.args) > 1 else 0
    return bool(status == 429 or status >= 500)
