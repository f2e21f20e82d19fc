"""What is old enough to go: some rows at a time, in the order of their ids, and emptied in place.

Nothing that is open, parked, set aside or undelivered is ever named here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, update
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.erasing import CARDS, NOTHING
from gateway.store.sendings import OPEN
from gateway.store.sql import among, changed, table
from gateway.store.tables import ApprovalRow, InboxRow, OutboxRow, TurnRow
from gateway.store.tx import Tx

READ = (
    "done",
    "joined",
    "withdrawn",
    "capped",
    "interrupted",
    "replayed",
    "dropped",
    "unrouted",
    "verdict",
    "note",
    "consent",
    "opted_out",
)
SENT = ("sent", "delivered", "dropped")
ENDED = ("done", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Window:
    """The next rows of a table. `last`: the id to go on after; None: what follows is younger, or nothing does."""

    last: int | None
    ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Age:
    """`before`: what is older is to go. A row stamped after `now` has the time of a clock that was wrong."""

    before: datetime
    now: datetime


async def inbox(db: AsyncSession, after: int, age: Age, limit: int) -> Window:
    return await _window(db, InboxRow, InboxRow.received_at, _read(), after, age, limit)


async def outbox(db: AsyncSession, after: int, age: Age, limit: int) -> Window:
    return await _window(db, OutboxRow, OutboxRow.created_at, _sent(), after, age, limit)


async def turns(db: AsyncSession, after: int, age: Age, limit: int) -> Window:
    return await _window(db, TurnRow, TurnRow.started_at, _ended(), after, age, limit)


async def turns_that_asked(db: AsyncSession, after: int, age: Age, limit: int) -> Window:
    """By their turns: requests have no order of their own."""
    asked = select(ApprovalRow.id).where(col(ApprovalRow.turn_id) == col(TurnRow.id)).exists()
    return await _window(db, TurnRow, TurnRow.started_at, (among(TurnRow.state, *ENDED), asked), after, age, limit)


async def _window(
    db: AsyncSession, model: Any, time: Any, gone: Sequence[Any], after: int, age: Age, limit: int
) -> Window:
    """Bounded, however much of the table was emptied long ago: ids come in the order of their time, or nearly.

    A row of a wrong clock is as old as the old ones after it, and says nothing of those.
    """
    ids = select(model.id, time).where(col(model.id) > after).order_by(col(model.id)).limit(limit)
    found = (await db.exec(ids)).all()
    told = [(id, at) for id, at in found if at <= age.now]
    if not found or (told and told[0][1] >= age.before):
        return Window(None)
    newest_old = max((id for id, at in told if at < age.before), default=0)
    old = [id for id, at in found if at < age.before or (at > age.now and id < newest_old)]
    going = select(model.id).where(col(model.id).in_(old), *gone) if old else None
    return Window(found[-1][0], [] if going is None else (await db.exec(going)).all())


# --- emptied -----------------------------------------------------------------------------------------------


async def empty_inbox(tx: Tx, ids: Sequence[int]) -> int:
    """How many were. The platforms' ids stay, so that a duplicate stays one."""
    mine = await _free(tx, InboxRow, ids, _read())
    return await _empty(tx, InboxRow, mine, payload=NOTHING, error=None)


async def empty_outbox(tx: Tx, ids: Sequence[int]) -> int:
    mine = await _free(tx, OutboxRow, ids, _sent())
    return await _empty(tx, OutboxRow, mine, payload=NOTHING, lane="emptied", error=None)


async def empty_turns(tx: Tx, ids: Sequence[int]) -> int:
    """The digest of what was posted stays: equal posts of a session are counted by it."""
    mine = await _free(tx, TurnRow, ids, _ended())
    return await _empty(tx, TurnRow, mine, posted_text="", error=None)


async def finished_requests(
    tx: Tx, turn_ids: Sequence[int], age: Age, *, view: str, arguments: str
) -> list[ApprovalRow]:
    """Of these turns: settled long enough ago (where a clock was wrong, their turns are old enough), with every
    message about them delivered, and not emptied yet: that is when its view has `view` in it, and it has these
    `arguments` or none. Nobody else writes to them meanwhile.
    """
    decided = col(ApprovalRow.decided_at)
    words = or_(~col(ApprovalRow.view).contains(view, autoescape=True), col(ApprovalRow.arguments) != arguments)
    told = select(OutboxRow.id).where(col(OutboxRow.approval_id) == col(ApprovalRow.id))
    question = select(ApprovalRow).where(
        col(ApprovalRow.turn_id).in_(turn_ids),
        ~among(ApprovalRow.state, "pending"),
        or_(decided.is_(None), decided < age.before, decided > age.now),
        words,
        ~told.where(among(OutboxRow.status, *OPEN, "failed")).exists(),
    )
    return list((await tx.db.exec(question.with_for_update(skip_locked=True, of=ApprovalRow))).all())


async def cards_of(db: AsyncSession, approval_id: str) -> list[OutboxRow]:
    where = (col(OutboxRow.approval_id) == approval_id, col(OutboxRow.kind).in_(CARDS))
    return list((await db.exec(select(OutboxRow).where(*where))).all())


async def _free(tx: Tx, model: Any, ids: Sequence[int], gone: Sequence[Any]) -> Sequence[int]:
    """Those that still may go. A row that somebody holds waits for the next day, and nobody waits for us."""
    question = select(model.id).where(col(model.id).in_(ids), *gone)
    return (await tx.db.exec(question.with_for_update(skip_locked=True, of=model))).all()


async def _empty(tx: Tx, model: type[SQLModel], ids: Sequence[int], **values: Any) -> int:
    rows = table(model)
    return await changed(tx.db, update(rows).where(rows.c.id.in_(ids)).values(**values)) if ids else 0


def _read() -> tuple[Any, ...]:
    """Events that are through, and not those of a turn that is not."""
    turn = aliased(TurnRow)
    open_turn = select(turn.id).where(col(turn.inbox_id) == col(InboxRow.id), among(turn.state, "running", "parked"))
    return among(InboxRow.status, *READ), col(InboxRow.payload) != NOTHING, ~open_turn.exists()


def _sent() -> tuple[Any, ...]:
    """Cards go with their requests."""
    return among(OutboxRow.status, *SENT), col(OutboxRow.payload) != NOTHING, ~col(OutboxRow.kind).in_(CARDS)


def _ended() -> tuple[Any, ...]:
    return among(TurnRow.state, *ENDED), col(TurnRow.posted_text) != ""
