"""A session's messages as a client reads them: the newest that fit into one frame, and how many are older."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Frame
from adapters.agent.server import rows
from adapters.agent.server.database import Database
from adapters.agent.server.tables import messages
from gateway.errors import Unreadable

FRAME_BYTES = 512  # of the frame around the messages
AT_A_TIME = 64  # rows: one may be megabytes


@dataclass(frozen=True, slots=True)
class Page:
    """Oldest first. `omitted` is how many of the session are older than these."""

    messages: Sequence[Frame]
    omitted: int


async def page(database: Database, session_id: str, max_bytes: int, *, before: str | None = None) -> Page:
    """`before` is a message's id, or empty for the end: who says it gets one message at least, however long.

    Raises `Unreadable` when there is no such message.
    """
    query = select(messages).filter_by(session_id=session_id)
    async with database.reading() as db:
        if before:
            query = query.where(messages.c.seq < await _place(db, session_id, before))
        kept, oldest = await _newest(db, query, max_bytes, at_least_one=before is not None)
        older = query if oldest is None else query.where(messages.c.seq < oldest)
        omitted = await db.scalar(older.with_only_columns(func.count()))
        return Page(kept, int(omitted or 0))


async def _place(db: AsyncConnection, session_id: str, message_id: str) -> int:
    place = await db.scalar(select(messages.c.seq).filter_by(session_id=session_id, id=message_id))
    if place is None:
        raise Unreadable("before: there is no such message in this session")
    return int(place)


async def _newest(
    db: AsyncConnection, query: Select[Any], max_bytes: int, *, at_least_one: bool
) -> tuple[Sequence[Frame], int | None]:
    """Oldest first, with the place of the oldest."""
    kept: list[Frame] = []
    place: int | None = None
    left = max_bytes - FRAME_BYTES
    async with db.stream(query.order_by(messages.c.seq.desc()).execution_options(yield_per=AT_A_TIME)) as found:
        async for row in found:
            message = rows.in_history(rows.message(row._asdict()))
            left -= len(frames.encode(message).encode("utf-8", "replace")) + 1
            if left < 0 and (kept or not at_least_one):
                break
            kept.append(message)
            place = row.seq
    return kept[::-1], place
