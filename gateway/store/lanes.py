"""A conversation's lane: its events in order, its owner, and what fences a former owner."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import LaneLost
from gateway.events import ThreadRef
from gateway.store.sql import changed, insert_new, table
from gateway.store.store import Tx
from gateway.store.tables import ConversationRow, InboxRow

_conversations = table(ConversationRow)


@dataclass(frozen=True, slots=True)
class Lane:
    """Our claim on a conversation. Every write of the owner goes through `hold`."""

    conversation_id: int
    epoch: int


async def seen_before(db: AsyncSession, event_key: str, message_key: str | None) -> bool:
    match = col(InboxRow.event_key) == event_key
    if message_key is not None:
        match = or_(match, col(InboxRow.message_key) == message_key)
    return (await db.exec(select(col(InboxRow.id)).where(match).limit(1))).first() is not None


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


async def append(
    tx: Tx,
    conversation_id: int,
    *,
    kind: str,
    event_key: str,
    payload: str,
    now: datetime,
    control: bool = False,
    message_key: str | None = None,
) -> int | None:
    """Put an event at the end of the lane, under the conversation's row lock. None: it was there already."""
    connection = await tx.db.connection()
    take = update(_conversations).where(_conversations.c.id == conversation_id)
    take = take.values(next_seq=_conversations.c.next_seq + 1)
    seq = (await connection.execute(take.returning(_conversations.c.next_seq))).scalar_one() - 1
    new = await insert_new(
        tx.db,
        InboxRow,
        conversation_id=conversation_id,
        seq=seq,
        kind=kind,
        control=control,
        event_key=event_key,
        message_key=message_key,
        payload=payload,
        status="new",
        held=False,
        attempts=0,
        faults=0,
        received_at=now,
    )
    return None if new is None else int(new)


async def keep_unrouted(
    tx: Tx, *, kind: str, event_key: str, message_key: str | None, payload: str, now: datetime
) -> bool:
    """Record an event that no route takes. False: it was there already."""
    values: dict[str, Any] = {
        "kind": kind,
        "event_key": event_key,
        "message_key": message_key,
        "payload": payload,
    }
    values |= {
        "seq": 0,
        "control": False,
        "status": "unrouted",
        "held": False,
        "attempts": 0,
        "faults": 0,
    }
    return await insert_new(tx.db, InboxRow, **values, received_at=now) is not None


async def claim(tx: Tx, conversation_id: int) -> Lane:
    """Become the owner: from now on the former owner's writes fail."""
    connection = await tx.db.connection()
    raise_epoch = update(_conversations).where(_conversations.c.id == conversation_id)
    raise_epoch = raise_epoch.values(epoch=_conversations.c.epoch + 1)
    epoch = (await connection.execute(raise_epoch.returning(_conversations.c.epoch))).scalar_one()
    return Lane(conversation_id, epoch)


async def lock(tx: Tx, conversation_id: int) -> ConversationRow:
    """The row lock that orders a conversation's writers. Taken first, so that no two wait for each other."""
    row = select(ConversationRow).where(col(ConversationRow.id) == conversation_id).with_for_update()
    return (await tx.db.exec(row)).one()


async def hold(tx: Tx, lane: Lane, **values: Any) -> None:
    """The first statement of every write of an owner, changing its conversation. Raises `LaneLost`."""
    still_ours = and_(_conversations.c.id == lane.conversation_id, _conversations.c.epoch == lane.epoch)
    statement = update(_conversations).where(still_ours).values(epoch=lane.epoch, **values)
    if await changed(tx.db, statement) == 0:
        raise _lost(lane)


def _lost(lane: Lane) -> LaneLost:
    return LaneLost(f"conversation {lane.conversation_id} has another owner now")


async def look(db: AsyncSession, lane: Lane) -> None:
    """A fresh look before what cannot be fenced: a post to the agent. Raises `LaneLost`."""
    epoch = select(ConversationRow.epoch).where(col(ConversationRow.id) == lane.conversation_id)
    if (await db.exec(epoch)).one() != lane.epoch:
        raise _lost(lane)


async def conversation(db: AsyncSession, conversation_id: int) -> ConversationRow:
    return (await db.exec(select(ConversationRow).where(col(ConversationRow.id) == conversation_id))).one()


async def next_event(db: AsyncSession, conversation: ConversationRow, now: datetime) -> InboxRow | None:
    """What the lane does next: control events first, then messages by `seq` while the conversation is ready."""
    new = (col(InboxRow.conversation_id) == conversation.id, col(InboxRow.status) == "new")
    due = or_(col(InboxRow.not_before).is_(None), col(InboxRow.not_before) <= now)
    control = select(InboxRow).where(*new, col(InboxRow.control), due).order_by(col(InboxRow.seq)).limit(1)
    if found := (await db.exec(control)).first():
        return found
    if conversation.parked_turn_id is not None or conversation.mode != "bot":
        return None
    messages = select(InboxRow).where(*new, ~col(InboxRow.control)).order_by(col(InboxRow.seq)).limit(1)
    head = (await db.exec(messages)).first()
    return head if head and (head.not_before is None or head.not_before <= now) else None


async def event(db: AsyncSession, inbox_id: int) -> InboxRow:
    return (await db.exec(select(InboxRow).where(col(InboxRow.id) == inbox_id))).one()


async def unheld(db: AsyncSession, conversation_id: int) -> bool:
    """Is there a message nobody told its sender about, waiting behind a parked turn?"""
    waiting = _waiting(conversation_id)
    return (await db.exec(select(InboxRow).where(*waiting).limit(1))).first() is not None


async def mark_held(tx: Tx, conversation_id: int) -> None:
    await changed(tx.db, update(table(InboxRow)).where(*_waiting(conversation_id)).values(held=True))


def _waiting(conversation_id: int) -> tuple[Any, ...]:
    return (
        col(InboxRow.conversation_id) == conversation_id,
        col(InboxRow.status) == "new",
        ~col(InboxRow.control),
        ~col(InboxRow.held),
    )


async def finish(tx: Tx, inbox_id: int, now: datetime, *, status: str = "done", error: str | None = None) -> None:
    values = {"status": status, "handled_at": now, "error": error}
    await changed(tx.db, update(table(InboxRow)).where(col(InboxRow.id) == inbox_id).values(**values))


async def try_later(tx: Tx, row: InboxRow, *, now: datetime, not_before: datetime, error: str, fault: bool) -> None:
    values: dict[str, Any] = {"attempts": row.attempts + 1, "not_before": not_before, "error": error}
    values |= {"faults": row.faults + fault, "failing_since": row.failing_since or now}
    await changed(tx.db, update(table(InboxRow)).where(col(InboxRow.id) == row.id).values(**values))


async def forgotten(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[int]:
    """Conversations with something to do that nobody may be doing: due, older than a second, and next in its lane."""
    before = aliased(InboxRow)
    waits_behind = (
        select(before.id)
        .where(
            col(before.conversation_id) == col(InboxRow.conversation_id),
            col(before.status) == "new",
            ~col(before.control),
            col(before.seq) < col(InboxRow.seq),
        )
        .exists()
    )
    due = or_(col(InboxRow.not_before).is_(None), col(InboxRow.not_before) <= now)
    ready = and_(col(ConversationRow.parked_turn_id).is_(None), col(ConversationRow.mode) == "bot", ~waits_behind)
    parked = and_(col(ConversationRow.parked_turn_id).is_not(None), ~col(InboxRow.held))
    question = (
        select(col(InboxRow.conversation_id))
        .join(ConversationRow, col(ConversationRow.id) == col(InboxRow.conversation_id))
        .where(
            col(InboxRow.status) == "new",
            col(InboxRow.received_at) <= now - timedelta(seconds=1),
            due,
            or_(col(InboxRow.control), ready, parked),
        )
        .distinct()
        .limit(limit)
    )
    return [found for found in (await db.exec(question)).all() if found is not None]
