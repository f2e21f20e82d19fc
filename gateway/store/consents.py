"""Who wants no messages, by our account and their address: the newest word holds. Nothing is ever deleted here."""

from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, literal, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.events import ThreadRef
from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ApprovalRow, OutboxRow
from gateway.store.texting import ConsentRow
from gateway.store.tx import Tx

OUT, IN = "out", "in"


async def keep(tx: Tx, of: ThreadRef, *, state: str, source: str, at: datetime) -> bool:
    """False: a newer word of theirs stands. Of two at the same time, that they want none holds."""
    new: dict[str, Any] = {"state": state, "source": source, "at": at}
    who: dict[str, Any] = {"channel": of.channel, "account": of.account, "address": of.key}
    if await insert_new(tx.db, ConsentRow, **who, **new) is not None:
        return True
    older = or_(col(ConsentRow.at) < at, and_(col(ConsentRow.at) == at, literal(state) == OUT))
    return await changed(tx.db, update(table(ConsentRow)).where(*_of(of), older).values(**new)) == 1


async def get(db: AsyncSession, of: ThreadRef) -> ConsentRow | None:
    return (await db.exec(select(ConsentRow).where(*_of(of)))).first()


async def are_out(db: AsyncSession, of: ThreadRef) -> bool:
    question = select(ConsentRow.id).where(*_of(of), among(ConsentRow.state, OUT))
    return (await db.exec(question)).first() is not None


async def listed(db: AsyncSession, *, every: bool) -> list[ConsentRow]:
    """Those who want no messages, or `every` word that is kept; the newest first."""
    question = select(ConsentRow) if every else select(ConsentRow).where(among(ConsentRow.state, OUT))
    return list((await db.exec(question.order_by(col(ConsentRow.at).desc(), col(ConsentRow.id).desc()))).all())


async def beside(db: AsyncSession, channel: str, key: str) -> list[ConsentRow]:
    """What is kept of a thread's address, also without the network that stands before it (`rcs:+1555...`)."""
    addresses = {key, key.rpartition(":")[2]}
    where = (col(ConsentRow.channel) == channel, col(ConsentRow.address).in_(addresses))
    return list((await db.exec(select(ConsentRow).where(*where).order_by(col(ConsentRow.id)))).all())


async def count(db: AsyncSession) -> list[tuple[str, str, int]]:
    """By channel and state."""
    names = (col(ConsentRow.channel), col(ConsentRow.state))
    return [(one, two, int(many)) for one, two, many in await db.exec(select(*names, func.count()).group_by(*names))]


async def cards(db: AsyncSession) -> list[tuple[str, str]]:
    """Open requests, not escalated yet, that were shown where somebody wants no messages: their ids, and payloads."""
    some = select(ConsentRow.id).where(col(ConsentRow.channel) == col(OutboxRow.channel), among(ConsentRow.state, OUT))
    question = (
        select(OutboxRow.approval_id, OutboxRow.payload)
        .join(ApprovalRow, col(ApprovalRow.id) == col(OutboxRow.approval_id))
        .where(
            among(ApprovalRow.state, "pending"),
            col(ApprovalRow.escalated_at).is_(None),
            col(OutboxRow.kind) == "ask",
            among(OutboxRow.status, "sent", "delivered"),
            some.exists(),
        )
    )
    return [(str(approval_id), payload) for approval_id, payload in (await db.exec(question)).all()]


def _of(of: ThreadRef) -> tuple[Any, ...]:
    return (
        col(ConsentRow.channel) == of.channel,
        col(ConsentRow.account) == of.account,
        col(ConsentRow.address) == of.key,
    )
