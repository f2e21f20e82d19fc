"""What a server does about turns that a dead one left behind. An approved call that had begun is never run again."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import Row, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.frames import Frame
from adapters.agent.server.calls import can_go_on
from adapters.agent.server.rows import CallState
from adapters.agent.server.store import Store, end_turn, write_failure
from adapters.agent.server.tables import calls, posts, sessions
from gateway.events import AgentStatus

log = logging.getLogger(__name__)

Ended = tuple[str, Sequence[Frame]]
"""A session whose turn was ended, and what its clients should see."""


async def end_orphans(store: Store, runs_here: Callable[[str], bool]) -> Sequence[Ended]:
    """Ends turns that nobody runs; one that was parked and only waits to go on is left for `with_work`."""
    query = select(sessions).filter_by(status=AgentStatus.PROCESSING)
    async with store.database.reading() as db:
        if not (await db.execute(query.limit(1))).all():
            return []
    async with store.database.writing() as db:
        found = (await db.execute(query.with_for_update(skip_locked=True))).all()
        orphans = [row for row in found if not await _is_run(store, db, row, runs_here)]
        return [(row.id, shown) for row in orphans if (shown := await _end(db, row))]


async def _is_run(
    store: Store, db: AsyncConnection, row: Row[*tuple[object, ...]], runs_here: Callable[[str], bool]
) -> bool:
    if row.owner == store.database.server_id:
        return runs_here(row.id)
    return row.owner is not None and await store.database.lives(row.owner, db)


async def _end(db: AsyncConnection, row: Row[*tuple[object, ...]]) -> Sequence[Frame]:
    if await can_go_on(db, row.id, row.batch):
        parked = update(sessions).filter_by(id=row.id)
        await db.execute(parked.values(status=AgentStatus.AWAITING_APPROVAL, owner=None))
        return []
    log.warning("a turn of session %s was interrupted", row.id)
    await end_turn(db, row.id, row.turn_id, None)
    return await write_failure(db, row.id, row.agent, row.turn_id, "interrupted: the server stopped during this turn")


async def with_work(store: Store) -> Sequence[str]:
    """The sessions that have something to do and do nothing: a post waits, or every request is answered."""
    waits = select(posts.c.seq).where(posts.c.session_id == sessions.c.id, posts.c.state == "waiting")
    is_asked = select(calls.c.seq).where(calls.c.session_id == sessions.c.id, calls.c.state == CallState.PENDING)
    posted = and_(sessions.c.status == AgentStatus.IDLE, waits.exists())
    answered = and_(sessions.c.status == AgentStatus.AWAITING_APPROVAL, ~is_asked.exists())
    async with store.database.reading() as db:
        return (await db.scalars(select(sessions.c.id).where(or_(posted, answered)))).all()
