"""Typographic characters that GSM-7 lacks -> what a typewriter has, where that saves segments. Pure."""

from adapters.sms import segments

# As Twilio's own table, and what of it people and models write.
PLAINER = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛′´`", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("•·‣", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " "),
    "‹": "<",
    "›": ">",
    "…": "...",
    "⁄": "/",
    "¼": "1/4",
    "½": "1/2",
    "¾": "3/4",
}
TABLE = str.maketrans(PLAINER)


def plainer(text: str) -> str:
    """The text itself where nothing would be saved."""
    found = text.translate(TABLE)
    return found if segments.count(found) < segments.count(text) else text
