"""Files that clients post: checked, and what they are, where the client did not say. Pure."""

import base64
import binascii
from typing import Any

from gateway.errors import Unreadable

UNSAID = ("", "application/octet-stream")
PLAIN = "text/plain"
BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
)


def text_of(data: bytes) -> str | None:
    """None for what is not a text in UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def mime_type(said: str, data: bytes) -> str:
    """What was said, unless that says nothing: then what the bytes look like."""
    if said not in UNSAID:
        return said
    for beginning, meant in BEGINNINGS:
        if data.startswith(beginning):
            return meant
    if data[:4] == b"RIFF" and data[8:12] in (b"WEBP", b"WAVE"):
        return "image/webp" if data[8:12] == b"WEBP" else "audio/wav"
    return PLAIN if text_of(data) is not None else UNSAID[-1]


def checked(content: dict[str, Any]) -> dict[str, Any]:
    """A `file` content with its type. Raises `Unreadable` where it carries no bytes."""
    value = content.get("value")
    if not isinstance(value, dict) or not isinstance(value.get("raw_bytes"), str):
        raise Unreadable("a file without raw_bytes")
    try:
        data = base64.b64decode(value["raw_bytes"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("the raw_bytes of a file are not base64") from error
    given = value.get("metadata")
    metadata = given if isinstance(given, dict) else {}
    said = metadata.get("mime_type")
    known = {"name": "file", **metadata, "mime_type": mime_type(said if isinstance(said, str) else "", data)}
    return {**content, "value": {**value, "metadata": known}}
