"""How many segments a text is sent and charged in: GSM-7 where it can be, else UCS-2. Pure."""

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")  # two places each


def count(text: str) -> int:
    if set(text) <= BASIC | EXTENDED:
        return _segments(len(text) + sum(character in EXTENDED for character in text), 160, 153)
    return _segments(len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67)


def _segments(places: int, alone: int, joined: int) -> int:
    """A text that needs several gives some of each to its number."""
    return 1 if places <= alone else -(-places // joined)
