"""Codes that are out: for which request, to which address, until when. The codes themselves are nowhere."""

from datetime import datetime

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import CodeRow
from gateway.store.sql import among, insert_new
from gateway.store.tables import ApprovalRow
from gateway.store.tx import Tx


async def last(db: AsyncSession, approval_id: str, address: str) -> int:
    """The number of the last code of a request for an address; 0: none yet."""
    where = (col(CodeRow.approval_id) == approval_id, col(CodeRow.address) == address)
    return (await db.exec(select(func.max(CodeRow.n)).where(*where))).one() or 0


async def open_for(db: AsyncSession, address: str, now: datetime) -> list[CodeRow]:
    """Codes that are good now: of open requests, not over, for the arguments as they stand."""
    question = (
        select(CodeRow)
        .join(ApprovalRow, col(ApprovalRow.id) == col(CodeRow.approval_id))
        .where(
            col(CodeRow.address) == address,
            col(CodeRow.expires_at) > now,
            among(ApprovalRow.state, "pending"),
            col(ApprovalRow.digest) == col(CodeRow.digest),
        )
        .order_by(col(CodeRow.id))
    )
    return list((await db.exec(question)).all())


async def late(db: AsyncSession, address: str, now: datetime) -> list[CodeRow]:
    """Codes that ran out, of requests that are open, with the arguments as they stand."""
    question = (
        select(CodeRow)
        .join(ApprovalRow, col(ApprovalRow.id) == col(CodeRow.approval_id))
        .where(
            col(CodeRow.address) == address,
            col(CodeRow.expires_at) <= now,
            among(ApprovalRow.state, "pending"),
            col(ApprovalRow.digest) == col(CodeRow.digest),
        )
        .order_by(col(CodeRow.id).desc())
    )
    return list((await db.exec(question.limit(100))).all())


async def void(db: AsyncSession, address: str, since: datetime) -> list[CodeRow]:
    """Codes of requests that are settled or whose arguments are others now: those good, or settled, after `since`."""
    question = (
        select(CodeRow)
        .join(ApprovalRow, col(ApprovalRow.id) == col(CodeRow.approval_id))
        .where(
            col(CodeRow.address) == address,
            or_(col(CodeRow.expires_at) > since, col(ApprovalRow.decided_at) > since),
            or_(col(ApprovalRow.state) != "pending", col(ApprovalRow.digest) != col(CodeRow.digest)),
        )
        .order_by(col(CodeRow.id).desc())
    )
    return list((await db.exec(question.limit(100))).all())


async def has_ever(db: AsyncSession, address: str, since: datetime) -> bool:
    """Was this address sent a code that was good after `since`?"""
    where = (col(CodeRow.address) == address, col(CodeRow.expires_at) > since)
    return (await db.exec(select(CodeRow.id).where(*where).limit(1))).first() is not None


async def give(
    tx: Tx, approval_id: str, address: str, n: int, *, account: str, digest: str, expires_at: datetime
) -> None:
    """Twice is one. `account`: the one of ours that it is sent from; empty is the channel's own."""
    which = {"approval_id": approval_id, "address": address, "n": n}
    await insert_new(tx.db, CodeRow, **which, account=account, digest=digest, expires_at=expires_at)
