"""Approval requests. One leaves `pending` by compare-and-set, once."""

from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ApprovalRow, OutboxRow
from gateway.store.tx import Tx


async def add(tx: Tx, **values: Any) -> bool:
    """False: this request of this session is there already."""
    return await insert_new(tx.db, ApprovalRow, **values) is not None


async def get(db: AsyncSession, approval_id: str) -> ApprovalRow | None:
    return (await db.exec(select(ApprovalRow).where(col(ApprovalRow.id) == approval_id))).first()


async def of_turn(db: AsyncSession, turn_id: int) -> list[ApprovalRow]:
    question = select(ApprovalRow).where(col(ApprovalRow.turn_id) == turn_id).order_by(col(ApprovalRow.created_at))
    return list((await db.exec(question)).all())


async def open_turns(db: AsyncSession, session_id: str) -> list[int]:
    """The turns of a session that wait for somebody's word."""
    where = (col(ApprovalRow.session_id) == session_id, among(ApprovalRow.state, "pending"))
    return list((await db.exec(select(ApprovalRow.turn_id).where(*where).distinct())).all())


async def of_session(db: AsyncSession, session_id: str, turn_id: int) -> list[ApprovalRow]:
    """A turn's requests, and whatever else its session waits for."""
    wanted = or_(col(ApprovalRow.turn_id) == turn_id, among(ApprovalRow.state, "pending"))
    question = select(ApprovalRow).where(col(ApprovalRow.session_id) == session_id, wanted)
    return list((await db.exec(question.order_by(col(ApprovalRow.created_at)))).all())


async def unreachable(db: AsyncSession) -> list[str]:
    """Open requests that were to be shown somewhere and could be shown nowhere."""
    asks = select(OutboxRow.id).where(col(OutboxRow.approval_id) == col(ApprovalRow.id), col(OutboxRow.kind) == "ask")
    hopeful = asks.where(col(OutboxRow.status) != "failed")
    shown = (among(ApprovalRow.state, "pending"), ~col(ApprovalRow.waits_unseen))
    question = select(ApprovalRow.id).where(*shown, asks.exists(), ~hopeful.exists())
    return list((await db.exec(question)).all())


async def settle(tx: Tx, approval_id: str, *, state: str, at: datetime, by: str, via: str, reason: str) -> bool:
    """Leave `pending`. False: somebody else was first."""
    pending = (col(ApprovalRow.id) == approval_id, among(ApprovalRow.state, "pending"))
    values = {"state": state, "decided_at": at, "decided_by": by, "decided_via": via, "reason": reason}
    return await changed(tx.db, update(table(ApprovalRow)).where(*pending).values(**values)) == 1


async def mark_applied(tx: Tx, approval_ids: list[str]) -> None:
    await changed(tx.db, update(table(ApprovalRow)).where(col(ApprovalRow.id).in_(approval_ids)).values(applied=True))


async def mark_trouble(tx: Tx, approval_id: str, why: str) -> None:
    await changed(tx.db, update(table(ApprovalRow)).where(col(ApprovalRow.id) == approval_id).values(trouble=why))


async def change(tx: Tx, approval_id: str, *, seen: str, **values: Any) -> bool:
    """Write to an open request as it was seen (its digest). False: it has changed, or is settled."""
    same = (col(ApprovalRow.id) == approval_id, col(ApprovalRow.digest) == seen, among(ApprovalRow.state, "pending"))
    return await changed(tx.db, update(table(ApprovalRow)).where(*same).values(**values)) == 1


async def open_and_shown(db: AsyncSession) -> list[ApprovalRow]:
    """What stands before approvers' eyes, or is on its way there."""
    where = (among(ApprovalRow.state, "pending"), ~col(ApprovalRow.waits_unseen))
    return list((await db.exec(select(ApprovalRow).where(*where))).all())


async def shown_under_another(db: AsyncSession, version: str) -> list[str]:
    """Open requests before approvers' eyes that were opened by another text of the policy."""
    where = (among(ApprovalRow.state, "pending"), ~col(ApprovalRow.waits_unseen))
    question = select(ApprovalRow.id).where(*where, col(ApprovalRow.policy_version) != version)
    return list((await db.exec(question)).all())


async def pending(db: AsyncSession) -> list[ApprovalRow]:
    """Oldest first."""
    question = select(ApprovalRow).where(among(ApprovalRow.state, "pending"))
    return list((await db.exec(question.order_by(col(ApprovalRow.created_at), col(ApprovalRow.id)))).all())


async def prolong(tx: Tx, approval_id: str, until: datetime) -> bool:
    """Another deadline. False: it is settled."""
    still = (col(ApprovalRow.id) == approval_id, among(ApprovalRow.state, "pending"))
    return await changed(tx.db, update(table(ApprovalRow)).where(*still).values(expires_at=until)) == 1


async def waiting(db: AsyncSession, *, limit: int = 1000) -> list[ApprovalRow]:
    """Open requests that nobody was shown yet, for too many were, oldest first."""
    where = (among(ApprovalRow.state, "pending"), col(ApprovalRow.waits_unseen))
    question = select(ApprovalRow).where(*where).order_by(col(ApprovalRow.created_at), col(ApprovalRow.id))
    return list((await db.exec(question.limit(limit))).all())


async def open_of(db: AsyncSession, conversation_id: int) -> list[ApprovalRow]:
    where = (col(ApprovalRow.conversation_id) == conversation_id, among(ApprovalRow.state, "pending"))
    return list((await db.exec(select(ApprovalRow).where(*where).order_by(col(ApprovalRow.created_at)))).all())


async def partly_unreachable(db: AsyncSession) -> list[str]:
    """Open requests of which a showing failed, and that were not escalated."""
    failed = select(OutboxRow.id).where(
        col(OutboxRow.approval_id) == col(ApprovalRow.id),
        col(OutboxRow.kind) == "ask",
        col(OutboxRow.status) == "failed",
    )
    where = (among(ApprovalRow.state, "pending"), col(ApprovalRow.escalated_at).is_(None), failed.exists())
    return list((await db.exec(select(ApprovalRow.id).where(*where))).all())
