"""Dead letters: events that were set aside, and messages that no carrier takes. Each leaves that state once."""

from typing import Any

from sqlalchemy import func, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import among, changed, table
from gateway.store.tables import ConversationRow, InboxRow, OutboxRow
from gateway.store.tx import Tx


async def events(db: AsyncSession) -> list[tuple[InboxRow, str]]:
    """Each with its channel, oldest first."""
    question = _with_channel().where(among(InboxRow.status, "dead")).order_by(col(InboxRow.id))
    return [(row, channel or "") for row, channel in (await db.exec(question)).all()]


async def event(db: AsyncSession, inbox_id: int) -> tuple[InboxRow, str] | None:
    """Dead or not, with its channel."""
    found = (await db.exec(_with_channel().where(col(InboxRow.id) == inbox_id))).first()
    return None if found is None else (found[0], found[1] or "")


async def messages(db: AsyncSession) -> list[OutboxRow]:
    question = select(OutboxRow).where(among(OutboxRow.status, "failed")).order_by(col(OutboxRow.id))
    return list((await db.exec(question)).all())


async def count(db: AsyncSession) -> tuple[int, int]:
    """Events and messages."""
    came_in = select(func.count()).select_from(InboxRow).where(among(InboxRow.status, "dead"))
    went_out = select(func.count()).select_from(OutboxRow).where(among(OutboxRow.status, "failed"))
    return int((await db.exec(came_in)).one()), int((await db.exec(went_out)).one())


async def leave(tx: Tx, inbox_id: int, status: str) -> bool:
    """False: the event is not dead (any more)."""
    dead = (col(InboxRow.id) == inbox_id, among(InboxRow.status, "dead"))
    return await changed(tx.db, update(table(InboxRow)).where(*dead).values(status=status)) == 1


async def queue_again(tx: Tx, outbox_id: int) -> bool:
    """As if it had never been tried. False: the message has not failed (any more)."""
    values: dict[str, Any] = {"attempts": 0, "unsure": 0, "not_before": None, "error": None, "provider_id": None}
    values |= {"resends": 0, "slot_at": None, "agent_told": False}
    return await _leave_failed(tx, outbox_id, status="queued", **values)


async def drop_message(tx: Tx, outbox_id: int) -> bool:
    """False: the message has not failed (any more)."""
    return await _leave_failed(tx, outbox_id, status="dropped")


async def _leave_failed(tx: Tx, outbox_id: int, **values: Any) -> bool:
    failed = (col(OutboxRow.id) == outbox_id, among(OutboxRow.status, "failed"))
    return await changed(tx.db, update(table(OutboxRow)).where(*failed).values(**values)) == 1


def _with_channel() -> Any:
    mine = col(ConversationRow.id) == col(InboxRow.conversation_id)
    return select(InboxRow, ConversationRow.channel).join(ConversationRow, mine, isouter=True)
