"""A reply as its reader gets it: plain, in few segments, in parts, or its beginning and a link. Pure."""

from collections.abc import Sequence

from adapters.sms import segments, smart, splitting
from adapters.sms.plain import plain
from gateway.events import ThreadRef


def page(to: ThreadRef, text: str, *, most: int) -> str | None:
    """What a page of it shows, where it would take more than `most` segments. None: it is sent whole."""
    whole = plain(text)
    cost = sum(_cost(to, part) for part in _parts(to, whole))
    return whole if cost > most else None


def parts(to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
    whole = plain(text)
    return [splitting.shortened(_smart(to, whole), _fits(to), link)] if link else _parts(to, whole)


def _parts(to: ThreadRef, whole: str) -> list[str]:
    return splitting.parts(_smart(to, whole), _fits(to))


def _has_segments(to: ThreadRef) -> bool:
    """WhatsApp's and RCS's addresses begin with a word of theirs; a message there is one, however it is written."""
    return ":" not in to.key


def _fits(to: ThreadRef) -> splitting.Fits:
    return splitting.by_segments if _has_segments(to) else splitting.by_characters


def _smart(to: ThreadRef, whole: str) -> str:
    return smart.plainer(whole) if _has_segments(to) else whole


def _cost(to: ThreadRef, part: str) -> int:
    """A full message elsewhere counts as a full text."""
    return segments.count(part) if _has_segments(to) else splitting.PART
