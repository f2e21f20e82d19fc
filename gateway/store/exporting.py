"""All that the rows have of a conversation, whole, in the order of what happened. Reads alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import erasing
from gateway.store.evidence import EditRow
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, OutboxRow, TurnRow, VoteRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    conversation: ConversationRow
    came: list[InboxRow]
    went: list[OutboxRow]
    turns: list[TurnRow]
    approvals: list[ApprovalRow]
    votes: list[VoteRow]
    edits: list[EditRow]
    sessions: list[str]


async def rows(db: AsyncSession, conversation_id: int) -> Rows | None:
    """None: there is no such conversation."""
    mine = select(ConversationRow).where(col(ConversationRow.id) == conversation_id)
    conversation = (await db.exec(mine)).first()
    if conversation is None:
        return None
    approvals = await erasing.approvals(db, conversation_id)
    asked = [row.id for row in approvals]
    return Rows(
        conversation=conversation,
        came=await _all(db, InboxRow, InboxRow.conversation_id, [conversation_id]),
        went=await _all(db, OutboxRow, OutboxRow.conversation_id, [conversation_id]),
        turns=await _all(db, TurnRow, TurnRow.conversation_id, [conversation_id]),
        approvals=approvals,
        votes=await _all(db, VoteRow, VoteRow.approval_id, asked),
        edits=await _all(db, EditRow, EditRow.approval_id, asked),
        sessions=sorted(await erasing.sessions(db, conversation_id)),
    )


async def came(db: AsyncSession, inbox_ids: Sequence[int]) -> list[InboxRow]:
    return await _all(db, InboxRow, InboxRow.id, inbox_ids)


async def went(db: AsyncSession, outbox_ids: Sequence[int]) -> list[OutboxRow]:
    return await _all(db, OutboxRow, OutboxRow.id, outbox_ids)


async def _all(db: AsyncSession, model: Any, column: Any, values: Sequence[Any]) -> list[Any]:
    question = select(model).where(col(column).in_(values)).order_by(col(model.id))
    return list((await db.exec(question)).all())
