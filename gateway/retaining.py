"""`[retention]`: once a day, what people wrote long ago is emptied, some rows at a time. A part of the sweep.

The rows stay, as after an erase. Nothing is set: nothing is touched. Asks no agent platform and no carrier.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit, emptying
from gateway.policy import Retention
from gateway.ports import Clock
from gateway.store import Store, Tx, erasing, marks, retention
from gateway.store.retention import Age, Window

WINDOW = 500  # rows looked at in one question, and at most emptied in one transaction
WINDOWS = 8  # in one sweep, while there is nothing to empty; of batches there is one
EMPTIED = f'"message":"{emptying.ERASED}"'  # in the view of a request whose words are gone

Look = Callable[[AsyncSession, int, Age, int], Awaitable[Window]]
Empty = Callable[[Tx, Sequence[int], Age], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Book:
    """A table to go through: what is counted, how long it is kept, how it is read and emptied."""

    counts: str
    kept: timedelta
    look: Look
    empty: Empty


class Retaining:
    def __init__(self, store: Store, kept: Retention, clock: Clock, *, window: int = WINDOW) -> None:
        self._store = store
        self._window = window
        self._clock = clock
        self._books = tuple(_books(kept))
        self._left: list[Book] = []  # of today
        self._after = 0  # in the first of them
        self._done: date | None = None

    async def purge(self) -> None:
        """A little of the day's work, until it is done. Safe to call at any time, twice, by several processes."""
        if not self._books or self._done == self._clock().date():
            return
        if not self._left and not await self._begin():
            return
        for _ in range(WINDOWS):
            if await self._step():
                return
            if not self._left:
                await self._end()
                return

    async def _begin(self) -> bool:
        today = self._clock().date()
        last = await self._store.read(lambda db: marks.at(db, marks.PURGED))
        if last is not None and last.date() == today:  # a later one is of a clock that was wrong
            self._done = today
            return False
        self._left, self._after = list(self._books), 0
        return True

    async def _end(self) -> None:
        now = self._clock()
        await self._store.write(lambda tx: marks.put(tx, marks.PURGED, now))
        self._done = now.date()

    async def _step(self) -> bool:
        """Look at the next rows. True when some were emptied."""
        book = self._left[0]
        now = self._clock()
        age = Age(now - book.kept, now)
        window = await self._store.survey(lambda db: book.look(db, self._after, age, self._window))
        emptied = await self._store.write(lambda tx: self._batch(tx, book, window.ids, age)) if window.ids else 0
        if window.last is None:
            self._left, self._after = self._left[1:], 0
        else:
            self._after = window.last
        return emptied > 0

    async def _batch(self, tx: Tx, book: Book, ids: Sequence[int], age: Age) -> int:
        emptied = await book.empty(tx, ids, age)
        if emptied:
            facts: dict[str, Any] = {book.counts: emptied}
            await audit.note(tx, "purged", self._clock(), who="retention", **facts)
        return emptied


def _books(kept: Retention) -> list[Book]:
    books = []
    if (messages := kept.messages) is not None:
        books += [
            Book("messages_in", messages, retention.inbox, lambda tx, ids, _: retention.empty_inbox(tx, ids)),
            Book("messages_out", messages, retention.outbox, lambda tx, ids, _: retention.empty_outbox(tx, ids)),
            Book("turns", messages, retention.turns, lambda tx, ids, _: retention.empty_turns(tx, ids)),
        ]
    if (approvals := kept.approvals) is not None:
        books.append(Book("approvals", approvals, retention.turns_that_asked, _empty_requests))
    return books


async def _empty_requests(tx: Tx, turn_ids: Sequence[int], age: Age) -> int:
    emptied = {"view": EMPTIED, "arguments": emptying.NO_ARGUMENTS}
    rows = await retention.finished_requests(tx, turn_ids, age, **emptied)
    for row in rows:
        await erasing.empty_approval(tx, row.id, **emptying.request(row))
        for card in await retention.cards_of(tx.db, row.id):
            await erasing.empty_card(tx, card.id, emptying.card(card.payload))
    if rows:
        await erasing.empty_decisions(tx, [row.id for row in rows], emptying.NO_ARGUMENTS, age.before)
    return len(rows)
