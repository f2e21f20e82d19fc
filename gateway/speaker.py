"""Who is speaking, told to the agent in a form the customer cannot forge. Pure.

A post begins with one `<sender .../>` line of ours. That tag in a customer's text is made harmless, and so is
`<vs-context>`, by which an agent platform is handed its own objects: agent files may name them, customers not.
"""

import re
from html import escape

from gateway.events import MessageReceived

FORGED = re.compile(r"<(?=\s*/?\s*(?:sender|transcript|vs-context)\b)", re.IGNORECASE)


def post_text(event: MessageReceived, transcript: str = "") -> str:
    """The text that is posted to the session for a customer's message; `transcript` is what it has to be told first."""
    who = {"channel": event.sender.channel, "address": event.sender.address, "proof": event.sender.proof.value}
    if event.sender.name:
        who["name"] = event.sender.name
    words = " ".join(f'{word}="{_attribute(value)}"' for word, value in who.items())
    # Without white space at its end: a platform may trim that, and by its text the post is found again in the history.
    return f"<sender {words}/>\n{transcript}{harmless(event.text)}{_attachments(event)}".rstrip()


def harmless(text: str) -> str:
    """A customer's words in which no tag is left that means something to the agent or its platform."""
    return FORGED.sub("&lt;", text)


def _attribute(value: str) -> str:
    return escape(re.sub(r"\s+", " ", value), quote=True)


def _attachments(event: MessageReceived) -> str:
    return "".join(f"\n[attached: {harmless(media.name or media.mime_type)}]" for media in event.media)
