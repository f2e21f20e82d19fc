"""How a turn ends whose server stopped or died: it goes on later, may be posted again, or has failed for good.

Nothing here runs a tool; a call that had begun is never begun again.
"""

from collections.abc import Sequence

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Frame
from adapters.agent.server.calls import can_go_on
from adapters.agent.server.database import Database
from adapters.agent.server.rows import PostState, Turn
from adapters.agent.server.store import end_turn, held, write_failure
from adapters.agent.server.tables import calls, posts, sessions
from gateway.events import AgentStatus

STOPPED = "the turn was interrupted"
DIED = "interrupted: the server stopped during this turn"


async def stop(database: Database, turn: Turn, history: bytes | None) -> Sequence[Frame] | None:
    """End our own turn; `history` is what the model has of it. None: it was taken from us, and nothing was written."""
    async with database.writing() as db:
        row = await held(db, turn, database.server_id)
        return None if row is None else await close(db, row, STOPPED, history)


async def close(db: AsyncConnection, row: RowMapping, error: str, history: bytes | None = None) -> Sequence[Frame]:
    """End the turn of a session whose row is ours until the transaction ends.

    What to show, the `error_message` last; nothing when a parked turn has its answers and goes on by itself.
    """
    is_wanted = await _is_wanted(db, row["id"])
    if is_wanted and await can_go_on(db, row["id"], row["batch"]):
        parked = update(sessions).filter_by(id=row["id"])
        await db.execute(parked.values(status=AgentStatus.AWAITING_APPROVAL, owner=None))
        return []
    resumable = is_wanted and not await _has_calls(db, row["id"], row["turn_id"])
    # What may run again must find the model's history as it was.
    kept, state = (None, PostState.INTERRUPTED) if resumable else (history, PostState.DONE)
    await end_turn(db, row["id"], row["turn_id"], kept, post=state)
    content = frames.error_message(error, interrupted=True, resumable=resumable)
    return await write_failure(db, row["id"], row["agent"], row["turn_id"], content)


async def _is_wanted(db: AsyncConnection, session_id: str) -> bool:
    """False: the session was terminated meanwhile, and its post dropped."""
    taken = select(func.count()).select_from(posts).filter_by(session_id=session_id, state=PostState.TAKEN)
    return bool(await db.scalar(taken))


async def _has_calls(db: AsyncConnection, session_id: str, turn_id: str) -> bool:
    begun = select(func.count()).select_from(calls).filter_by(session_id=session_id, turn_id=turn_id)
    return bool(await db.scalar(begun))
