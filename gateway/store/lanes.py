"""A conversation's lane: its events in order, its owner, and what fences a former owner."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import LaneLost
from gateway.events import ThreadRef
from gateway.store import pauses
from gateway.store.columns import UtcTime
from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ConversationRow, InboxRow
from gateway.store.tx import Tx

_conversations = table(ConversationRow)
_this = _conversations.c.id == bindparam("of")
_CLAIM = update(_conversations).where(_this).values(epoch=_conversations.c.epoch + 1).returning(_conversations.c.epoch)
_HOLD = update(_conversations).where(_this, _conversations.c.epoch == bindparam("held"))


@dataclass(frozen=True, slots=True)
class Lane:
    """Our claim on a conversation. Every write of the owner goes through `hold`."""

    conversation_id: int
    epoch: int


async def find(db: AsyncSession, thread: ThreadRef) -> ConversationRow | None:
    where = (
        col(ConversationRow.channel) == thread.channel,
        col(ConversationRow.account) == thread.account,
        col(ConversationRow.thread_key) == thread.key,
    )
    return (await db.exec(select(ConversationRow).where(*where))).first()


async def open_thread(tx: Tx, thread: ThreadRef, agent: str, now: datetime) -> int:
    """The conversation's id, found or created."""
    new = await insert_new(
        tx.db,
        ConversationRow,
        channel=thread.channel,
        account=thread.account,
        thread_key=thread.key,
        agent=agent,
        mode="bot",
        epoch=0,
        next_seq=1,
        created_at=now,
        last_message_at=now,
    )
    if new is not None:
        return int(new)
    found = await find(tx.db, thread)
    assert found is not None
    return found.id


async def claim(tx: Tx, conversation_id: int) -> Lane:
    """Become the owner: from now on the former owner's writes fail."""
    connection = await tx.db.connection()
    return Lane(conversation_id, (await connection.execute(_CLAIM, {"of": conversation_id})).scalar_one())


async def lock(tx: Tx, conversation_id: int) -> ConversationRow:
    """The row lock that orders a conversation's writers. Taken first, so that no two wait for each other."""
    row = select(ConversationRow).where(col(ConversationRow.id) == conversation_id).with_for_update()
    return (await tx.db.exec(row)).one()


async def hold(tx: Tx, lane: Lane, **values: Any) -> None:
    """The first statement of every write of an owner, changing its conversation. Raises `LaneLost`."""
    ours: dict[str, Any] = {"of": lane.conversation_id, "held": lane.epoch, "epoch": lane.epoch}
    if await changed(tx.db, _HOLD, **ours, **values) == 0:
        raise _lost(lane)


def _lost(lane: Lane) -> LaneLost:
    return LaneLost(f"conversation {lane.conversation_id} has another owner now")


async def look(db: AsyncSession, lane: Lane) -> None:
    """A fresh look before what cannot be fenced: a post to the agent. Raises `LaneLost`."""
    epoch = select(ConversationRow.epoch).where(col(ConversationRow.id) == lane.conversation_id)
    if (await db.exec(epoch)).one() != lane.epoch:
        raise _lost(lane)


async def set_mode(tx: Tx, conversation_id: int, mode: str) -> bool:
    """bot | human | closed. False: it stood so already."""
    other = (_conversations.c.id == conversation_id, _conversations.c.mode != mode)
    return await changed(tx.db, update(_conversations).where(*other).values(mode=mode)) == 1


async def conversation(db: AsyncSession, conversation_id: int) -> ConversationRow:
    return (await db.exec(select(ConversationRow).where(col(ConversationRow.id) == conversation_id))).one()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a conversation stands, and which pause, if any, holds its turns, and which its decisions."""

    mode: str
    parked_turn_id: int | None
    pause_id: int | None
    decisions_pause_id: int | None

    @property
    def ready(self) -> bool:
        """Messages may go to the agent."""
        return self.parked_turn_id is None and self.mode == "bot" and self.pause_id is None

    @property
    def held_by(self) -> str | None:
        """What keeps messages waiting, the same for the same hold; None when nothing does."""
        if self.pause_id is not None:
            return f"pause:{self.pause_id}"
        if self.mode == "human":
            return "human"
        return None if self.parked_turn_id is None else f"turn:{self.parked_turn_id}"


async def standing(db: AsyncSession, conversation_id: int) -> Standing:
    question = _standing().where(col(ConversationRow.id) == conversation_id)
    return Standing(*(await db.exec(question)).one())


def _standing(*more: Any) -> Any:
    mode, parked = col(ConversationRow.mode), col(ConversationRow.parked_turn_id)
    columns: Any = (mode, parked, pauses.of_turns(), pauses.of_decisions(), *more)
    return select(*columns).select_from(ConversationRow)


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a lane does next (None: nothing that is due), how it stands, and whether more waits behind that."""

    standing: Standing
    row: InboxRow | None
    more: bool


async def next_up(db: AsyncSession, conversation_id: int, now: datetime, *, control_only: bool = False) -> Ahead:
    """Control events first, then messages by `seq` while the lane is ready."""
    rows = (await db.exec(_next_up(), params={"of": conversation_id, "now": now})).all()
    *found, row = rows[0]
    standing, more = Standing(*found), len(rows) > 1
    if row is None or row.control:
        return Ahead(standing, row, more)
    due = row.not_before is None or row.not_before <= now
    return Ahead(standing, row if due and standing.ready and not control_only else None, more)


@cache
def _next_up() -> Any:
    due = or_(col(InboxRow.not_before).is_(None), col(InboxRow.not_before) <= bindparam("now", type_=UtcTime))
    held = and_(
        col(InboxRow.kind) == "decision", or_(pauses.of_turns().is_not(None), pauses.of_decisions().is_not(None))
    )
    first = and_(
        col(InboxRow.conversation_id) == col(ConversationRow.id),
        among(InboxRow.status, "new"),
        or_(~col(InboxRow.control), and_(due, ~held)),
    )
    question = _standing(InboxRow).outerjoin(InboxRow, first)
    in_order = question.order_by(col(InboxRow.control).desc(), col(InboxRow.seq))
    return in_order.where(col(ConversationRow.id) == bindparam("of")).limit(2)


async def forgotten(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[tuple[int, bool]]:
    """Conversations with something to do that nobody may be doing, and whether it is a control event.

    To do is what is due, older than a second, and next in its lane; and a word to somebody who waits.
    """
    before = aliased(InboxRow)
    waits_behind = (
        select(before.id)
        .where(
            col(before.conversation_id) == col(InboxRow.conversation_id),
            among(before.status, "new"),
            ~col(before.control),
            col(before.seq) < col(InboxRow.seq),
        )
        .exists()
    )
    due = or_(col(InboxRow.not_before).is_(None), col(InboxRow.not_before) <= now)
    paused, parked = pauses.of_turns().is_not(None), col(ConversationRow.parked_turn_id).is_not(None)
    decisions_wait = and_(col(InboxRow.kind) == "decision", or_(paused, pauses.of_decisions().is_not(None)))
    ready = and_(~parked, col(ConversationRow.mode) == "bot", ~paused, ~waits_behind)
    with_a_person = col(ConversationRow.mode) == "human"
    untold = and_(or_(parked, paused, with_a_person), ~col(InboxRow.held))
    question = (
        select(col(InboxRow.conversation_id), func.max(case((col(InboxRow.control), 1), else_=0)))
        .join(ConversationRow, col(ConversationRow.id) == col(InboxRow.conversation_id))
        .where(
            among(InboxRow.status, "new"),
            col(InboxRow.received_at) <= now - timedelta(seconds=1),
            due,
            or_(and_(col(InboxRow.control), ~decisions_wait), and_(~col(InboxRow.control), or_(ready, untold))),
        )
        .group_by(col(InboxRow.conversation_id))
        .order_by(func.max(case((col(InboxRow.control), 1), else_=0)).desc(), func.min(col(InboxRow.received_at)))
        .limit(limit)
    )
    return [(found, bool(control)) for found, control in (await db.exec(question)).all() if found is not None]
