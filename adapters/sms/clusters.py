"""Where a text may be cut without taking a letter or a picture apart. Pure."""

import unicodedata

JOINER = "\u200d"


def may_cut(text: str, at: int) -> bool:
    """Is there a border of grapheme clusters before `text[at]`? As Unicode's rules (UAX 29), but for rare scripts."""
    if not 0 < at < len(text):
        return True
    before, after = text[at - 1], text[at]
    if after == JOINER or before == JOINER or _extends(after):
        return False
    if _flag(before) and _flag(after):
        run = at
        while run and _flag(text[run - 1]):
            run -= 1
        return (at - run) % 2 == 0
    return True


def _extends(character: str) -> bool:
    """Marks, skin tones, the tags of a flag, later letters of a Korean syllable; what hangs on the one before it."""
    if character < "\u0300":
        return False
    tone_or_tag = "\U0001f3fb" <= character <= "\U0001f3ff" or "\U000e0020" <= character <= "\U000e007f"
    return tone_or_tag or "\u1160" <= character <= "\u11ff" or unicodedata.category(character)[0] == "M"


def _flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
