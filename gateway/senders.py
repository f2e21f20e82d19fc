"""Who wrote, where, with what attached, and whether they want to be written to: values that events are made of.

No behaviour and no I/O; the rest of the gateway finds them in `events.py`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True)
class ThreadRef:
    """One conversation as its channel sees it, and where an answer goes. `key` is opaque outside its adapter.

    `account` is our end (a Slack team, a number, a mailbox); empty means the channel's only account.
    """

    channel: str
    account: str
    key: str


class Proof(StrEnum):
    """How far a sender's identity is proven."""

    NONE = "none"  #: only claimed, such as a mail's From line
    CARRIER = "carrier"  #: the phone network's word; caller ids can be forged
    PLATFORM = "platform"  #: signed in at the platform that signed the request
    TOKEN = "token"  # noqa: S105 - a word, not a token: they showed their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An address on a channel: `U0ANA` in team `T0TEAM`, a number, a mail address. `name` is for eyes only."""

    channel: str
    account: str = ""
    address: str
    name: str = ""
    proof: Proof = Proof.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaRef:
    """Something attached. `where` is opaque outside its adapter (`Channel.fetch` reads it)."""

    where: str
    mime_type: str = "application/octet-stream"
    name: str = ""
    size: int = 0  #: in bytes, where the platform says


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a message says of being written to: no more (`out`), again (`in`), or it asks who we are (`help`).

    `source`: the carrier said so, the whole message is a carrier's keyword, or other words that mean it.
    """

    state: Literal["out", "in", "help"]
    source: Literal["carrier", "keyword", "words"]
    only_back: bool = False  #: ordinary words, unless they want no messages now
