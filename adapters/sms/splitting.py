"""A reply in as many texts as it needs, cut where a reader would pause, or its beginning and a link. Pure."""

import re
from collections.abc import Callable, Iterator

from adapters.sms import segments
from adapters.sms.clusters import may_cut

MOST_CHARS = 1600  # Twilio refuses a longer Body (error 21617)
LATE = 100  # characters that are left for the sentence with which a late reply begins
PART = 3  # segments of one text; longer ones are dropped by some carriers
ON = "Read on: "

Fits = Callable[[str], bool]

# Best first: after a paragraph, after a line or a sentence, between words. A colon stays with what it announces.
BORDERS = (
    re.compile(r"(?<![:\n])\n\n+"),
    re.compile(r"(?<![:\n])\n+|(?<=[^\W\d_][.!?…])[\"'”’»)\]]*\s+(?![a-z])|(?<=[\d)%][!?])\s+|(?<=[。！？])"),
    re.compile(r"\s+"),
)


def by_segments(text: str) -> bool:
    return len(text) <= MOST_CHARS and segments.count(text) <= PART


def by_characters(text: str) -> bool:
    """Where there are no segments. As UTF-16 counts, which is never less."""
    return len(text) + sum(character > "\uffff" for character in text) <= MOST_CHARS - LATE


def parts(text: str, fits: Fits) -> list[str]:
    """One text, or several of which each begins with its number, such as `(1/3) `. All words, in order."""
    if fits(text):
        return [text]
    digits = 1
    while True:
        found = list(_pieces(text, fits, f"({'9' * digits}/{'9' * digits}) "))
        if len(found) < 10**digits:
            return [f"({number}/{len(found)}) {piece}" for number, piece in enumerate(found, 1)]
        digits += 1


def shortened(text: str, fits: Fits, link: str) -> str:
    """The beginning of a text that is too long, and where the whole of it is."""
    on = f"\n\n{ON}{link}"
    end = _cut(text, lambda beginning: fits(f"{beginning} ...{on}"), last=2)
    beginning = text[:end].rstrip()
    if not fits(f"{beginning} ...{on}"):
        return on.strip()  # an address that takes all the room
    return beginning + ("" if re.search(r"[.!?…。！？:\"'”’»)\]]$", beginning) else " ...") + on


def _pieces(text: str, fits: Fits, number: str) -> Iterator[str]:
    while text:
        end = _cut(text, lambda piece: fits(number + piece))
        if piece := text[:end].rstrip():
            yield piece
        text = text[end:].lstrip("\n") if "\n" in text[end - 1 : end + 1] else text[end:].lstrip()


def _cut(text: str, fits: Fits, *, last: int = len(BORDERS)) -> int:
    """Where a piece that fits ends: at the best border in its second half, else at any between words, else anywhere.

    Never 0: where not even a cluster fits, it is cut in two; where not even a character does, it is one.
    """
    room = _room(text, fits)
    if room == len(text):
        return room
    for border in BORDERS[:last]:
        if found := _last(border, text, room, at_least=room // 2):
            return found
    if found := _last(BORDERS[-1], text, room, at_least=1):
        return found
    at = room
    while at and not may_cut(text, at):
        at -= 1
    return at or room


def _last(border: re.Pattern[str], text: str, room: int, *, at_least: int) -> int:
    """The last border at which a piece of at most `room` characters ends; 0: there is none."""
    window = text[: room + 2]  # white space behind the piece is not sent
    ends = [found.start() + len(found[0].rstrip()) for found in border.finditer(window)]
    return max((end for end in ends if at_least <= end <= room), default=0)


def _room(text: str, fits: Fits) -> int:
    """How many characters fit, at least one."""
    low, high = 1, min(len(text), MOST_CHARS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low
