"""Test messages to people, and who answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import CheckRow
from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx


async def add(tx: Tx, **values: Any) -> int:
    return int(await insert_new(tx.db, CheckRow, **values))


async def of(db: AsyncSession, ids: Sequence[int]) -> list[CheckRow]:
    return list((await db.exec(select(CheckRow).where(col(CheckRow.id).in_(ids)).order_by(col(CheckRow.id)))).all())


async def waits(db: AsyncSession, address: str, code: str, now: datetime) -> CheckRow | None:
    """The test message with this code to this address, while an answer to it is waited for."""
    where = (col(CheckRow.address) == address, col(CheckRow.code) == code, col(CheckRow.until) > now)
    return (await db.exec(select(CheckRow).where(*where).order_by(col(CheckRow.id).desc()).limit(1))).first()


async def answered(tx: Tx, check_id: int, now: datetime) -> None:
    first = (col(CheckRow.id) == check_id, col(CheckRow.answered_at).is_(None))
    await changed(tx.db, update(table(CheckRow)).where(*first).values(answered_at=now))
