"""Reading a decision in a person's words: a whole message with one verb and one code. Pure, and never the model.

Hedges, bare verbs, other languages' words and the carriers' keywords (STOP, YES, CANCEL, ...) are no verdicts.
"""

import re
import unicodedata
from dataclasses import dataclass

from gateway.events import Verdict

DENY_WORDS = frozenset({"no", "deny"})
APPROVE_WORDS = frozenset({"yes", "approve"})
VERBS = DENY_WORDS | APPROVE_WORDS
LONGEST = 2_000  # characters; NFKC takes quadratic time over marks in a wrong order, and no text message is as long
MOST_CODES = 10  # of a sentence
SPACE = r"[ \t\r\n]"  # what nobody sees, and what is no space, neither joins words nor parts them
BETWEEN = rf"(?:(?:[.,:;]|!+)?{SPACE}+|[.,:;])"
CODE = re.compile(r"[0-9]{6}")
ROUGHLY_A_CODE = re.compile(r"(?<![0-9])[0-9]{3}[ -]?[0-9]{3}(?![0-9])")
PUNCTUATION = re.compile(r"[ \t\r\n.,:;!]+")


def _shape(verbs: frozenset[str]) -> re.Pattern[str]:
    verb, code = f"(?:{'|'.join(sorted(verbs))})", r"([0-9]{6})"
    either = rf"{verb}{BETWEEN}{code}|{code}{BETWEEN}{verb}"
    return re.compile(rf"{SPACE}*(?:{either})(?:[.,:;]|!+)?{SPACE}*")


DENIAL, APPROVAL = _shape(DENY_WORDS), _shape(APPROVE_WORDS)


@dataclass(frozen=True, slots=True)
class Decided:
    verdict: Verdict
    code: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It holds what may be a code, and does not decide: where that is one of theirs, ask which."""


def read(text: str) -> Decided | Unclear | None:
    """What a message decides. None: ordinary words, for the agent. In linear time.

    Deny words are looked for first: "don't allow this" must never read as a yes.
    """
    plain = _plain(text)
    for shape, verdict in ((DENIAL, Verdict.DENY), (APPROVAL, Verdict.APPROVE)):
        if (found := shape.fullmatch(plain)) and not _unfolds(text):
            return Decided(verdict, found[1] or found[2])
    return Unclear() if codes_in(text) else None


def codes_in(text: str) -> list[str]:
    """Whatever may be meant for a code, however it is written; at most the first ten."""
    found = (re.sub("[ -]", "", one[0]) for one in ROUGHLY_A_CODE.finditer(_bare_digits(text)))
    return list(dict.fromkeys(found))[:MOST_CODES]


def is_bare(text: str) -> bool:
    """Nothing but verbs and codes: then it was meant to decide, whatever it says."""
    words = _words(text)
    return any(map(CODE.fullmatch, words)) and all(word in VERBS or CODE.fullmatch(word) for word in words)


def is_only_verbs(text: str) -> bool:
    """A verb without a code: it decides nothing, and may answer something else."""
    words = _words(text)
    return bool(words) and VERBS.issuperset(words)


def _words(text: str) -> list[str]:
    return [word for word in PUNCTUATION.sub(" ", _plain(text)).split(" ") if word]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold() if len(text) <= LONGEST else text


def _bare_digits(text: str) -> str:
    """Digits of any script as ours, and nothing that cannot be seen."""
    if len(text) > LONGEST or text.isascii():
        return text
    seen = (c for c in _plain(text) if unicodedata.category(c) not in ("Cf", "Mn", "Me"))
    return "".join(str(unicodedata.decimal(c, c)) for c in seen)


def _unfolds(text: str) -> bool:
    """Does one character of it stand for several letters or digits? The sign for "number" is no denial."""
    return any(sum(map(str.isalnum, unicodedata.normalize("NFKC", c))) > 1 for c in text if not c.isascii())
