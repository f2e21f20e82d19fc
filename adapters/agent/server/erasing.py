"""A session forgotten whole: every row that names it. Whatever still runs a turn of it finds nothing to write to."""

from sqlalchemy import delete, select

from adapters.agent.server.database import Database
from adapters.agent.server.tables import metadata, sessions


async def forget(database: Database, session_id: str, tenant: str) -> None:
    """Twice is safe. Somebody else's session stays, and looks like one that nobody knows."""
    mine = select(sessions.c.id).filter_by(id=session_id, tenant=tenant).with_for_update()
    async with database.writing() as db:
        if await db.scalar(mine) is None:
            return
        for table in reversed(metadata.sorted_tables):
            if "session_id" in table.c:
                await db.execute(delete(table).where(table.c.session_id == session_id))
        await db.execute(delete(sessions).filter_by(id=session_id))
