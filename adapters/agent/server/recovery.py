"""What a server does about turns that a dead one left behind. An approved call that had begun is never run again."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.frames import Frame
from adapters.agent.server import interruption
from adapters.agent.server.rows import CallState
from adapters.agent.server.store import STANDING, Store, is_waiting
from adapters.agent.server.tables import calls, posts, sessions
from gateway.events import AgentStatus

log = logging.getLogger(__name__)

Ended = tuple[str, Sequence[Frame]]
"""A session whose turn was ended, and what its clients should see."""


async def end_orphans(store: Store, runs_here: Callable[[str], bool]) -> Sequence[Ended]:
    """Ends turns that nobody runs; one that was parked and only waits to go on is left for `with_work`."""
    query = select(*STANDING).where(sessions.c.status == AgentStatus.PROCESSING)
    async with store.database.reading() as db:
        found = (await db.execute(query)).mappings().all()
        alive = {owner: await _lives(store, db, owner) for owner in {row["owner"] for row in found}}
    mine = store.database.server_id
    orphans = [row for row in found if not (runs_here(row["id"]) if row["owner"] == mine else alive[row["owner"]])]
    ended = [(row["id"], await _end(store, row, runs_here)) for row in orphans]
    return [(session_id, shown) for session_id, shown in ended if shown]


async def _lives(store: Store, db: AsyncConnection, owner: int | None) -> bool:
    return owner is not None and await store.database.liveness.lives(owner, db)


async def _end(store: Store, found: RowMapping, runs_here: Callable[[str], bool]) -> Sequence[Frame]:
    """Nothing when somebody else was there first."""
    same = [sessions.c[name] == found[name] for name in ("id", "status", "owner", "turn_id")]
    async with store.database.writing() as db:
        locked = select(*STANDING).where(*same).with_for_update(skip_locked=True)
        row = (await db.execute(locked)).mappings().one_or_none()
        if row is None or (row["owner"] == store.database.server_id and runs_here(row["id"])):
            return []
        log.warning("a turn of session %s was interrupted", row["id"])
        return await interruption.close(db, row, interruption.DIED)


async def with_work(store: Store) -> Sequence[str]:
    """The sessions that have something to do and do nothing: a post waits, or every request is answered."""
    posted = select(posts.c.session_id).join(sessions, sessions.c.id == posts.c.session_id).where(is_waiting())
    is_asked = select(calls.c.seq).where(calls.c.session_id == sessions.c.id, calls.c.state == CallState.PENDING)
    answered = select(sessions.c.id).where(sessions.c.status == AgentStatus.AWAITING_APPROVAL, ~is_asked.exists())
    async with store.database.reading() as db:
        idle = posted.where(sessions.c.status == AgentStatus.IDLE).distinct()
        return [*await db.scalars(idle), *await db.scalars(answered)]
