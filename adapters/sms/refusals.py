"""What an error of Twilio's means for whoever called. Pure."""

from twilio.base.exceptions import TwilioRestException

from gateway.errors import KeyRefused, OptedOut, TryLater, Uncertain, WillNeverArrive

TOO_MANY = 20429  # Twilio's code beside HTTP 429
OPTED_OUT = 21610  # whoever should get it has written STOP


def meaning(error: TwilioRestException) -> Exception:
    """To be raised in its place."""
    said = f"Twilio said {error.status}, code {error.code}"
    if error.status == 429 or error.code == TOO_MANY:
        return TryLater(said)
    if error.status >= 500:
        return Uncertain(said)
    if error.code == OPTED_OUT:
        return OptedOut(said)
    if error.status in (401, 403):
        return KeyRefused(f"{said}: check SMS__ACCOUNT_SID and SMS__AUTH_TOKEN")
    return WillNeverArrive(said)


def is_passing(error: Exception) -> bool:
    """A page that did not come: the client keeps the answer as the second argument of its error."""
    status = getattr(error.args[1], "status_code", 0) if len(error.args) > 1 else 0
    return bool(status == 429 or status >= 500)
