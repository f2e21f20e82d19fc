"""Turns: inserted before the post, so that after a crash the next owner knows a post may be under way."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ApprovalRow, ConversationRow, TurnRow
from gateway.store.tx import Tx

ABANDONED = ("interrupted", "failed")
REMEMBERED = 50  # of a session's turns, and of its requests: what is older is not said once more


async def for_event(db: AsyncSession, inbox_id: int) -> TurnRow | None:
    return (await db.exec(select(TurnRow).where(col(TurnRow.inbox_id) == inbox_id))).first()


async def get(db: AsyncSession, turn_id: int) -> TurnRow:
    return (await db.exec(select(TurnRow).where(col(TurnRow.id) == turn_id))).one()


async def running(db: AsyncSession, conversation_id: int) -> TurnRow | None:
    """The turn that was begun, has not ended, and waits for nobody's word: one that was parked goes on when all its
    requests are settled.
    """
    open_ones = select(ApprovalRow.id).where(
        col(ApprovalRow.turn_id) == col(TurnRow.id), among(ApprovalRow.state, "pending")
    )
    goes_on = and_(col(TurnRow.id) == col(ConversationRow.parked_turn_id), ~open_ones.exists())
    question = (
        select(TurnRow)
        .join(ConversationRow, col(ConversationRow.id) == col(TurnRow.conversation_id))
        .where(col(ConversationRow.id) == conversation_id, or_(col(TurnRow.state) == "running", goes_on))
    )
    # A turn of its own for each event, and the newest event is the one that runs.
    return (await db.exec(question.order_by(col(TurnRow.id).desc()).limit(1))).first()


async def parked(db: AsyncSession) -> list[int]:
    """Those that wait for somebody's word, oldest first. Reads every conversation: for `survey`."""
    turn = col(ConversationRow.parked_turn_id)
    return [found for found in (await db.exec(select(turn).where(turn.is_not(None)).order_by(turn))).all() if found]


async def count(db: AsyncSession, since: datetime, **of: str) -> int:
    """How many turns of a `sender` or a `route` have begun since."""
    where = [table(TurnRow).c[name] == value for name, value in of.items()]
    question = select(func.count()).select_from(TurnRow).where(col(TurnRow.started_at) >= since, *where)
    return int((await db.exec(question)).one())


async def try_again(tx: Tx, turn_id: int) -> None:
    again = update(table(TurnRow)).where(col(TurnRow.id) == turn_id)
    await changed(tx.db, again.values(tries=table(TurnRow).c.tries + 1))


async def begin(
    tx: Tx, *, conversation_id: int, inbox_id: int, session_id: str, text: str, now: datetime, route: str, sender: str
) -> TurnRow:
    values = {
        "conversation_id": conversation_id,
        "inbox_id": inbox_id,
        "session_id": session_id,
        "started_at": now,
        "route": route,
        "sender": sender,
    }
    values |= {"posted_text": text, "posted_digest": _digest(text), "state": "running", "posted": False}
    turn_id = await insert_new(tx.db, TurnRow, **values)
    return await get(tx.db, turn_id)


async def move(tx: Tx, turn_id: int, *, session_id: str, text: str) -> None:
    """The same turn, in another session, with what that has to be told first."""
    values = {"session_id": session_id, "posted_text": text, "posted_digest": _digest(text)}
    await changed(tx.db, update(table(TurnRow)).where(col(TurnRow.id) == turn_id).values(**values))


async def shown(tx: Tx, turn_id: int, handle: str | None) -> None:
    """Which message shows the turn's reply growing; None: none does any more."""
    await changed(tx.db, update(table(TurnRow)).where(col(TurnRow.id) == turn_id).values(live_handle=handle))


async def end(tx: Tx, turn_id: int, *, state: str, **values: Any) -> None:
    await changed(tx.db, update(table(TurnRow)).where(col(TurnRow.id) == turn_id).values(state=state, **values))


@dataclass(frozen=True, slots=True)
class Before:
    """What a session had before a turn of it.

    `alike`: how often its text was posted; `known`: ids of messages of earlier turns, and of requests that are dealt
    with; `abandoned`: the turn before was given up while the platform may still have been at work on it;
    `doubtful`: its text, and how often that was posted before it, where nobody knows whether the platform ever got it.
    """

    alike: int
    known: frozenset[str]
    abandoned: bool
    doubtful: tuple[str, int] | None = None


async def before(db: AsyncSession, turn: TurnRow) -> Before:
    earlier = (col(TurnRow.session_id) == turn.session_id, col(TurnRow.id) < turn.id)
    question = select(TurnRow.reply_message_id, TurnRow.state, TurnRow.id).where(*earlier)
    latest = (await db.exec(question.order_by(col(TurnRow.id).desc()).limit(REMEMBERED))).all()
    if not latest:
        return Before(0, frozenset(await _dealt_with(db, turn)), abandoned=False)
    replies = {reply for reply, _, _ in latest if reply}
    known = frozenset(replies | await _dealt_with(db, turn))
    _, state, turn_id = latest[0]
    doubtful = await _as_posted(db, turn_id) if state == "interrupted" else None
    return Before(await _posted_alike(db, turn), known, abandoned=state in ABANDONED, doubtful=doubtful)


async def _as_posted(db: AsyncSession, turn_id: int) -> tuple[str, int] | None:
    """None: its text is not kept any more, so it is too long ago to be on its way."""
    turn = await get(db, turn_id)
    return (turn.posted_text, await _posted_alike(db, turn)) if turn.posted_text else None


async def _dealt_with(db: AsyncSession, turn: TurnRow) -> set[str]:
    over = or_(col(ApprovalRow.turn_id) < turn.id, col(ApprovalRow.applied))
    question = select(ApprovalRow.request_message_id).where(col(ApprovalRow.session_id) == turn.session_id, over)
    return set((await db.exec(question.order_by(col(ApprovalRow.created_at).desc()).limit(REMEMBERED))).all())


async def _posted_alike(db: AsyncSession, turn: TurnRow) -> int:
    """How many earlier turns of this session put the same text into its history."""
    where = (
        col(TurnRow.session_id) == turn.session_id,
        col(TurnRow.posted_digest) == turn.posted_digest,
        col(TurnRow.posted),
        col(TurnRow.id) < turn.id,
    )
    return int((await db.exec(select(func.count()).select_from(TurnRow).where(*where))).one())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
