"""One request with all that belongs to it, as the rows have it, and what was settled in a time. Reads alone.

Whole rows, so that a column of a later release is in the export by itself. Codes and tokens are not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import EditRow, OpeningRow
from gateway.store.seals import DAMAGE, SealRow, is_damage
from gateway.store.sql import table
from gateway.store.tables import ApprovalRow, AuditRow, ConversationRow, InboxRow, OutboxRow, TurnRow, VoteRow

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """An audit row, its seal (None: not sealed yet) and the hash of the link before. `readable`: else its id is all."""

    row: Row
    readable: bool
    n: int | None
    hash: str | None
    before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRows:
    approval: Row
    conversation: Row
    turn: Row
    event: Row
    votes: list[Row]
    edits: list[Row]
    openings: list[Row]
    messages: list[Row]
    trail: list[Trace]


_approvals, _audit, _outbox = table(ApprovalRow), table(AuditRow), table(OutboxRow)


async def rows(db: AsyncSession, approval_id: str) -> CaseRows | None:
    """None: there is no such request."""
    found = await _all(db, select(_approvals).where(_approvals.c.id == approval_id))
    if not found:
        return None
    (approval,) = found
    turn = await _one(db, TurnRow, approval["turn_id"])
    return CaseRows(
        approval=approval,
        conversation=await _one(db, ConversationRow, approval["conversation_id"]),
        turn=turn,
        event=await _one(db, InboxRow, turn["inbox_id"]),
        votes=await _of(db, VoteRow, approval_id),
        edits=await _of(db, EditRow, approval_id),
        openings=await _of(db, OpeningRow, approval_id),
        messages=await _messages(db, approval_id, turn["id"]),
        trail=await _trail(db, approval_id),
    )


async def settled(
    db: AsyncSession, since: datetime, until: datetime, *, tool: str | None, after: Row | None, limit: int
) -> list[Row]:
    """Requests that left `pending` in this time, by when they did; those that come after this one."""
    when = _approvals.c.decided_at
    where: list[ColumnElement[bool]] = [when >= since, when < until]
    if tool is not None:
        where.append(_approvals.c.tool == tool)
    if after is not None:
        where.append(or_(when > after["decided_at"], and_(when == after["decided_at"], _approvals.c.id > after["id"])))
    return await _all(db, select(_approvals).where(*where).order_by(when, _approvals.c.id).limit(limit))


async def votes_on(db: AsyncSession, approval_ids: Sequence[str]) -> list[Row]:
    found = table(VoteRow)
    return await _all(db, select(found).where(found.c.approval_id.in_(approval_ids)).order_by(found.c.at, found.c.id))


async def _of(db: AsyncSession, model: Any, approval_id: str) -> list[Row]:
    found = table(model)
    return await _all(db, select(found).where(found.c.approval_id == approval_id).order_by(found.c.at, found.c.id))


async def _one(db: AsyncSession, model: Any, key: int) -> Row:
    found = table(model)
    return (await _all(db, select(found).where(found.c.id == key)))[0]


async def _messages(db: AsyncSession, approval_id: str, turn_id: int) -> list[Row]:
    """What told anybody of it, and the turn's reply to the customer."""
    ours = or_(_outbox.c.approval_id == approval_id, _outbox.c.dedupe_key == f"reply:{turn_id}")
    return await _all(db, select(_outbox).where(ours).order_by(_outbox.c.id))


async def _trail(db: AsyncSession, approval_id: str) -> list[Trace]:
    seal, before = table(SealRow).alias("seal"), table(SealRow).alias("before")
    joined = _audit.outerjoin(seal, seal.c.audit_id == _audit.c.id).outerjoin(before, before.c.n == seal.c.n - 1)
    question = select(_audit.c.id, seal.c.n, seal.c.hash, before.c.hash).select_from(joined)
    mine = question.where(_audit.c.approval_id == approval_id).order_by(_audit.c.id)
    found = [tuple(one) for one in await (await db.connection()).execute(mine)]
    return [await _trace(db, *one) for one in found]


async def _trace(db: AsyncSession, id: int, n: int | None, hash: str | None, before: str | None) -> Trace:
    """Each row is read by itself: one that nobody can read any more keeps no other from being shown."""
    try:
        return Trace(await _one(db, AuditRow, id), True, n, hash, before)
    except DAMAGE as error:
        if not is_damage(error):
            raise
        return Trace({column.name: None for column in _audit.columns} | {"id": id}, False, n, hash, before)


async def _all(db: AsyncSession, question: Select[Any]) -> list[Row]:
    return [dict(row) for row in (await (await db.connection()).execute(question)).mappings()]
