"""Reading a decision in a person's words: a whole message with one verb and one code. Pure, and never the model.

Hedges, bare verbs and the carriers' keywords (STOP, YES, CANCEL, ...) are no verdicts.
"""

import re
import unicodedata
from dataclasses import dataclass

from gateway.events import Verdict

DENY_WORDS = frozenset({"no", "deny"})
APPROVE_WORDS = frozenset({"yes", "approve"})
CODE = re.compile(r"[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Decided:
    verdict: Verdict
    code: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It has a code, or a verb and something to decide, but does not decide: ask which."""


def read(text: str) -> Decided | Unclear | None:
    """What a message decides. None: ordinary words, for the agent.

    Deny words are looked for first: "don't allow this" must never read as a yes.
    """
    words, codes = _words(text), codes_in(text)
    if not codes:
        return None
    if len(words) != 2 or len(codes) != 1:
        return Unclear()
    verb = next(word for word in words if word not in codes)
    if verb in DENY_WORDS:
        return Decided(Verdict.DENY, codes[0])
    if verb in APPROVE_WORDS:
        return Decided(Verdict.APPROVE, codes[0])
    return Unclear()


def codes_in(text: str) -> list[str]:
    """Whatever has the form of a code."""
    return [word for word in _words(text) if CODE.fullmatch(word) and word.isascii()]


def is_bare(text: str) -> bool:
    """Nothing but verbs and codes: then it was meant to decide, whatever it says."""
    codes = codes_in(text)
    return bool(codes) and all(word in codes or word in DENY_WORDS | APPROVE_WORDS for word in _words(text))


def _words(text: str) -> list[str]:
    return re.sub(r"[\s.,!:;]+", " ", unicodedata.normalize("NFKC", text).casefold()).split()
