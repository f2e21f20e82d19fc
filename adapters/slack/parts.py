"""What cards and forms are made of: text that Slack shows as it is, and Block Kit's smallest parts. Pure."""

import unicodedata
from datetime import UTC, datetime
from typing import Any

LOOKS_EMPTY = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and marks that show as nothing

Block = dict[str, Any]


def escape(text: str) -> str:
    """Text that Slack shows as it is: no mention, link or broadcast in it is live."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def visible(text: str) -> str:
    """Text for an approver's eyes: what would hide or reorder it is spelled out (`\\u202e`)."""
    return "".join(f"\\u{ord(c):04x}" if _deceives(c) else c for c in text)


def _deceives(character: str) -> bool:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\n\t"
    return hidden or character in LOOKS_EMPTY


def seen(text: str, most: int) -> str:
    """Visible, and no longer than `most`."""
    return cut(visible(text[: most + 1]), most)


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %b %H:%M UTC")


def words(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def section(text: str, most: int) -> Block:
    return {"type": "section", "text": words(seen(text, most))}


def labelled(label: str, then: str) -> Block:
    """A line that begins with a bold word."""
    return paragraph((f"{label} ", then))


def paragraph(*pairs: tuple[str, str]) -> Block:
    """Bold words, each with plain ones after them, none of it read as markup. An empty one is left out."""
    bold = {"style": {"bold": True}}
    parts = [part for label, then in pairs for part in (_text(label) | bold, _text(then)) if part["text"]]
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": parts}]}


def preformatted(text: str) -> Block:
    """Shown letter by letter, nothing in it read as markup."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [_text(text)]}]}


def button(action: str, value: str, label: str, **more: Any) -> Block:
    return {"type": "button", "action_id": action, "value": value, "text": words(label), **more}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
