"""Events that came in: kept once under the platform's own ids, each finished once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.events import ThreadRef
from gateway.store import pauses
from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ConversationRow, InboxRow
from gateway.store.tx import Tx

_conversations = table(ConversationRow)
_next = update(_conversations).values(next_seq=_conversations.c.next_seq + 1)
_NEXT_OF_CONVERSATION = _next.where(_conversations.c.id == bindparam("of")).returning(_conversations.c.next_seq)
_NEXT_OF_THREAD = _next.where(
    _conversations.c.channel == bindparam("of_channel"),
    _conversations.c.account == bindparam("of_account"),
    _conversations.c.thread_key == bindparam("of_thread"),
).returning(_conversations.c.id, _conversations.c.next_seq)
_FINISH = update(table(InboxRow)).where(table(InboxRow).c.id == bindparam("of"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event went; `inbox_id` is None when it was there already."""

    conversation_id: int
    inbox_id: int | None


async def append_to(tx: Tx, thread: ThreadRef, **event: Any) -> Place | None:
    """`append` to the thread's conversation. None: there is none."""
    connection = await tx.db.connection()
    where = {"of_channel": thread.channel, "of_account": thread.account, "of_thread": thread.key}
    taken = (await connection.execute(_NEXT_OF_THREAD, where)).one_or_none()
    return None if taken is None else Place(taken.id, await _insert(tx, taken.id, taken.next_seq - 1, **event))


async def append(tx: Tx, conversation_id: int, **event: Any) -> int | None:
    """Put an event at the end of the lane, under the conversation's row lock. None: it was there already."""
    connection = await tx.db.connection()
    seq = (await connection.execute(_NEXT_OF_CONVERSATION, {"of": conversation_id})).scalar_one() - 1
    return await _insert(tx, conversation_id, seq, **event)


async def _insert(
    tx: Tx,
    conversation_id: int,
    seq: int,
    *,
    kind: str,
    event_key: str,
    payload: str,
    now: datetime,
    control: bool = False,
    message_key: str | None = None,
    sent_at: datetime | None = None,
) -> int | None:
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
        sent_at=sent_at,
        received_at=now,
    )
    return None if new is None else int(new)


async def keep_unrouted(
    tx: Tx,
    *,
    kind: str,
    event_key: str,
    message_key: str | None,
    payload: str,
    now: datetime,
    status: str = "unrouted",
    conversation_id: int | None = None,
) -> bool:
    """Record an event that goes into no lane. False: it was there already."""
    values: dict[str, Any] = {
        "conversation_id": conversation_id,
        "kind": kind,
        "event_key": event_key,
        "message_key": message_key,
        "payload": payload,
    }
    values |= {
        "seq": 0,
        "control": False,
        "status": status,
        "held": False,
        "attempts": 0,
        "faults": 0,
    }
    return await insert_new(tx.db, InboxRow, **values, received_at=now) is not None


async def place_of(db: AsyncSession, message_key: str) -> Place | None:
    """Where a message went. None: nowhere, or into no lane."""
    question = select(InboxRow.conversation_id, InboxRow.id).where(col(InboxRow.message_key) == message_key)
    found = (await db.exec(question)).first()
    return Place(found[0], found[1]) if found is not None and found[0] is not None else None


async def rewrite(tx: Tx, inbox_id: int, payload: str) -> None:
    await changed(tx.db, update(table(InboxRow)).where(col(InboxRow.id) == inbox_id).values(payload=payload))


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
        among(InboxRow.status, "new"),
        ~col(InboxRow.control),
        ~col(InboxRow.held),
    )


async def behind(db: AsyncSession, row: InboxRow, *, limit: int) -> list[InboxRow]:
    """The messages that wait behind this one, in order."""
    waiting = (
        col(InboxRow.conversation_id) == row.conversation_id,
        among(InboxRow.status, "new"),
        ~col(InboxRow.control),
        col(InboxRow.seq) > row.seq,
    )
    return list((await db.exec(select(InboxRow).where(*waiting).order_by(col(InboxRow.seq)).limit(limit))).all())


async def join(tx: Tx, inbox_id: int, payload: str, others: list[int], now: datetime) -> None:
    """The first of several becomes all of them; the others are finished."""
    inbox = table(InboxRow)
    await changed(tx.db, update(inbox).where(inbox.c.id == inbox_id).values(payload=payload))
    await changed(tx.db, update(inbox).where(inbox.c.id.in_(others)).values(status="joined", handled_at=now))


async def finish(tx: Tx, inbox_id: int, now: datetime, *, status: str = "done", error: str | None = None) -> None:
    await changed(tx.db, _FINISH, of=inbox_id, status=status, handled_at=now, error=error)


async def recall_decisions(tx: Tx, conversation_id: int, now: datetime) -> None:
    """What was settled and is on its way to the agent goes there no more."""
    on_their_way = (
        col(InboxRow.conversation_id) == conversation_id,
        among(InboxRow.status, "new"),
        col(InboxRow.kind).in_(("decision", "expired")),
    )
    await changed(tx.db, update(table(InboxRow)).where(*on_their_way).values(status="interrupted", handled_at=now))


async def try_later(tx: Tx, row: InboxRow, *, now: datetime, not_before: datetime, error: str, fault: bool) -> None:
    values: dict[str, Any] = {"attempts": row.attempts + 1, "not_before": not_before, "error": error}
    values |= {"faults": row.faults + fault, "failing_since": row.failing_since or now}
    await changed(tx.db, update(table(InboxRow)).where(col(InboxRow.id) == row.id).values(**values))


async def oldest_ready(db: AsyncSession, now: datetime) -> datetime | None:
    """Since when the oldest message waits that could be taken: due, in a conversation neither parked nor paused."""
    question = (
        select(func.min(col(InboxRow.received_at)))
        .join(ConversationRow, col(ConversationRow.id) == col(InboxRow.conversation_id))
        .where(
            among(InboxRow.status, "new"),
            or_(col(InboxRow.not_before).is_(None), col(InboxRow.not_before) <= now),
            col(ConversationRow.parked_turn_id).is_(None),
            col(ConversationRow.mode) == "bot",
            pauses.of_turns().is_(None),
        )
    )
    return (await db.exec(question)).one()
