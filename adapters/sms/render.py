"""Our messages -> SMS text. Pure."""

from gateway.errors import WillNeverArrive
from gateway.events import Outbound, Say

MAX_CHARS = 1600  # Twilio refuses a longer Body (error 21617)


def text_for(message: Outbound) -> str:
    """The text to send. Raises `WillNeverArrive` for what SMS cannot show yet."""
    if not isinstance(message, Say):
        raise WillNeverArrive("approvals cannot be shown by SMS yet")
    text = message.text.strip()
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
