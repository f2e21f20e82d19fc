"""Who is speaking, told to the agent in a form the customer cannot forge. Pure.

A post begins with one `<sender .../>` line of ours; the same tag in a customer's text is made harmless.
"""

import re
from html import escape

from gateway.events import MessageReceived

FORGED = re.compile(r"<(?=\s*/?\s*sender\b)", re.IGNORECASE)


def post_text(event: MessageReceived) -> str:
    """The text that is posted to the session for a customer's message."""
    who = {"channel": event.sender.channel, "address": event.sender.address, "proof": event.sender.proof.value}
    if event.sender.name:
        who["name"] = event.sender.name
    words = " ".join(f'{word}="{_attribute(value)}"' for word, value in who.items())
    return f"<sender {words}/>\n{FORGED.sub('&lt;', event.text)}{_attachments(event)}"


def _attribute(value: str) -> str:
    return escape(re.sub(r"\s+", " ", value), quote=True)


def _attachments(event: MessageReceived) -> str:
    return "".join(f"\n[attached: {FORGED.sub('&lt;', media.name or media.mime_type)}]" for media in event.media)
