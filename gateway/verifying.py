"""Does the audit's chain hold? Follows it link by link and names the first that is broken. Pure: reads nothing itself.

A hash covers the hash before it and all columns of one audit row, so a row that was changed, removed, put in or moved
does not fit any more. Who rewrites the whole chain is found by a head that was posted before.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from gateway.digests import canonical

START = "0" * 64  # stands before the first link
UNREADABLE = ""  # in place of a text or a hash: somebody wrote there what the column does not take
_quick = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
Kind = Literal["changed", "removed", "reordered", "inserted", "rewritten", "cut off"]


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain, the audit row sealed there, and that row's text. None: the row is gone."""

    n: int
    audit_id: int
    hash: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """A hash that was told to somebody outside. `at` None: it comes from whoever asks."""

    n: int
    hash: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """The first link that does not hold: its place, the audit row there (None: unknown), and what is wrong."""

    n: int
    audit_id: int | None
    what: Kind
    says: str


def text_of(row: Mapping[str, Any]) -> str:
    """All columns of an audit row as one text. Empty ones are left out: a column added later leaves old seals whole.

    Raises `ValueError` for a number that no JSON holds.
    """
    plain = {
        name: value if type(value) in (str, int) else _plain(value) for name, value in row.items() if value is not None
    }
    # Without fractions, and under names in ASCII, RFC 8785 is what the C encoder writes in a fraction of the time.
    return canonical(plain) if float in map(type, plain.values()) else _quick(plain)


def follows(before: str, text: str) -> str:
    """The hash of a row whose link comes after the one with the hash `before`."""
    return hashlib.sha256(f"{before}\n{text}".encode("utf-8", "replace")).hexdigest()


class Chain:
    """Follows links in their order, and says so at the first that is broken; nothing is to be asked after that."""

    def __init__(self, heads: Iterable[Head] = ()) -> None:
        self.n = 0
        self.hash = START
        self._before = START  # of the link before the last one
        self._last: Link | None = None
        self._heads: dict[int, list[Head]] = {}
        for head in heads:
            self._heads.setdefault(head.n, []).append(head)

    def follow(self, link: Link) -> Break | None:
        broken = self._broken(link)
        if broken is None:
            self._before, self._last = self.hash, link
            self.n, self.hash = link.n, link.hash
        return broken

    def end(self) -> Break | None:
        """The chain ends here: is it as long as it was when its heads were posted?"""
        missing = sorted(n for n in self._heads if n > self.n)
        if not missing:
            return None
        last = max((head for n in missing for head in self._heads[n]), key=lambda head: head.n)
        says = f"the chain ends at place {self.n}, and a head {_posted(last)} was of place {last.n}"
        return Break(self.n + 1, None, "cut off", says)

    def _broken(self, link: Link) -> Break | None:
        if link.n < 1:
            return Break(link.n, link.audit_id, "inserted", f"a seal stands at place {link.n}, before the first")
        if link.n != self.n + 1:
            return Break(self.n + 1, None, "removed", f"the seal of place {self.n + 1} is gone; the next is {link.n}")
        if link.text is None:
            return Break(link.n, link.audit_id, "removed", f"audit row {link.audit_id} was sealed here and is gone")
        if link.text == UNREADABLE:
            says = f"audit row {link.audit_id}, or its seal, cannot be read: it holds what the gateway never writes"
            return Break(link.n, link.audit_id, "changed", says)
        if follows(self.hash, link.text) != link.hash:
            return self._unfitting(link, link.text)
        for head in self._heads.get(link.n, ()):
            if head.hash != link.hash:
                was = f"{head.hash[:16]}..." if head.hash else "of this place"
                says = f"a head {_posted(head)} was {was}, and this link is {link.hash[:16]}..."
                return Break(link.n, link.audit_id, "rewritten", says)
        return None

    def _unfitting(self, link: Link, text: str) -> Break:
        if self._last is not None and follows(self._before, text) == link.hash:
            says = f"audit row {self._last.audit_id} was put in here: the next link does not know it"
            return Break(self._last.n, self._last.audit_id, "inserted", says)
        says = f"audit row {link.audit_id}, or its seal, is not what it was when it was sealed"
        return Break(link.n, link.audit_id, "changed", says)


def moved(broken: Break, before: str, hash_there: str, rows: Iterable[tuple[int, str]]) -> Break | None:
    """The break, told better, when one of these rows is the one that was sealed in the broken place."""
    for audit_id, text in rows:
        if audit_id != broken.audit_id and follows(before, text) == hash_there:
            says = f"audit row {audit_id} was sealed here, and audit row {broken.audit_id} stands in its place"
            return Break(broken.n, broken.audit_id, "reordered", says)
    return None


def _posted(head: Head) -> str:
    if head.hash == UNREADABLE:
        return "that nobody can read any more"
    return f"posted on {head.at:%Y-%m-%d %H:%M} UTC" if head.at else "you gave"


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat()
        case bytes():
            return value.hex()  # SQLite keeps what somebody wrote, whatever the column is
        case _:
            return value
