"""How many segments a text is sent and charged in: GSM-7 where it can be, else UCS-2. Pure."""

from collections.abc import Iterable

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")  # two places each
GSM_7, UCS_2 = "GSM-7", "UCS-2"


def encoding(text: str) -> str:
    """One character that GSM-7 lacks makes the whole text UCS-2."""
    return GSM_7 if set(text) <= BASIC | EXTENDED else UCS_2


def count(text: str) -> int:
    if encoding(text) == GSM_7:
        return _segments((1 + (character in EXTENDED) for character in text), 160, 153)
    return _segments((1 + (character > "\uffff") for character in text), 70, 67)


def _segments(widths: Iterable[int], alone: int, joined: int) -> int:
    """A text that needs several gives some of each to its number. No character is in two of them."""
    places, full, used = 0, 0, 0
    for width in widths:
        places += width
        if used + width > joined:
            full, used = full + 1, 0
        used += width
    return 1 if places <= alone else full + 1
