"""What a server does about turns that a dead one left behind. An approved call that had begun is never run again."""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Sequence

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.frames import Frame
from adapters.agent.server import interruption, remembering
from adapters.agent.server.liveness import AWAY
from adapters.agent.server.rows import CallState
from adapters.agent.server.store import STANDING, Store, is_waiting
from adapters.agent.server.tables import calls, posts, sessions
from gateway.events import AgentStatus

log = logging.getLogger(__name__)

Ended = tuple[str, Sequence[Frame]]
"""A session whose turn nobody runs any more, and what its clients should see: nothing when it only waits to go on."""

Work = tuple[str, int | str]
"""A session, and what is next in it: the number of a post, or the batch of its answered requests."""


async def end_orphans(store: Store, runs_here: Callable[[str], bool]) -> Sequence[Ended]:
    """Ends turns that nobody runs, or lets go on what was parked and has its answers."""
    query = select(*STANDING).where(sessions.c.status == AgentStatus.PROCESSING)
    async with store.database.reading() as db:
        found = (await db.execute(query)).mappings().all()
        alive = {owner: await _lives(store, db, owner) for owner in {row["owner"] for row in found}}
    mine = store.database.server_id
    orphans = [row for row in found if not (runs_here(row["id"]) if row["owner"] == mine else alive[row["owner"]])]
    if orphans:
        await remembering.ready()
    ended: list[Ended] = []
    for row in orphans:
        with sparing_others(row["id"]):
            if (shown := await _end(store, row, runs_here)) is not None:
                ended.append((row["id"], shown))
    return ended


@contextlib.contextmanager
def sparing_others(session_id: str) -> Iterator[None]:
    """What is wrong with one session is logged, and keeps no other from being looked after. `AWAY` is of them all."""
    try:
        yield
    except AWAY:
        raise
    except Exception:  # whatever it is, it is there at the next look too
        log.exception("session %s could not be looked after", session_id)


async def _lives(store: Store, db: AsyncConnection, owner: int | None) -> bool:
    return owner is not None and await store.database.liveness.lives(owner, db)


async def _end(store: Store, found: RowMapping, runs_here: Callable[[str], bool]) -> Sequence[Frame] | None:
    """None when somebody else was there first."""
    same = [sessions.c[name] == found[name] for name in ("id", "status", "owner", "turn_id")]
    async with store.database.writing() as db:
        locked = select(*STANDING).where(*same).with_for_update(skip_locked=True)
        row = (await db.execute(locked)).mappings().one_or_none()
        if row is None or (row["owner"] == store.database.server_id and runs_here(row["id"])):
            return None
        log.warning("a turn of session %s was interrupted", row["id"])
        return await interruption.close(db, row, interruption.DIED)


async def with_work(store: Store) -> Collection[Work]:
    """The sessions that have something to do and do nothing: a post waits, or every request is answered."""
    waiting = select(posts.c.session_id, func.min(posts.c.seq)).group_by(posts.c.session_id).where(is_waiting())
    posted = waiting.join(sessions, sessions.c.id == posts.c.session_id)
    is_asked = select(calls.c.seq).where(calls.c.session_id == sessions.c.id, calls.c.state == CallState.PENDING)
    answered = select(sessions.c.id, sessions.c.batch).where(
        sessions.c.status == AgentStatus.AWAITING_APPROVAL, ~is_asked.exists()
    )
    async with store.database.reading() as db:
        idle = posted.where(sessions.c.status == AgentStatus.IDLE)
        return {(row[0], row[1]) for query in (idle, answered) for row in await db.execute(query)}
