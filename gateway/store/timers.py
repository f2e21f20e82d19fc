"""Timers: rows that are due at a time. The clock is the caller's."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tables import TimerRow
from gateway.store.tx import Tx


async def set_timer(tx: Tx, kind: str, subject: str, due: datetime) -> None:
    await insert_new(tx.db, TimerRow, kind=kind, subject=subject, due=due)


async def due(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[TimerRow]:
    question = select(TimerRow).where(col(TimerRow.done_at).is_(None), col(TimerRow.due) <= now)
    return list((await db.exec(question.order_by(col(TimerRow.due)).limit(limit))).all())


async def finish(tx: Tx, kind: str, subject: str, now: datetime) -> bool:
    """True for the one who finished it; False when it was done already."""
    open_one = (col(TimerRow.kind) == kind, col(TimerRow.subject) == subject, col(TimerRow.done_at).is_(None))
    return await changed(tx.db, update(table(TimerRow)).where(*open_one).values(done_at=now)) == 1


async def put_off(tx: Tx, timer_id: int, due: datetime) -> None:
    await changed(tx.db, update(table(TimerRow)).where(col(TimerRow.id) == timer_id).values(due=due))


async def set_again(tx: Tx, kind: str, subject: str, due: datetime) -> None:
    """One that has rung, or is to ring, at another time."""
    await set_timer(tx, kind, subject, due)
    which = (col(TimerRow.kind) == kind, col(TimerRow.subject) == subject)
    await changed(tx.db, update(table(TimerRow)).where(*which).values(due=due, done_at=None))


async def finish_all(tx: Tx, subject: str, now: datetime) -> None:
    """Whatever was to happen to a subject."""
    open_ones = (col(TimerRow.subject) == subject, col(TimerRow.done_at).is_(None))
    await changed(tx.db, update(table(TimerRow)).where(*open_ones).values(done_at=now))
