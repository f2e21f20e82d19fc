"""Votes, edits, openings and policy texts: what people did with a request."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import EditRow, OpeningRow, PolicyRow
from gateway.store.sql import changed, insert_new, table
from gateway.store.tables import VoteRow
from gateway.store.tx import Tx


async def add(tx: Tx, **values: Any) -> bool:
    """False: this person has said the same of these very arguments already. What they said before is replaced."""
    if await insert_new(tx.db, VoteRow, **values) is not None:
        return True
    stale = (
        col(VoteRow.approval_id) == values["approval_id"],
        col(VoteRow.person) == values["person"],
        or_(col(VoteRow.digest) != values["digest"], col(VoteRow.verdict) != values["verdict"]),
    )
    return await changed(tx.db, update(table(VoteRow)).where(*stale).values(**values)) == 1


async def approving(db: AsyncSession, approval_id: str, digest: str) -> list[VoteRow]:
    """Those who approve these very arguments, in the order they did."""
    where = (col(VoteRow.approval_id) == approval_id, col(VoteRow.digest) == digest, col(VoteRow.verdict) == "approve")
    return list((await db.exec(select(VoteRow).where(*where).order_by(col(VoteRow.at), col(VoteRow.id)))).all())


async def keep_edit(tx: Tx, **values: Any) -> None:
    await insert_new(tx.db, EditRow, **values)


async def edits(db: AsyncSession, approval_id: str) -> list[EditRow]:
    where = col(EditRow.approval_id) == approval_id
    return list((await db.exec(select(EditRow).where(where).order_by(col(EditRow.id)))).all())


async def keep_opening(tx: Tx, approval_id: str, person: str, digest: str, now: datetime) -> None:
    await insert_new(tx.db, OpeningRow, approval_id=approval_id, person=person, digest=digest, at=now)


async def has_opened(db: AsyncSession, approval_id: str, person: str, digest: str) -> bool:
    where = (
        col(OpeningRow.approval_id) == approval_id,
        col(OpeningRow.person) == person,
        col(OpeningRow.digest) == digest,
    )
    return (await db.exec(select(OpeningRow.id).where(*where))).first() is not None


async def keep_policy(tx: Tx, version: str, text: str, now: datetime) -> None:
    await insert_new(tx.db, PolicyRow, version=version, text=text, since=now)
