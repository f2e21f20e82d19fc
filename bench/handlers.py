"""What stands in the lane while the engine is measured, in the place of `Conversations`."""

import asyncio
import time
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from config.wiring import now
from gateway.store import Store, Tx, arrivals, lanes
from gateway.store.lanes import Lane
from gateway.store.tables import InboxRow

STARTED = "started"  # the word before an event's key, on the standard output of a worker that holds


@dataclass(slots=True)
class Note:
    """One event at its handler: when it was there, and when it was done and on disk (monotonic seconds)."""

    event_key: str
    conversation_id: int
    seq: int
    started: float
    done: float = 0.0


class Empty:
    """Stands for `Conversations`: takes each event of the lane and marks it done, one transaction an event."""

    def __init__(self, store: Store) -> None:
        self.notes: list[Note] = []
        self._store = store

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
        more: Lane | None = None
        while True:
            owned = more
            note, more = await self._store.write(lambda tx, owned=owned: _take(tx, conversation_id, owned))  # type: ignore[misc]
            if note is not None:
                note.done = time.monotonic()
                self.notes.append(note)
            if more is None:
                return


class Holding:
    """Stands for `Conversations`: never ends for a lane's first owner, and does nothing for the one that took over."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
        if await self._store.read(lambda db: _next(db, conversation_id)) is None:
            return
        lane = await self._store.write(lambda tx: lanes.claim(tx, conversation_id))
        row = await self._store.read(lambda db: _next(db, conversation_id))
        if row is None:
            return
        print(STARTED, row.event_key, time.monotonic(), flush=True)
        if lane.epoch == 1:
            await asyncio.Event().wait()
        await self._store.write(lambda tx: _finish(tx, lane, row))


async def _next(db: AsyncSession, conversation_id: int) -> InboxRow | None:
    return (await lanes.next_up(db, conversation_id, now())).row


async def _take(tx: Tx, conversation_id: int, owned: Lane | None) -> tuple[Note | None, Lane | None]:
    """Own the lane, take its next event and mark it done; the lane, when there is more in it."""
    lane = owned or await lanes.claim(tx, conversation_id)
    if owned is not None:
        await lanes.hold(tx, lane)
    ahead = await lanes.next_up(tx.db, conversation_id, now())
    if ahead.row is None:
        return None, None
    note = Note(ahead.row.event_key, conversation_id, ahead.row.seq, time.monotonic())
    await arrivals.finish(tx, ahead.row.id, now())
    return note, lane if ahead.more else None


async def _finish(tx: Tx, lane: Lane, row: InboxRow) -> None:
    await lanes.hold(tx, lane)
    await arrivals.finish(tx, row.id, now())
