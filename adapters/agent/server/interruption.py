"""How a turn ends whose server stopped or died: it goes on later, may be posted again, or has failed for good.

Nothing here runs a tool; a call that had begun is never begun again.
"""

from collections.abc import Sequence

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Frame
from adapters.agent.server import calls, remembering
from adapters.agent.server.database import Database
from adapters.agent.server.rows import CallState, MadeCall, PostState, Turn
from adapters.agent.server.store import STANDING, end_turn, held, write_failure
from adapters.agent.server.tables import posts, sessions
from gateway.events import AgentStatus

STOPPED = "the turn was interrupted"
DIED = "interrupted: the server stopped during this turn"


async def stop(database: Database, turn: Turn, history: bytes | None) -> Sequence[Frame] | None:
    """End our own turn; `history` is what the model has of it. None: it was taken from us, and nothing was written."""
    async with database.writing() as db:
        row = await held(db, turn, database.server_id)
        return None if row is None else await close(db, row, STOPPED, history)


async def take(database: Database, session_id: str) -> Sequence[Frame]:
    """End the turn that another server runs, which then begins no tool and writes no end. Empty: there is none."""
    elsewhere = sessions.c.owner.is_distinct_from(database.server_id)
    running = select(*STANDING).filter_by(id=session_id, status=AgentStatus.PROCESSING).where(elsewhere)
    async with database.reading() as db:
        if (await db.execute(running)).first() is None:
            return []
    await remembering.ready()
    async with database.writing() as db:
        row = (await db.execute(running.with_for_update())).mappings().one_or_none()
        return [] if row is None else await close(db, row, STOPPED)


async def close(db: AsyncConnection, row: RowMapping, error: str, history: bytes | None = None) -> Sequence[Frame]:
    """End the turn of a session whose row is ours until the transaction ends.

    What to show, the `error_message` last; nothing when a parked turn has its answers and goes on by itself.
    """
    is_wanted = await _is_wanted(db, row["id"])
    if is_wanted and await calls.can_go_on(db, row["id"], row["batch"]):
        parked = update(sessions).filter_by(id=row["id"])
        await db.execute(parked.values(status=AgentStatus.AWAITING_APPROVAL, owner=None))
        return []
    made = await calls.made(db, row["id"], row["turn_id"])
    resumable = is_wanted and not made
    # What may run again must find the model's history as it was.
    kept, state = (None, PostState.INTERRUPTED) if resumable else (history, PostState.DONE)
    if made:
        kept = remembering.with_calls(history or await _left(db, row), made)
    await end_turn(db, row["id"], row["turn_id"], kept, post=state)
    content = frames.error_message(error + _done(made), interrupted=True, resumable=resumable)
    return await write_failure(db, row["id"], row["agent"], row["turn_id"], content)


async def _is_wanted(db: AsyncConnection, session_id: str) -> bool:
    """False: the session was terminated meanwhile, and its post dropped."""
    taken = select(func.count()).select_from(posts).filter_by(session_id=session_id, state=PostState.TAKEN)
    return bool(await db.scalar(taken))


async def _left(db: AsyncConnection, row: RowMapping) -> bytes:
    """The history as the turn's server left it: only that of a turn which was parked has the turn in it."""
    kept: bytes | None = await db.scalar(select(sessions.c.history).filter_by(id=row["id"]))
    if kept and row["batch"]:
        return kept
    taken = select(posts.c.contents).filter_by(session_id=row["id"], state=PostState.TAKEN)
    return remembering.begun(kept, await db.scalar(taken) or ())


def _done(made: Sequence[MadeCall]) -> str:
    names = sorted({one.tool_name for one in made if one.state is CallState.COMPLETED})
    return f"; {', '.join(names)} ran before that" if names else ""
