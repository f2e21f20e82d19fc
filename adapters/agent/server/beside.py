"""Some of `AgentPlatform` over the rows of embedded servers, which may run beside it: forgetting and remembering.

A server of its own would end their turns: on SQLite it takes itself for the only one.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from adapters.agent import frames, reading
from adapters.agent.server import erasing, pages
from adapters.agent.server.database import Database, async_url
from adapters.agent.server.rows import tenant_of
from adapters.agent.server.tables import sessions
from gateway.errors import AgentUnavailable, SessionGone, Unreadable
from gateway.events import HistoryEntry


class Beside:
    def __init__(self, database_url: str, api_key: str) -> None:
        url = async_url(database_url)
        self._file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
        self._database = Database(database_url)
        self._tenant = tenant_of(api_key)

    async def erase(self, session_id: str) -> bool:
        with self._answering():
            await erasing.forget(self._database, session_id, self._tenant)
        return True

    @contextlib.asynccontextmanager
    async def attach(self, session_id: str) -> AsyncIterator["Remembered"]:
        """For its history alone. Raises `AgentUnavailable` or `SessionGone`."""
        mine = select(sessions.c.id).filter_by(id=session_id, tenant=self._tenant)
        with self._answering():
            async with self._database.reading() as db:
                known = await db.scalar(mine)
            listed = (await pages.page(self._database, session_id, sys.maxsize)).messages if known else ()
        if not known:
            raise SessionGone("the agent server does not know the session any more")
        yield Remembered(reading.history(frames.messages(session_id, listed)))

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        if self._file is not None and not self._file.is_file():
            raise AgentUnavailable(f"AGENT_SERVER__DATABASE_URL: there is no {self._file}")
        try:
            yield
        except (SQLAlchemyError, OSError, Unreadable) as error:
            raise AgentUnavailable(
                f"AGENT_SERVER__DATABASE_URL: the database does not answer ({type(error).__name__})"
            ) from error

    async def aclose(self) -> None:
        await self._database.close()


class Remembered:
    """A session's history as it was read."""

    def __init__(self, entries: Sequence[HistoryEntry]) -> None:
        self._entries = entries

    async def history(self) -> Sequence[HistoryEntry]:
        return self._entries
