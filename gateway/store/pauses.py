"""The stop button: what is paused, since when and by whom. Scopes: all, channel:sms, agent:support, approvals."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, or_, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tables import ConversationRow
from gateway.store.tx import Tx
from gateway.store.upkeep import PauseRow

APPROVALS = "approvals"


def of_turns() -> ColumnElement[Any]:
    """For a question over conversations: the pause that holds this one's turns, or NULL."""
    scopes = (
        col(PauseRow.scope) == "all",
        col(PauseRow.scope) == literal("channel:").concat(col(ConversationRow.channel)),
        col(PauseRow.scope) == literal("agent:").concat(col(ConversationRow.agent)),
    )
    question = select(func.min(col(PauseRow.id))).where(col(PauseRow.ended_at).is_(None), or_(*scopes))
    return question.correlate(ConversationRow).scalar_subquery()


def of_decisions() -> ColumnElement[Any]:
    """The pause that holds all decisions, or NULL."""
    question = select(func.min(col(PauseRow.id)))
    return question.where(col(PauseRow.ended_at).is_(None), col(PauseRow.scope) == APPROVALS).scalar_subquery()


async def approving(db: AsyncSession) -> bool:
    """Nobody may approve at the moment; a denial is always taken."""
    question = select(PauseRow.id).where(col(PauseRow.ended_at).is_(None), col(PauseRow.scope).in_(("all", APPROVALS)))
    return (await db.exec(question.limit(1))).first() is not None


async def open_ones(db: AsyncSession) -> list[PauseRow]:
    question = select(PauseRow).where(col(PauseRow.ended_at).is_(None)).order_by(col(PauseRow.id))
    return list((await db.exec(question)).all())


async def begin(tx: Tx, scope: str, now: datetime, *, by: str, reason: str) -> bool:
    """False: it was paused already."""
    return await insert_new(tx.db, PauseRow, scope=scope, since=now, by=by, reason=reason) is not None


async def end(tx: Tx, scope: str, now: datetime) -> bool:
    """False: it was not paused."""
    still_open = (col(PauseRow.scope) == scope, col(PauseRow.ended_at).is_(None))
    return await changed(tx.db, update(table(PauseRow)).where(*still_open).values(ended_at=now)) == 1
