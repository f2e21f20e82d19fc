"""What is attached to texts: kept as the carrier keeps it, below the text it came with. Storage only: no HTTP."""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.sandbox.errors import NotAllowedByClient
from adapters.sandbox.state import Notebook, Thing

MAX_BYTES = 5 * 1024 * 1024  # together, in one text
MAX_FILES = 10


@dataclass(frozen=True, slots=True)
class Picture:
    """Mostly one; a text carries any file."""

    data: bytes
    mime_type: str = "image/png"


class Pictures:
    def __init__(self, notes: Notebook) -> None:
        self._notes = notes

    def keep(self, text_sid: str, pictures: Sequence[Picture], at: str) -> list[Thing]:
        """As the carrier tells of them, in the order of the text."""
        if len(pictures) > MAX_FILES or sum(len(one.data) for one in pictures) > MAX_BYTES:
            raise NotAllowedByClient(f"A text carries at most {MAX_FILES} files, and {MAX_BYTES} bytes.")
        found = []
        for place, one in enumerate(pictures):
            sid = f"ME{place:02d}{secrets.token_hex(15)}"
            kept: Thing = {"sid": sid, "text": text_sid, "type": one.mime_type, "key": secrets.token_hex(16), "at": at}
            self._notes.put("picture", sid, kept | {"data": base64.b64encode(one.data).decode()})
            found.append(kept)
        return found

    def of(self, text_sid: str) -> list[Thing]:
        return [one for one in self._notes.all("picture") if one["text"] == text_sid]

    def find(self, text_sid: str, sid: str) -> Thing | None:
        one = self._notes.get("picture", sid)
        return one if one is not None and one["text"] == text_sid else None

    def by_key(self, key: str) -> tuple[bytes, str] | None:
        """The bytes and their type: the key is in an address that needs no credentials."""
        for one in self._notes.all("picture"):
            if one["key"] == key:
                return base64.b64decode(one["data"]), one["type"]
        return None

    def remove(self, sid: str) -> None:
        self._notes.remove("picture", sid)
