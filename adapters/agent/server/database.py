"""SQLite or PostgreSQL behind one engine: connections to read and to write with, and which servers live."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.agent.server.tables import metadata
from gateway.errors import ConfigError

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def async_url(database_url: str) -> URL:
    """Raises `ConfigError` for a database that is neither SQLite in a file nor PostgreSQL."""
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise ConfigError(
            "AGENT_SERVER__DATABASE_URL is not a database URL; set sqlite:///path or postgresql://..."
        ) from error
    if url.drivername not in DRIVERS or (url.drivername.startswith("sqlite") and not url.database):
        raise ConfigError("AGENT_SERVER__DATABASE_URL must be sqlite:///path or postgresql://...")
    return url.set(drivername=DRIVERS[url.drivername])


class Database:
    def __init__(self, database_url: str) -> None:
        url = async_url(database_url)
        self._is_sqlite = url.drivername.startswith("sqlite")
        if self._is_sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self._engine = _engine(url, self._is_sqlite)
        self._one_writer = asyncio.Lock()
        self._alive: AsyncConnection | None = None
        self.server_id = secrets.randbelow(2**62)

    async def open(self) -> None:
        """Makes what is missing and says, to other servers on the same database, that we live."""
        async with self.writing() as db:
            if not self._is_sqlite:
                # Two servers that start together must not both create a table.
                await db.execute(text("SELECT pg_advisory_xact_lock(hashtext('agent_tables'))"))
            await db.run_sync(metadata.create_all)
        await self.prove_life()

    async def prove_life(self) -> None:
        """On PostgreSQL: take, or after a lost connection take again, the lock that says that we live."""
        if self._is_sqlite:
            return
        if self._alive is not None:
            try:
                await self._alive.execute(text("SELECT 1"))
            except DBAPIError:
                await self._let_go()
        if self._alive is None:
            connection = await self._engine.connect()
            self._alive = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await self._alive.execute(text("SELECT pg_advisory_lock(:id)"), {"id": self.server_id})

    async def close(self) -> None:
        await self._let_go()
        await self._engine.dispose()

    async def _let_go(self) -> None:
        if self._alive is not None:
            await self._alive.invalidate()  # closed rather than pooled: that releases the lock
            await self._alive.close()
            self._alive = None

    def reading(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._engine.connect()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        async with contextlib.AsyncExitStack() as stack:
            if self._is_sqlite:
                await stack.enter_async_context(self._one_writer)  # fair, unlike SQLite's own waiting
            connection = await stack.enter_async_context(self._engine.connect())
            if self._is_sqlite:
                connection = await connection.execution_options(begin="IMMEDIATE")
            async with connection.begin():
                yield connection

    async def lives(self, server_id: int, db: AsyncConnection) -> bool:
        """On SQLite there is one server: ourselves. On PostgreSQL each one holds a lock for as long as it lives."""
        if server_id == self.server_id:
            return True
        if self._is_sqlite:
            return False
        free = await db.scalar(text("SELECT pg_try_advisory_xact_lock(:id)"), {"id": server_id})
        return not free


def _engine(url: URL, is_sqlite: bool) -> AsyncEngine:
    if not is_sqlite:
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
    engine = create_async_engine(url, hide_parameters=True)  # they are what people wrote: not for a log
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: BEGIN is ours, below
    cursor = connection.cursor()
    for pragma in ("busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")
