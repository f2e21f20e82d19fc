"""Which of a person's tokens is good. The tokens themselves are nowhere."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import TokenRow
from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx


async def number(db: AsyncSession, person: str) -> int:
    """0: this person has no token."""
    return (await db.exec(select(TokenRow.n).where(col(TokenRow.person) == person))).first() or 0


async def first(tx: Tx, person: str, now: datetime) -> bool:
    """False: there is one already."""
    return await insert_new(tx.db, TokenRow, person=person, n=1, made_at=now) is not None


async def next_one(tx: Tx, person: str, now: datetime) -> None:
    """Those before it are void."""
    theirs = update(table(TokenRow)).where(col(TokenRow.person) == person)
    await changed(tx.db, theirs.values(n=TokenRow.n + 1, made_at=now))
