"""Requests in a row, for who looks after them: which there are, how many approve each, who was shown what."""

from collections.abc import Collection

from sqlalchemy import and_, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import OpeningRow
from gateway.store.sql import among
from gateway.store.tables import ApprovalRow, VoteRow


async def requests(
    db: AsyncSession,
    *,
    open_only: bool,
    conversation_id: int | None = None,
    after: ApprovalRow | None = None,
    limit: int,
) -> list[ApprovalRow]:
    """The newest, newest first; those that come after this one."""
    question = select(ApprovalRow)
    if open_only:
        question = question.where(among(ApprovalRow.state, "pending"))
    if conversation_id is not None:
        question = question.where(col(ApprovalRow.conversation_id) == conversation_id)
    when, key = col(ApprovalRow.created_at), col(ApprovalRow.id)
    if after is not None:
        question = question.where(or_(when < after.created_at, and_(when == after.created_at, key > after.id)))
    newest = question.order_by(when.desc(), key).limit(limit)
    return list((await db.exec(newest)).all())


async def votes_for(db: AsyncSession, approval_ids: Collection[str]) -> dict[str, int]:
    """How many people approve each, with the arguments as they stand."""
    question = (
        select(VoteRow.approval_id, func.count())
        .join(ApprovalRow, col(ApprovalRow.id) == col(VoteRow.approval_id))
        .where(
            col(VoteRow.approval_id).in_(approval_ids),
            col(VoteRow.verdict) == "approve",
            col(VoteRow.digest) == col(ApprovalRow.digest),
            col(VoteRow.counts),
        )
        .group_by(col(VoteRow.approval_id))
    )
    return dict((await db.exec(question)).all())


async def votes_on(db: AsyncSession, approval_id: str) -> list[VoteRow]:
    where = col(VoteRow.approval_id) == approval_id
    return list((await db.exec(select(VoteRow).where(where).order_by(col(VoteRow.at), col(VoteRow.id)))).all())


async def openings(db: AsyncSession, approval_id: str) -> list[OpeningRow]:
    where = col(OpeningRow.approval_id) == approval_id
    return list((await db.exec(select(OpeningRow).where(where).order_by(col(OpeningRow.id)))).all())


async def beginning_with(db: AsyncSession, start: str, *, limit: int = 2) -> list[str]:
    """Ids. Not by LIKE: `_` is a letter of an id, and SQLite would not tell `a` from `A`."""
    same = func.substr(col(ApprovalRow.id), 1, len(start)) == start
    return list((await db.exec(select(ApprovalRow.id).where(same).limit(limit))).all())
