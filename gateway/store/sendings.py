"""The outbox: what must go out, in order within a lane."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import OutboxRow
from gateway.store.tx import Tx
from gateway.store.upkeep import EarlyReportRow

OPEN = ("queued", "sending", "unknown")
RANK = {"queued": 0, "sending": 1, "unknown": 1, "sent": 2, "delivered": 3, "again": 3, "failed": 3, "refused": 3}


async def add(tx: Tx, **values: Any) -> int | None:
    """None: a message with this `dedupe_key` was queued before."""
    return await insert_new(tx.db, OutboxRow, status="queued", attempts=0, unsure=0, **values)  # type: ignore[no-any-return]


async def reword(tx: Tx, outbox_id: int, payload: str) -> None:
    """Before anybody has begun to send it: in the transaction that queued it."""
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == outbox_id).values(payload=payload))


async def head(db: AsyncSession, lane: str) -> OutboxRow | None:
    """The first message of the lane that is not through yet; the others wait behind it."""
    question = select(OutboxRow).where(col(OutboxRow.lane) == lane, among(OutboxRow.status, *OPEN))
    return (await db.exec(question.order_by(col(OutboxRow.rank), col(OutboxRow.id)).limit(1))).first()


async def untold(db: AsyncSession, conversation_id: int, *, limit: int) -> list[OutboxRow]:
    """Replies of a conversation that did not arrive, and of which the agent does not know; the newest, oldest first."""
    mine = (col(OutboxRow.conversation_id) == conversation_id, among(OutboxRow.status, "failed"))
    replies = (col(OutboxRow.dedupe_key).startswith("reply:"), ~col(OutboxRow.agent_told))
    question = select(OutboxRow).where(*mine, *replies).order_by(col(OutboxRow.id).desc()).limit(limit)
    return list((await db.exec(question)).all())[::-1]


async def tell(tx: Tx, conversation_id: int) -> None:
    """The agent knows of all replies that did not arrive so far."""
    mine = (col(OutboxRow.conversation_id) == conversation_id, among(OutboxRow.status, "failed"))
    await changed(tx.db, update(table(OutboxRow)).where(*mine).values(agent_told=True))


async def segments(
    db: AsyncSession, route: str, since: datetime, conversation_id: int | None = None, *, but: int = 0
) -> int:
    """Of what a route was charged for since, but for one message. What is on its way counts as one until its carrier
    says how many.
    """
    mine = [col(OutboxRow.route) == route, col(OutboxRow.created_at) >= since, col(OutboxRow.id) != but]
    if conversation_id is not None:
        mine.append(col(OutboxRow.conversation_id) == conversation_id)
    under_way = and_(among(OutboxRow.status, "sending", "unknown"), col(OutboxRow.segments) == 0)
    charged = func.coalesce(func.sum(case((under_way, 1), else_=col(OutboxRow.segments))), 0)
    return int((await db.exec(select(charged).where(*mine))).one())


async def get(db: AsyncSession, outbox_id: int) -> OutboxRow | None:
    return (await db.exec(select(OutboxRow).where(col(OutboxRow.id) == outbox_id))).first()


async def by_receipt(db: AsyncSession, channel: str, provider_id: str) -> OutboxRow | None:
    where = (col(OutboxRow.channel) == channel, col(OutboxRow.provider_id) == provider_id)
    return (await db.exec(select(OutboxRow).where(*where))).first()


async def known(db: AsyncSession, channel: str, provider_ids: Sequence[str]) -> set[str]:
    """Which of these are receipts of ours, or of what failed and is sent again (`queue_again` forgets their ids)."""
    found = set[str | None]()
    for model, more in ((OutboxRow, ()), (EarlyReportRow, (among(EarlyReportRow.status, "again"),))):
        where = (col(model.channel) == channel, col(model.provider_id).in_(provider_ids), *more)
        found |= set((await db.exec(select(model.provider_id).where(*where))).all())
    return {one for one in found if one is not None}


async def shown(db: AsyncSession, approval_id: str) -> list[OutboxRow]:
    """The messages that put this request before somebody's eyes, or still will."""
    where = (col(OutboxRow.approval_id) == approval_id, col(OutboxRow.kind) == "ask")
    question = select(OutboxRow).where(*where).order_by(col(OutboxRow.id))
    return list((await db.exec(question)).all())


async def showed(db: AsyncSession, channel: str, provider_id: str) -> str | None:
    """The request whose card has this receipt. None: it is of no card, or not ours."""
    where = (col(OutboxRow.channel) == channel, col(OutboxRow.provider_id) == provider_id, col(OutboxRow.kind) == "ask")
    return (await db.exec(select(OutboxRow.approval_id).where(*where))).first()


async def begin(tx: Tx, row: OutboxRow, status: str, **values: Any) -> bool:
    """One more try of a row as it was read. False: it has changed since, look again."""
    seen = (col(OutboxRow.id) == row.id, col(OutboxRow.status) == row.status, col(OutboxRow.attempts) == row.attempts)
    begun = update(table(OutboxRow)).where(*seen).values(status=status, attempts=row.attempts + 1, **values)
    return await changed(tx.db, begun) == 1


async def is_ours(db: AsyncSession, row: OutboxRow) -> bool:
    """A fresh look before what cannot be fenced: is the try that `begin` began still the last one?"""
    question = select(OutboxRow.status, OutboxRow.attempts).where(col(OutboxRow.id) == row.id)
    return (await db.exec(question)).first() == ("sending", row.attempts + 1)


async def end(tx: Tx, row: OutboxRow, **values: Any) -> bool:
    """Keep what came of the try that `begin` began. False: somebody else has taken the row since."""
    ours = (col(OutboxRow.id) == row.id, among(OutboxRow.status, *OPEN), col(OutboxRow.attempts) == row.attempts + 1)
    return await changed(tx.db, update(table(OutboxRow)).where(*ours).values(**values)) == 1


async def hold_next(tx: Tx, row: OutboxRow, until: datetime) -> None:
    """The part after this one waits until then, or until `carried`."""
    await changed(tx.db, _next(row).values(not_before=until))


async def carried(tx: Tx, row: OutboxRow, now: datetime) -> bool:
    """The carrier has handed it on. True: the part after it waited for that, and may go."""
    first = update(table(OutboxRow)).where(col(OutboxRow.id) == row.id, col(OutboxRow.carried_at).is_(None))
    return await changed(tx.db, first.values(carried_at=now)) == 1 and (
        await changed(tx.db, _next(row).values(not_before=None)) == 1
    )


def _next(row: OutboxRow) -> Any:
    """The part after it, unless somebody has begun to send it."""
    after = (col(OutboxRow.lane) == row.lane, among(OutboxRow.status, *OPEN), col(OutboxRow.follows_id) == row.id)
    return update(table(OutboxRow)).where(*after, col(OutboxRow.attempts) == 0)


async def drop_unsent(tx: Tx, outbox_id: int) -> bool:
    """Take back a message nobody has begun to send. False: too late."""
    queued = (col(OutboxRow.id) == outbox_id, col(OutboxRow.status) == "queued", col(OutboxRow.attempts) == 0)
    return await changed(tx.db, update(table(OutboxRow)).where(*queued).values(status="dropped")) == 1


async def held(tx: Tx, channel: str, provider_id: str) -> OutboxRow | None:
    """The message with this receipt; nobody else writes to it meanwhile."""
    where = (col(OutboxRow.channel) == channel, col(OutboxRow.provider_id) == provider_id)
    return (await tx.db.exec(select(OutboxRow).where(*where).with_for_update())).first()


def is_news(row: OutboxRow, status: str) -> bool:
    """What a carrier says never moves backwards."""
    return RANK.get(row.status, 9) < RANK[status]


async def report(tx: Tx, outbox_id: int, status: str, error: str | None) -> None:
    values = {"status": status, "error": error}
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == outbox_id).values(**values))


async def wait(tx: Tx, row: OutboxRow, place: datetime) -> None:
    """Until its place in a budget that lanes share."""
    waiting = update(table(OutboxRow)).where(col(OutboxRow.id) == row.id)
    await changed(tx.db, waiting.values(slot_at=place, not_before=place))


async def queue_again(tx: Tx, row: OutboxRow, *, not_before: datetime, error: str | None) -> None:
    """One more send of what the carrier had taken; its id is forgotten."""
    values = {"status": "queued", "provider_id": None, "not_before": not_before, "error": error, "unsure": 0}
    more = {"resends": row.resends + 1, "carried_at": None}
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == row.id).values(**values, **more))


async def keep_early(tx: Tx, channel: str, provider_id: str, status: str, error: str | None, now: datetime) -> None:
    """Keep what was said of a message that we do not know yet; the newest word but never one that moves backwards."""
    which = {"channel": channel, "provider_id": provider_id}
    if await insert_new(tx.db, EarlyReportRow, **which, status=status, error=error, at=now) is not None:
        return
    lower = [name for name, rank in RANK.items() if rank < RANK[status]]
    ours = (col(EarlyReportRow.channel) == channel, col(EarlyReportRow.provider_id) == provider_id)
    later = update(table(EarlyReportRow)).where(*ours, col(EarlyReportRow.status).in_(lower))
    await changed(tx.db, later.values(status=status, error=error))


async def early(db: AsyncSession, channel: str, provider_id: str) -> EarlyReportRow | None:
    ours = (col(EarlyReportRow.channel) == channel, col(EarlyReportRow.provider_id) == provider_id)
    return (await db.exec(select(EarlyReportRow).where(*ours))).first()


async def forget_early(tx: Tx, channel: str, provider_id: str) -> None:
    ours = (col(EarlyReportRow.channel) == channel, col(EarlyReportRow.provider_id) == provider_id)
    await changed(tx.db, delete(table(EarlyReportRow)).where(*ours))


async def early_and_known(db: AsyncSession) -> list[EarlyReportRow]:
    """Reports whose message has become known, and which nobody applied."""
    known = and_(
        col(OutboxRow.channel) == col(EarlyReportRow.channel),
        col(OutboxRow.provider_id) == col(EarlyReportRow.provider_id),
    )
    return list((await db.exec(select(EarlyReportRow).join(OutboxRow, known).limit(100))).all())


async def forget_early_before(tx: Tx, then: datetime) -> None:
    """What nobody ever claimed was no message of ours."""
    await changed(tx.db, delete(table(EarlyReportRow)).where(col(EarlyReportRow.at) < then))


async def lanes_due(db: AsyncSession, now: datetime, *, limit: int = 500) -> list[str]:
    """Lanes whose first open message is due, those that wait longest first."""
    before = aliased(OutboxRow)
    earlier = or_(
        col(before.rank) < col(OutboxRow.rank),
        and_(col(before.rank) == col(OutboxRow.rank), col(before.id) < col(OutboxRow.id)),
    )
    ahead = select(before.id).where(col(before.lane) == col(OutboxRow.lane), among(before.status, *OPEN), earlier)
    due = or_(col(OutboxRow.not_before).is_(None), col(OutboxRow.not_before) <= now)
    heads = select(OutboxRow.lane).where(among(OutboxRow.status, *OPEN), due, ~ahead.exists())
    return list((await db.exec(heads.order_by(col(OutboxRow.id)).limit(limit))).all())
