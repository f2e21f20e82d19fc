"""The embedded server's database without a server on it: what one that died had done, and what stands there now."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Table, func, select

from adapters.agent import frames
from adapters.agent.server import calls
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.database import Database
from adapters.agent.server.rows import Turn
from adapters.agent.server.store import Store, add_message, agent_sender
from adapters.agent.server.tables import refunds, sessions

TENANT = hashlib.sha256(b"key-1").hexdigest()


@asynccontextmanager
async def store_of(settings: ServerSettings) -> AsyncIterator[Store]:
    """What a server sees of the database; leaving is dying, since nothing is tidied up."""
    database = Database(settings.database_url)
    await database.open()
    try:
        yield Store(database)
    finally:
        await database.close()


async def claimed(store: Store, session_id: str) -> Turn:
    turn = await store.claim(session_id)
    assert turn is not None
    return turn


async def begin_call(store: Store, turn: Turn, tool_call_id: str, tool_name: str, arguments: dict[str, Any]) -> None:
    """A server begins a call; nobody begins it again."""
    content = frames.tool_call(tool_call_id, "t1", tool_name, "in_progress", arguments)
    async with store.database.writing() as db:
        message = await add_message(db, turn.session_id, agent_sender(turn.agent), content)
        assert await calls.begin(db, turn.session_id, turn.id, content, message["id"])
        assert not await calls.begin(db, turn.session_id, turn.id, content, message["id"])


async def count(store: Store, table: Table) -> int:
    async with store.database.reading() as db:
        return await db.scalar(select(func.count()).select_from(table)) or 0


async def refunds_made(settings: ServerSettings) -> int:
    async with store_of(settings) as store:
        return await count(store, refunds)


async def model_history(settings: ServerSettings, session_id: str) -> str:
    """What the model is given of the session, as text."""
    async with store_of(settings) as store, store.database.reading() as db:
        kept: bytes | None = await db.scalar(select(sessions.c.history).filter_by(id=session_id))
        return (kept or b"").decode()
