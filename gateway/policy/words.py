"""What every table of gateway.toml is made of: closed words, times, addresses and places. Pure."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from gateway.events import Identity, ThreadRef

CHANNELS = ("slack", "sms", "email", "web", "console")
SHOWN_ON = ("slack", "sms", "whatsapp")  # where a request, a reminder or an alert can be sent today
TEAM = r"([TE][A-Z0-9]{2,}/)?"
FORMS = {
    "slack": (TEAM + "[UW][A-Z0-9]{2,}", "a Slack member id, such as U0123ABCD or T0TEAM/U0123ABCD"),
    "sms": (r"\+[1-9][0-9]{6,14}", "a number with its country, such as +15550002222"),
    "whatsapp": (r"\+[1-9][0-9]{6,14}", "a number with its country, such as +15550002222"),
    "email": (r"[^@\s]+@[^@\s]+\.[^@\s]+", "a mail address, such as ana@acme.example"),
}
GROUPS = (TEAM + "S[A-Z0-9]{2,}", "the id of a Slack user group, such as S0123ABCD")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Words(BaseModel):
    """A table: an unknown word in it is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def duration(value: object) -> timedelta:
    """`90s`, `15m`, `24h`, `30d`."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", value) if isinstance(value, str) else None
    if not found or int(found[1]) == 0:
        raise ValueError("a time is a number and one of s, m, h, d, such as 15m or 24h")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def written(time: timedelta) -> str:
    """The same time as it is written in the file."""
    seconds = round(time.total_seconds())
    for letter, one in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % one == 0:
            return f"{seconds // one}{letter}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(duration), PlainSerializer(written, return_type=str, when_used="json")]


def misformed(channel: str, address: str) -> str:
    """Why nobody can have this address there; empty: somebody may."""
    form, meant = GROUPS if address.startswith("group:") else FORMS.get(channel, (".*", ""))
    return "" if re.fullmatch(form, address.removeprefix("group:")) else f"it is not {meant}"


def known_as(word: str, address: str) -> tuple[str, str]:
    """Channel and address of what is written under a word: WhatsApp is reached on the channel of texts."""
    return ("sms", f"whatsapp:{address}") if word == "whatsapp" else (word, address)


def as_written(identity: str) -> str:
    """`channel:address` as an approver is written."""
    return identity.removeprefix("sms:") if identity.startswith("sms:whatsapp:") else identity


def holder(address: str) -> str:
    """A number is one person's, on SMS, WhatsApp and RCS."""
    return address.removeprefix("whatsapp:").removeprefix("rcs:")


def same_address(who: Identity, channel: str, address: str) -> bool:
    """Does a written address mean this identity? Slack's may carry its team (`T0TEAM/U0ANA`); a bare id will do."""
    channel, address = known_as(channel, address)
    if not address or channel != who.channel:
        return False
    account, slash, bare = address.rpartition("/")
    if slash:
        return account == who.account and bare == who.address
    return folded(channel, address) == folded(channel, who.address)


def may_be_one(address: str, other: str) -> bool:
    """May two written addresses mean the same? Of two with a team each, both must be equal."""
    team, slash, bare = address.rpartition("/")
    other_team, other_slash, other_bare = other.rpartition("/")
    return bare == other_bare and not (slash and other_slash and team != other_team)


def folded(channel: str, address: str) -> str:
    """An address as it is compared: a mail address is the same in capitals."""
    return address.casefold() if channel == "email" else address


def place(written: str) -> ThreadRef:
    """`slack:C0OPS`, `slack:T0TEAM/C0OPS`, `sms:+15550002222` or `whatsapp:+15550002222` as a destination."""
    word, _, written = written.partition(":")
    channel, address = known_as(word, written)
    account, _, key = address.rpartition("/")
    return ThreadRef(channel, account, key)


def shown_somewhere(written: str) -> str:
    """Refuses a place to which nothing can be sent yet, by its name."""
    channel, _, address = written.partition(":")
    if channel not in SHOWN_ON or not address:
        named = ", ".join(f'"{name}:..."' for name in SHOWN_ON)
        raise ValueError(f'only {named} is built yet, not "{written}"')
    return written
