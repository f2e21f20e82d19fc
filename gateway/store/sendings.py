"""The outbox: what must go out, in order within a lane, and who may send it now."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.store import Tx
from gateway.store.tables import LeaseRow, OutboxRow

OPEN = ("queued", "sending", "unknown")
RANK = {"queued": 0, "sending": 1, "unknown": 1, "sent": 2, "delivered": 3, "failed": 3}


async def add(tx: Tx, **values: Any) -> int | None:
    """None: a message with this `dedupe_key` was queued before."""
    return await insert_new(tx.db, OutboxRow, status="queued", attempts=0, **values)  # type: ignore[no-any-return]


async def head(db: AsyncSession, lane: str) -> OutboxRow | None:
    """The first message of the lane that is not through yet; the others wait behind it."""
    question = select(OutboxRow).where(col(OutboxRow.lane) == lane, col(OutboxRow.status).in_(OPEN))
    return (await db.exec(question.order_by(col(OutboxRow.id)).limit(1))).first()


async def get(db: AsyncSession, outbox_id: int) -> OutboxRow | None:
    return (await db.exec(select(OutboxRow).where(col(OutboxRow.id) == outbox_id))).first()


async def shown(db: AsyncSession, approval_id: str) -> list[OutboxRow]:
    """The messages that put this request before somebody's eyes, or still will."""
    where = (col(OutboxRow.approval_id) == approval_id, col(OutboxRow.kind) == "ask")
    question = select(OutboxRow).where(*where).order_by(col(OutboxRow.id))
    return list((await db.exec(question)).all())


async def update_row(tx: Tx, outbox_id: int, **values: Any) -> None:
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == outbox_id).values(**values))


async def drop_unsent(tx: Tx, outbox_id: int) -> bool:
    """Take back a message nobody has begun to send. False: too late."""
    queued = (col(OutboxRow.id) == outbox_id, col(OutboxRow.status) == "queued", col(OutboxRow.attempts) == 0)
    return await changed(tx.db, update(table(OutboxRow)).where(*queued).values(status="dropped")) == 1


async def report(tx: Tx, channel: str, provider_id: str, status: str, error: str | None) -> OutboxRow | None:
    """Note what the carrier said, never moving backwards. The row when it changed, else None."""
    where = (col(OutboxRow.channel) == channel, col(OutboxRow.provider_id) == provider_id)
    row = (await tx.db.exec(select(OutboxRow).where(*where))).first()
    if row is None or RANK.get(row.status, 9) >= RANK[status]:
        return None
    await update_row(tx, row.id, status=status, error=error)
    return row


async def lanes_due(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[str]:
    due = or_(col(OutboxRow.not_before).is_(None), col(OutboxRow.not_before) <= now)
    question = select(col(OutboxRow.lane)).where(col(OutboxRow.status).in_(OPEN), due).distinct().limit(limit)
    return [str(found) for found in (await db.exec(question)).all()]


async def take_lease(tx: Tx, name: str, holder: str, now: datetime, until: datetime) -> bool:
    """Hold `name` until then, or hold it longer. False: somebody else holds it."""
    if await insert_new(tx.db, LeaseRow, name=name, holder=holder, until=until) is not None:
        return True
    free = or_(col(LeaseRow.holder) == holder, col(LeaseRow.until) <= now)
    taken = update(table(LeaseRow)).where(col(LeaseRow.name) == name, free).values(holder=holder, until=until)
    return await changed(tx.db, taken) == 1


async def drop_lease(tx: Tx, name: str, holder: str, now: datetime) -> None:
    ours = (col(LeaseRow.name) == name, col(LeaseRow.holder) == holder)
    await changed(tx.db, update(table(LeaseRow)).where(*ours).values(until=now))
