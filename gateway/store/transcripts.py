"""What was said in a conversation, whatever session it was said in. Reads only."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.tables import InboxRow, OutboxRow


async def messages(db: AsyncSession, conversation_id: int, *, before: int, limit: int) -> list[InboxRow]:
    """The customer's last ones that came before this event and are through, newest first."""
    question = select(InboxRow).where(
        col(InboxRow.conversation_id) == conversation_id,
        col(InboxRow.kind) == "message",
        col(InboxRow.id) < before,
        col(InboxRow.status).not_in(("new", "capped", "joined", "withdrawn")),
    )
    return list((await db.exec(question.order_by(col(InboxRow.id).desc()).limit(limit))).all())


async def replies(db: AsyncSession, conversation_id: int, *, limit: int) -> list[OutboxRow]:
    """The agent's last ones to the customer, newest first."""
    question = select(OutboxRow).where(
        col(OutboxRow.conversation_id) == conversation_id,
        col(OutboxRow.kind) == "say",
        col(OutboxRow.dedupe_key).startswith("reply:"),
    )
    return list((await db.exec(question.order_by(col(OutboxRow.id).desc()).limit(limit))).all())


async def latest(db: AsyncSession, conversation_id: int, *, limit: int) -> list[InboxRow]:
    """What people wrote in it last and did not take back, whatever became of it, newest first."""
    question = select(InboxRow).where(
        col(InboxRow.conversation_id) == conversation_id,
        col(InboxRow.kind) == "message",
        col(InboxRow.status).not_in(("joined", "withdrawn")),  # what is joined is in another one
    )
    return list((await db.exec(question.order_by(col(InboxRow.id).desc()).limit(limit))).all())


async def notes(db: AsyncSession, conversation_id: int) -> list[InboxRow]:
    """What was written beside the cards of its requests, oldest first."""
    question = select(InboxRow).where(col(InboxRow.conversation_id) == conversation_id, col(InboxRow.kind) == "note")
    return list((await db.exec(question.order_by(col(InboxRow.id)))).all())
