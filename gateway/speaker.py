"""Who is speaking, told to the agent in a form the customer cannot forge. Pure.

A post begins with one `<sender .../>` line of ours, then a `[Not delivered: ...]` line for each reply that was lost,
and ends with an `[attached: ...]` line for each file. All three in a customer's text are made harmless, and so is
`<vs-context>`, by which an agent platform is handed its own objects: agent files may name them, customers not.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import takewhile

from gateway.events import MediaRef, MessageReceived

MAX_NAME = 100  # characters of a file's name
NOT_PASSED_ON = "not passed on"
NOT_DELIVERED = "[Not delivered: "
FORGED_LINE = re.compile(r"\[(?=\s*+(?:attached|not\s++delivered)\s*+:)", re.IGNORECASE)
# Possessive: a text may be nothing but white space, of which no run is read twice.
FORGED = re.compile(r"<(?=\s*+/?\s*+(?:sender|transcript|vs-context)\b)", re.IGNORECASE)


def post_text(
    event: MessageReceived, transcript: str = "", attached: Sequence[str] | None = None, undelivered: Sequence[str] = ()
) -> str:
    """The text that is posted to the session for a customer's message; `transcript` is what it has to be told first.

    `attached`: the lines that tell of its files, one each; None: as the message itself names them.
    `undelivered`: those that tell which replies did not arrive.
    """
    who = {"channel": event.sender.channel, "address": event.sender.address, "proof": event.sender.proof.value}
    if event.sender.name:
        who["name"] = event.sender.name
    words = " ".join(f'{word}="{_attribute(value)}"' for word, value in who.items())
    # Without white space at its end: a platform may trim that, and by its text the post is found again in the history.
    head = "\n".join([f"<sender {words}/>", *undelivered])
    return f"{head}\n{transcript}{harmless(event.text)}{_attachments(event, attached)}".rstrip()


def harmless(text: str) -> str:
    """A customer's words in which no tag is left that means something to the agent or its platform."""
    return FORGED_LINE.sub("(", FORGED.sub("&lt;", text))


def not_delivered(at: datetime, why: str, *, part: bool = False) -> str:
    """The line that tells the agent of a reply that did not reach the customer. `why`: as carriers' reports say it."""
    code, colon, rest = why.partition(": ")
    reason = (rest if colon and code.isdigit() else why).partition(";")[0]
    reason = re.sub(r"[\x00-\x20\x7f-\x9f\u2028-\u202e\u2066-\u2069]+", " ", reason).strip()[:MAX_NAME]
    reason = harmless(reason.replace("[", "(").replace("]", ")"))
    what = "part of your reply" if part else "your reply"
    return f"{NOT_DELIVERED}{what} of {at:%d %b %H:%M} UTC ({reason or 'nobody says why'})]"


def undelivered_in(posted: str) -> list[str]:
    """Those lines of a post that was made before."""
    return list(takewhile(lambda line: line.startswith(NOT_DELIVERED), posted.split("\n")[1:]))


def attachment(media: MediaRef, refused: str = "") -> str:
    """The line that tells of one file; `refused`: why the agent does not get it."""
    note = f", {NOT_PASSED_ON}: {refused}" if refused else ""
    return f"[attached: {attachment_name(media)}{note}]"


def passed_on(posted: str, files: int) -> Sequence[bool]:
    """Of a post with so many files: which of them it says are with it."""
    lines = posted.split("\n")[-files:] if files else []
    return [f", {NOT_PASSED_ON}: " not in line for line in lines]


def attachment_name(media: MediaRef) -> str:
    """Its name, or else its kind, in which nothing ends the line or passes for our note."""
    name = re.sub(r"[\x00-\x20\x7f-\x9f\u2028-\u202e\u2066-\u2069]+", " ", media.name or media.mime_type).strip()
    name = name.replace("[", "(").replace("]", ")")[:MAX_NAME]
    return harmless(re.sub(rf",(?=\s*{NOT_PASSED_ON})", ";", name, flags=re.IGNORECASE))


def _attribute(value: str) -> str:
    return escape(re.sub(r"\s+", " ", value), quote=True)


def _attachments(event: MessageReceived, attached: Sequence[str] | None) -> str:
    lines = [attachment(media) for media in event.media] if attached is None else attached
    return "".join(f"\n{line}" for line in lines)
