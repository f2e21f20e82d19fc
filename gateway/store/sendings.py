"""The outbox: what must go out, in order within a lane, and who may send it now."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.store import Tx
from gateway.store.tables import LeaseRow, OutboxRow

OPEN = ("queued", "sending", "unknown")
RANK = {"queued": 0, "sending": 1, "unknown": 1, "sent": 2, "delivered": 3, "failed": 3}


async def add(tx: Tx, **values: Any) -> int | None:
    """None: a message with this `dedupe_key` was queued before."""
    return await insert_new(tx.db, OutboxRow, status="queued", attempts=0, unsure=0, **values)  # type: ignore[no-any-return]


async def head(db: AsyncSession, lane: str) -> OutboxRow | None:
    """The first message of the lane that is not through yet; the others wait behind it."""
    question = select(OutboxRow).where(col(OutboxRow.lane) == lane, col(OutboxRow.status).in_(OPEN))
    return (await db.exec(question.order_by(col(OutboxRow.id)).limit(1))).first()


async def get(db: AsyncSession, outbox_id: int) -> OutboxRow | None:
    return (await db.exec(select(OutboxRow).where(col(OutboxRow.id) == outbox_id))).first()


async def by_receipt(db: AsyncSession, channel: str, provider_id: str) -> OutboxRow | None:
    where = (col(OutboxRow.channel) == channel, col(OutboxRow.provider_id) == provider_id)
    return (await db.exec(select(OutboxRow).where(*where))).first()


async def shown(db: AsyncSession, approval_id: str) -> list[OutboxRow]:
    """The messages that put this request before somebody's eyes, or still will."""
    where = (col(OutboxRow.approval_id) == approval_id, col(OutboxRow.kind) == "ask")
    question = select(OutboxRow).where(*where).order_by(col(OutboxRow.id))
    return list((await db.exec(question)).all())


async def begin(tx: Tx, row: OutboxRow, status: str) -> bool:
    """One more try of a row as it was read. False: it has changed since, look again."""
    seen = (col(OutboxRow.id) == row.id, col(OutboxRow.status) == row.status, col(OutboxRow.attempts) == row.attempts)
    begun = update(table(OutboxRow)).where(*seen).values(status=status, attempts=row.attempts + 1)
    return await changed(tx.db, begun) == 1


async def end(tx: Tx, row: OutboxRow, **values: Any) -> bool:
    """Keep what came of the try that `begin` began. False: somebody else has taken the row since."""
    ours = (col(OutboxRow.id) == row.id, col(OutboxRow.status).in_(OPEN), col(OutboxRow.attempts) == row.attempts + 1)
    return await changed(tx.db, update(table(OutboxRow)).where(*ours).values(**values)) == 1


async def drop_unsent(tx: Tx, outbox_id: int) -> bool:
    """Take back a message nobody has begun to send. False: too late."""
    queued = (col(OutboxRow.id) == outbox_id, col(OutboxRow.status) == "queued", col(OutboxRow.attempts) == 0)
    return await changed(tx.db, update(table(OutboxRow)).where(*queued).values(status="dropped")) == 1


async def report(tx: Tx, channel: str, provider_id: str, status: str, error: str | None) -> OutboxRow | None:
    """Note what the carrier said, never moving backwards. The row when it changed, else None."""
    row = await by_receipt(tx.db, channel, provider_id)
    if row is None or RANK.get(row.status, 9) >= RANK[status]:
        return None
    values = {"status": status, "error": error}
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == row.id).values(**values))
    return row


async def lanes_due(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[str]:
    """Lanes whose first open message is due, those that wait longest first."""
    before = aliased(OutboxRow)
    ahead = select(before.id).where(
        col(before.lane) == col(OutboxRow.lane), col(before.status).in_(OPEN), col(before.id) < col(OutboxRow.id)
    )
    due = or_(col(OutboxRow.not_before).is_(None), col(OutboxRow.not_before) <= now)
    heads = select(OutboxRow.lane).where(col(OutboxRow.status).in_(OPEN), due, ~ahead.exists())
    return list((await db.exec(heads.order_by(col(OutboxRow.id)).limit(limit))).all())


async def take_lease(tx: Tx, name: str, holder: str, now: datetime, until: datetime) -> bool:
    """Hold `name` until then, or hold it longer. False: somebody else holds it."""
    if await insert_new(tx.db, LeaseRow, name=name, holder=holder, until=until) is not None:
        return True
    free = or_(col(LeaseRow.holder) == holder, col(LeaseRow.until) <= now)
    taken = update(table(LeaseRow)).where(col(LeaseRow.name) == name, free).values(holder=holder, until=until)
    return await changed(tx.db, taken) == 1


async def drop_lease(tx: Tx, name: str, holder: str) -> None:
    ours = (col(LeaseRow.name) == name, col(LeaseRow.holder) == holder)
    await changed(tx.db, delete(table(LeaseRow)).where(*ours))


async def drop_all_leases(tx: Tx) -> None:
    """For the only engine of a database, at its start: whoever held them is gone."""
    await changed(tx.db, delete(table(LeaseRow)))
