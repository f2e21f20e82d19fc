"""Who somebody is: the directory's persons, and how approvers are written. Pure."""

from collections.abc import Iterator

from pydantic import ValidationInfo, field_validator

from gateway.events import Identity
from gateway.policy.words import CHANNELS, FORMS, Words, known_as, misformed, same_address

REQUESTER = "requester"
GROUP = "slack:group:"
TOKEN = "token"  # noqa: S105 - the channel of an identity that showed a person's own token; its address is the name


class Person(Words):
    """One person, whatever the surface."""

    slack: str = ""
    email: str = ""
    sms: str = ""
    whatsapp: str = ""

    @field_validator("slack", "email", "sms", "whatsapp")
    @classmethod
    def can_be_had(cls, address: str, word: ValidationInfo) -> str:
        if address and (why := misformed(str(word.field_name), address)):
            raise ValueError(f'"{address}": {why}')
        return address

    def has(self, who: Identity) -> bool:
        return any(same_address(who, channel, address) for channel, address in self.addresses())

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Channel and address, those that are filled in."""
        for word in ("slack", "sms", "whatsapp", "email"):
            if address := self.at(word):
                yield known_as(word, address)

    def at(self, word: str) -> str:
        """What is written for them under a word of the directory; empty: nothing."""
        return str(getattr(self, word)) if word in FORMS else ""


def known_form(approver: str) -> str:
    """A person's name, a bare identity, a group or the requester. Raises `ValueError`."""
    if approver == REQUESTER:
        return approver
    if approver.startswith(GROUP):
        if not approver.removeprefix(GROUP):
            raise ValueError(f'"{approver}" names no group; write it as {GROUP}S0LEADS')
        return approver
    channel, colon, address = approver.partition(":")
    if colon and (channel not in (*CHANNELS, "whatsapp") or not address):
        forms = "slack:U0123, sms:+1555..., whatsapp:+1555... or email:a@b.example"
        raise ValueError(f'"{approver}" is no identity; write it as {forms}')
    if channel in ("sms", "whatsapp") and not address.startswith("+"):
        raise ValueError(
            f'"{approver}" is no number like {channel}:+15550001111; a person is written by the name alone'
        )
    return approver


def can_decide(approver: str) -> str:
    """A form in which somebody can be known one day. Raises `ValueError`.

    For the file alone: the terms that a request keeps are older than this, and must be read whatever they say.
    """
    channel, colon, address = approver.partition(":")
    if colon and (why := misformed(channel, address)):
        raise ValueError(f'"{approver}" can never decide: {why}; a person of [people.*] is written by the name alone')
    return approver
