"""What became of a conversation's rows. Loads no bodies: they are not asked for and must not be shown."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import pauses
from gateway.store.sql import among
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, OutboxRow, TurnRow


@dataclass(frozen=True, slots=True)
class Outline:
    """A conversation, the pause that holds its turns, and how much of it waits or was set aside."""

    row: ConversationRow
    pause_id: int | None
    waiting: int
    dead: int


async def outlines(db: AsyncSession, *, limit: int) -> list[Outline]:
    """Those with the newest turns first."""
    newest = _outline().order_by(col(ConversationRow.last_message_at).desc(), col(ConversationRow.id).desc())
    return [Outline(*found) for found in (await db.exec(newest.limit(limit))).all()]


async def outline(db: AsyncSession, conversation_id: int) -> Outline | None:
    found = (await db.exec(_outline().where(col(ConversationRow.id) == conversation_id))).first()
    return None if found is None else Outline(*found)


async def agents(db: AsyncSession) -> set[str]:
    """Every agent some conversation is with."""
    return set((await db.exec(select(ConversationRow.agent).distinct())).all())


async def events(db: AsyncSession, conversation_id: int) -> list[InboxRow]:
    question = select(InboxRow).where(col(InboxRow.conversation_id) == conversation_id)
    return list((await db.exec(question.options(_without(InboxRow.payload)).order_by(col(InboxRow.id)))).all())


async def turns(db: AsyncSession, conversation_id: int) -> list[TurnRow]:
    question = select(TurnRow).where(col(TurnRow.conversation_id) == conversation_id)
    return list((await db.exec(question.options(_without(TurnRow.posted_text)).order_by(col(TurnRow.id)))).all())


async def approvals(db: AsyncSession, conversation_id: int) -> list[ApprovalRow]:
    question = select(ApprovalRow).where(col(ApprovalRow.conversation_id) == conversation_id)
    bodies = (ApprovalRow.arguments, ApprovalRow.view, ApprovalRow.reason)
    return list((await db.exec(question.options(*(_without(body) for body in bodies)))).all())


async def messages(db: AsyncSession, conversation_id: int) -> list[OutboxRow]:
    question = select(OutboxRow).where(col(OutboxRow.conversation_id) == conversation_id)
    return list((await db.exec(question.options(_without(OutboxRow.payload)).order_by(col(OutboxRow.id)))).all())


def _without(column: Any) -> Any:
    return defer(column)


def _outline() -> Any:
    mine = col(InboxRow.conversation_id) == col(ConversationRow.id)
    out = col(OutboxRow.conversation_id) == col(ConversationRow.id)
    waiting = _number_of(InboxRow, mine, among(InboxRow.status, "new"), ~col(InboxRow.control))
    came_in = _number_of(InboxRow, mine, among(InboxRow.status, "dead"))
    went_out = _number_of(OutboxRow, out, among(OutboxRow.status, "failed"))
    return select(ConversationRow, pauses.of_turns(), waiting, came_in + went_out)


def _number_of(model: Any, *where: Any) -> Any:
    return select(func.count()).select_from(model).where(*where).correlate(ConversationRow).scalar_subquery()
