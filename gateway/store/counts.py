"""How much there is of everything, for the metrics. Changes nothing.

What waits is found through the partial indexes. A total reads a whole table: whoever asks keeps the answer for a while.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, or_, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import pauses
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, OutboxRow, TurnRow

NEWEST = 5_000  # turns that are looked at for their first words


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits under these names, and since when the oldest does."""

    names: tuple[str, ...]
    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Total:
    """How many rows these names have, and the sum of what was used up."""

    names: tuple[str, ...]
    count: int
    used: int = 0


# --- what waits --------------------------------------------------------------------------------------------


async def inbox(db: AsyncSession, now: datetime) -> list[Waiting]:
    """Events not handled yet: `paused`, `held` (parked, or with a human), `retry` (wait for another try), `ready`."""
    control, paused = col(InboxRow.control), pauses.of_turns().is_not(None)
    decision_held = and_(col(InboxRow.kind) == "decision", or_(paused, pauses.of_decisions().is_not(None)))
    closed = or_(col(ConversationRow.parked_turn_id).is_not(None), col(ConversationRow.mode) != "bot")
    state = case(
        (or_(decision_held, and_(~control, paused)), "paused"),
        (and_(~control, closed), "held"),
        (col(InboxRow.not_before) > now, "retry"),
        else_="ready",
    )
    events = (
        select(state.label("state"), col(InboxRow.received_at).label("since"))
        .join(ConversationRow, col(ConversationRow.id) == col(InboxRow.conversation_id))
        .where(text("inbox.status = 'new'"))
        .subquery()
    )
    question = select(events.c.state, func.count(), func.min(events.c.since)).group_by(events.c.state)
    return _waiting(await db.exec(question))


async def outbox(db: AsyncSession) -> list[Waiting]:
    """Messages that must still go out, by channel and state."""
    rows = select(_plain(OutboxRow.channel), col(OutboxRow.status), col(OutboxRow.created_at))
    some = rows.where(text("outbox.status IN ('queued', 'sending', 'unknown')")).subquery()
    names = (some.c.channel, some.c.status)
    return _waiting(await db.exec(select(*names, func.count(), func.min(some.c.created_at)).group_by(*names)))


async def approvals(db: AsyncSession) -> Waiting:
    question = select(func.count(), func.min(col(ApprovalRow.created_at))).where(text("approvals.state = 'pending'"))
    return _waiting(await db.exec(question))[0]


async def dead(db: AsyncSession) -> list[Total]:
    """Dead letters, by where they lie."""
    events = select(func.count()).select_from(InboxRow).where(text("inbox.status = 'dead'"))
    messages = select(func.count()).select_from(OutboxRow).where(text("outbox.status = 'failed'"))
    found = (await db.exec(select(events.scalar_subquery(), messages.scalar_subquery()))).one()
    return [Total(("inbox",), found[0]), Total(("outbox",), found[1])]


# --- totals ------------------------------------------------------------------------------------------------


async def turns(db: AsyncSession) -> list[Total]:
    """By state, with the tokens used."""
    state = col(TurnRow.state)
    return _totals(await db.exec(select(state, func.count(), func.sum(col(TurnRow.tokens))).group_by(state)))


async def sendings(db: AsyncSession) -> list[Total]:
    """All messages by channel and state, with the segments used."""
    rows = select(_plain(OutboxRow.channel), col(OutboxRow.status), col(OutboxRow.segments)).subquery()
    names = (rows.c.channel, rows.c.status)
    return _totals(await db.exec(select(*names, func.count(), func.sum(rows.c.segments)).group_by(*names)))


async def requests(db: AsyncSession) -> list[Total]:
    """All approvals by state."""
    state = col(ApprovalRow.state)
    return [Total((name,), count) for name, count in await db.exec(select(state, func.count()).group_by(state))]


async def first_deltas(db: AsyncSession, since: datetime) -> list[float]:
    """Seconds from a turn's start to its first words, sorted: turns begun since, at most the newest ones."""
    newest: Any = select(col(TurnRow.started_at).label("began"), col(TurnRow.first_delta_at).label("spoke"))
    some = newest.order_by(col(TurnRow.id).desc()).limit(NEWEST).subquery()
    question = select(some.c.began, some.c.spoke).where(some.c.began >= since, some.c.spoke.is_not(None))
    return sorted((spoke - began).total_seconds() for began, spoke in await db.exec(question))


# --- the engine's own tables on PostgreSQL -----------------------------------------------------------------


async def jobs(db: AsyncSession) -> list[Total]:
    """Wake-ups that no worker has taken yet, by queue."""
    waiting = text("SELECT queue_name, count(*) FROM procrastinate_jobs WHERE status = 'todo' GROUP BY queue_name")
    return [Total((queue,), count) for queue, count in await (await db.connection()).execute(waiting)]


async def workers(db: AsyncSession, silent_s: float) -> int:
    """Workers heard of within so many seconds, by the database's clock."""
    question = (
        "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => :silent)"
    )
    found = await (await db.connection()).execute(text(question), {"silent": silent_s})
    return int(found.scalar_one())


def _plain(column: Any) -> Any:
    # SQLite would group along an index on the column itself, and so look up each row of the table in that order.
    return col(column).concat("").label(column.key)


def _waiting(rows: Any) -> list[Waiting]:
    return [Waiting(tuple(names), count, oldest) for *names, count, oldest in rows]


def _totals(rows: Any) -> list[Total]:
    return [Total(tuple(names), count, int(used)) for *names, count, used in rows]
