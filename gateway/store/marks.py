"""Moments to remember: the engine's last sign of life, a gap in it, how far a carrier's list was read."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx
from gateway.store.upkeep import MarkRow

ALIVE = "alive"  # the sweep ran
SHOWN = "shown"  # a request was put before somebody: whoever counts the open ones takes its row first
PURGED = "purged"  # a day's retention was done
GAP = "gap"  # nothing ran for longer than a late reply's age: what is older may come from a restored backup


async def at(db: AsyncSession, name: str) -> datetime | None:
    return (await db.exec(select(MarkRow.at).where(col(MarkRow.name) == name))).first()


async def put(tx: Tx, name: str, moment: datetime) -> None:
    if await insert_new(tx.db, MarkRow, name=name, at=moment) is None:
        await changed(tx.db, update(table(MarkRow)).where(col(MarkRow.name) == name).values(at=moment))
