"""Pages with the whole of a reply that was sent shortened: a signed link, good for a week. Anybody who has it may read.

The words are in the message's own row: what empties that, erasing or retention, ends the page. Changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway import codes
from gateway.events import Say, outbounds
from gateway.ports import Clock
from gateway.store import Store, sendings

LASTS = timedelta(days=7)
SAME = timedelta(minutes=1)  # a link is made when its message is queued


@dataclass(frozen=True, slots=True)
class Page:
    """`text` is empty where it is not there any more."""

    text: str
    until: datetime


class Pages:
    def __init__(self, store: Store, keys: Sequence[str], public_url: Callable[[], str], clock: Clock) -> None:
        """The first of the `keys` signs, each of them is good."""
        self._store = store
        self._keys = keys
        self._public_url = public_url
        self._clock = clock

    def link(self, outbox_id: int) -> str:
        until = int((self._clock() + LASTS).timestamp())
        return f"{self._public_url().rstrip('/')}/m/{codes.page(self._keys[0], outbox_id, until)}"

    async def read(self, token: str) -> Page | None:
        """None: it is no link of ours."""
        found = codes.page_of(token, self._keys)
        if found is None:
            return None
        outbox_id, until = found[0], datetime.fromtimestamp(found[1], UTC)
        gone = self._clock() >= until
        return Page("" if gone else await self._whole(outbox_id, until), until)

    async def _whole(self, outbox_id: int, until: datetime) -> str:
        row = await self._store.read(lambda db: sendings.get(db, outbox_id))
        # After a backup was restored another message may have the number.
        if row is None or abs(row.created_at + LASTS - until) > SAME:
            return ""
        try:
            message = outbounds.validate_json(row.payload)
        except ValueError:
            return ""  # emptied
        return message.whole if isinstance(message, Say) else ""
