"""Which kinds of media are taken from texts, and what each is called: Twilio tells no names. Pure."""

import re

UNKNOWN = "application/octet-stream"
GENERIC = frozenset({UNKNOWN, "binary/octet-stream", "application/x-www-form-urlencoded"})  # say nothing of the bytes
HTML = "text/html"
WORDS = {"image": "picture", "audio": "recording", "video": "video", "text": "text"}
OTHERS = {"application/pdf": "document.pdf", "application/vcard": "contact.vcf"}
CONTACTS = ("text/vcard", "text/x-vcard", "text/directory")
ENDINGS = {
    "jpeg": "jpg",
    "svg+xml": "svg",
    "mpeg": "mp3",
    "x-m4a": "m4a",
    "x-wav": "wav",
    "3gpp": "3gp",
    "3gpp2": "3g2",
    "quicktime": "mov",
    "plain": "txt",
    "calendar": "ics",
    "video/mpeg": "mpg",
}
KIND = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+_-]{0,80}")


def kind_of(said: str) -> str:
    """A media type without its parameters. What is none is unknown."""
    kind = said.partition(";")[0].strip().lower()
    return kind if KIND.fullmatch(kind) else UNKNOWN


def is_taken(kind: str) -> bool:
    return kind in OTHERS or kind.partition("/")[0] in WORDS


def settled(said: str, answered: str) -> str:
    """The type of what came: as it was answered, or as the message said it where the answer says nothing of it.

    A page in place of something else, such as one that asks to sign in, is of an unknown type.
    """
    said, answered = kind_of(said), kind_of(answered)
    if answered in GENERIC:
        return said
    return UNKNOWN if answered == HTML != said and said not in GENERIC else answered


def name_of(kind: str, number: int = 1) -> str:
    """`picture.jpg`, and `picture-2.jpg` for the second of a message. Empty where the type is unknown."""
    kind = kind_of(kind)
    if not is_taken(kind):
        return ""
    word, ending = _named(kind)
    return f"{word}-{number}.{ending}" if number > 1 else f"{word}.{ending}"


def _named(kind: str) -> tuple[str, str]:
    if kind in CONTACTS:
        return "contact", "vcf"
    if kind in OTHERS:
        word, _, ending = OTHERS[kind].partition(".")
        return word, ending
    family, _, form = kind.partition("/")
    return WORDS[family], ENDINGS.get(kind) or ENDINGS.get(form) or form.removeprefix("x-")
