"""Wrong codes from an address, kept for as long as they count."""

from datetime import datetime

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.texting import MissRow
from gateway.store.tx import Tx


async def add(tx: Tx, address: str, at: datetime) -> None:
    await insert_new(tx.db, MissRow, address=address, at=at)


async def latest(db: AsyncSession, address: str, most: int) -> list[datetime]:
    """When the last ones were, the newest first."""
    theirs = select(MissRow.at).where(col(MissRow.address) == address)
    return list((await db.exec(theirs.order_by(col(MissRow.at).desc(), col(MissRow.id).desc()).limit(most))).all())


async def forget_before(tx: Tx, then: datetime) -> None:
    await changed(tx.db, delete(table(MissRow)).where(col(MissRow.at) < then))
