"""Who somebody is: the directory's persons, and how approvers are written. Pure."""

from collections.abc import Iterator

from pydantic import ValidationInfo, field_validator

from gateway.events import Identity
from gateway.policy.words import CHANNELS, Words, misformed, same_address

REQUESTER = "requester"
GROUP = "slack:group:"
TOKEN = "token"  # noqa: S105 - the channel of an identity that showed a person's own token; its address is the name


class Person(Words):
    """One person, whatever the surface."""

    slack: str = ""
    email: str = ""
    sms: str = ""

    @field_validator("slack", "email", "sms")
    @classmethod
    def can_be_had(cls, address: str, word: ValidationInfo) -> str:
        if address and (why := misformed(str(word.field_name), address)):
            raise ValueError(f'"{address}": {why}')
        return address

    def has(self, who: Identity) -> bool:
        return same_address(who, who.channel, getattr(self, who.channel, ""))

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Channel and address, those that are filled in."""
        for channel in ("slack", "sms", "email"):
            if address := getattr(self, channel):
                yield channel, address


def known_form(approver: str) -> str:
    """A person's name, a bare identity, a group or the requester. Raises `ValueError`."""
    if approver == REQUESTER:
        return approver
    if approver.startswith(GROUP):
        if not approver.removeprefix(GROUP):
            raise ValueError(f'"{approver}" names no group; write it as {GROUP}S0LEADS')
        return approver
    channel, colon, address = approver.partition(":")
    if colon and (channel not in CHANNELS or not address):
        raise ValueError(f'"{approver}" is no identity; write it as slack:U0123, sms:+1555... or email:a@b.example')
    if channel == "sms" and not address.startswith("+"):
        raise ValueError(f'"{approver}" is no number like sms:+15550001111; a person is written by the name alone')
    return approver


def can_decide(approver: str) -> str:
    """A form in which somebody can be known one day. Raises `ValueError`.

    For the file alone: the terms that a request keeps are older than this, and must be read whatever they say.
    """
    channel, colon, address = approver.partition(":")
    if colon and (why := misformed(channel, address)):
        raise ValueError(f'"{approver}" can never decide: {why}; a person of [people.*] is written by the name alone')
    return approver
