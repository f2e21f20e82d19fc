"""How the command line shows things: plain aligned text for people, JSON for scripts. Time is UTC."""

import dataclasses
import json
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

GAP = "  "


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return columns([head, *rows])


def columns(rows: Sequence[Sequence[object]]) -> str:
    """Each as wide as needed and no wider; the last one is not padded."""
    cells = [[visible(str(cell)) for cell in row] for row in rows]
    widths = [max(len(line[number]) for line in cells) for number in range(len(cells[0]))]
    padded = (GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(line.rstrip() for line in padded)


def as_json(value: object) -> str:
    return json.dumps(value, indent=2, default=_plain)


def when(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def visible(text: str, *, keep: str = "") -> str:
    """Somebody else's words for a terminal: what would steer it or deceive the eye is spelled out, but for `keep`."""
    return "".join(one if one in keep or not _hidden(one) else f"\\u{ord(one):04x}" for one in text)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, bytes):
        return value.hex()  # somebody's hand: SQLite keeps what is written, whatever the column is
    return dataclasses.asdict(value)
