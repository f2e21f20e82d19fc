"""Moments to remember: the engine's last sign of life, a gap in it, how far a carrier's list was read."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx
from gateway.store.upkeep import MarkRow

ALIVE = "alive"  # the sweep ran
SHOWN = "shown"  # a request was put before somebody: whoever counts the open ones takes its row first
PURGED = "purged"  # a day's retention was done
GAP = "gap"  # nothing ran for longer than a late reply's age: what is older may come from a restored backup

HELD_BACK = "held-back:"  # and the channel, the account and the minute: a platform kept our events to itself
HELD_BACK_FOR = timedelta(days=1)


async def at(db: AsyncSession, name: str) -> datetime | None:
    return (await db.exec(select(MarkRow.at).where(col(MarkRow.name) == name))).first()


async def put(tx: Tx, name: str, moment: datetime) -> None:
    if await insert_new(tx.db, MarkRow, name=name, at=moment) is None:
        await changed(tx.db, update(table(MarkRow)).where(col(MarkRow.name) == name).values(at=moment))


async def hold_back(tx: Tx, channel: str, account: str, minute: datetime, now: datetime) -> None:
    """A minute of an account is one mark, which is kept for a day."""
    old = col(MarkRow.name).startswith(HELD_BACK), col(MarkRow.at) < now - HELD_BACK_FOR
    await changed(tx.db, delete(table(MarkRow)).where(*old))
    await insert_new(tx.db, MarkRow, name=f"{HELD_BACK}{channel}:{account}:{minute:%Y-%m-%dT%H:%M}", at=now)


async def held_back(db: AsyncSession, channel: str, now: datetime) -> int:
    """How many minutes of the last day a platform held events back, each account for itself."""
    name, at = col(MarkRow.name), col(MarkRow.at)
    which = name.startswith(f"{HELD_BACK}{channel}:"), at >= now - HELD_BACK_FOR
    return (await db.exec(select(func.count()).select_from(MarkRow).where(*which))).one()
