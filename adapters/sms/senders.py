"""Who can be answered: a person's number, not a short code, a name, or what is no number at all. Pure."""

import re

PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
ELSEWHERE = re.compile(r"[a-z]+:\S+")  # WhatsApp, RCS and their like have addresses of their own


def is_phone(address: str) -> bool:
    return PHONE.fullmatch(address) is not None


def can_be_answered(address: str, *ours: str) -> bool:
    """A short code ("12345") is a machine's: a bank's, a courier's. A name ("AMAZON") takes no answer.

    Nor is one of `ours` answered: we would talk to ourselves.
    """
    return address not in ours and (is_phone(address) or ELSEWHERE.fullmatch(address) is not None)
