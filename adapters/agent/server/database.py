"""SQLite or PostgreSQL behind one engine: connections to read and to write with. No task may hold two at once."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from aiosqlite import Connection as AioSqlite
from sqlalchemy import Connection, NullPool, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from adapters.agent.server.liveness import AWAY, Liveness
from adapters.agent.server.tables import LATER_INDEXES, metadata
from adapters.agent.server.waiting import Queue
from gateway.errors import ConfigError

DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

POOL_SIZE = 3
SQLITE_POOL_SIZE = 5
PATIENCE_S = 15.0  # of a turn that has something to write
PAUSE_S = 0.3
CONNECTION_WITHIN_S = 10.0
POSTGRES_LINE = {  # a line that is cut in silence is noticed within seconds
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

T = TypeVar("T")


async def patiently(deed: Callable[[], Awaitable[T]], for_s: float = PATIENCE_S) -> T:
    """Do it, again and again while the database is away. It must be safe to do twice: a commit may be kept unheard."""
    until = asyncio.get_running_loop().time() + for_s
    while True:
        try:
            return await deed()
        except AWAY:
            if asyncio.get_running_loop().time() >= until:
                raise
        await asyncio.sleep(PAUSE_S)


def async_url(database_url: str, variable: str = "AGENT_SERVER__DATABASE_URL") -> URL:
    """Raises `ConfigError` for a database that is neither SQLite in a file nor PostgreSQL."""
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise ConfigError(f"{variable} is not a database URL; set sqlite:///path or postgresql://...") from error
    if url.drivername not in DRIVERS or (url.drivername.startswith("sqlite") and not url.database):
        raise ConfigError(f"{variable} must be sqlite:///path or postgresql://...")
    return url.set(drivername=DRIVERS[url.drivername])


class Database:
    def __init__(self, database_url: str, *, pool_size: int = POOL_SIZE, direct_url: str = "") -> None:
        """On PostgreSQL `pool_size` connections for queries, and one more that says that this server lives.

        `direct_url` is for that one, where `database_url` is a pooler's in transaction mode.
        """
        url = async_url(database_url)
        self._is_sqlite = url.drivername.startswith("sqlite")
        if self._is_sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        self._lines: WeakSet[AioSqlite] = WeakSet()  # to a SQLite file, until they are forgotten
        if self._is_sqlite:
            self._engine = _sqlite(url, self._lines)
        else:
            self._engine = _postgres(url, pool_size, through_pooler=bool(direct_url))
        self._queue = Queue(SQLITE_POOL_SIZE if self._is_sqlite else pool_size, CONNECTION_WITHIN_S)
        self._one_writer = asyncio.Lock()
        direct = async_url(direct_url, "DATABASE_DIRECT_URL") if direct_url else url
        self.liveness = Liveness(None if self._is_sqlite else _postgres_alone(direct))

    @property
    def is_ours_alone(self) -> bool:
        """One process owns a SQLite file; on PostgreSQL there may be other servers."""
        return self._is_sqlite

    @property
    def server_id(self) -> int:
        return self.liveness.server_id

    async def open(self) -> None:
        """Makes what is missing and says, to other servers on the same database, that we live."""
        async with self.writing() as db:
            if not self._is_sqlite:
                # Two servers that start together must not both create a table.
                await db.execute(text("SELECT pg_advisory_xact_lock(hashtext('agent_tables'))"))
            await db.run_sync(_make_tables)
        await self.liveness.prove()

    async def close(self) -> None:
        """Whoever is cut off in the middle may leave a line that holds SQLite's one lock: it is closed too."""
        await self.liveness.close()
        await self._engine.dispose()
        for line in list(self._lines):
            with contextlib.suppress(sqlite3.Error, ValueError):  # ValueError: it was closed
                await line.close()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._queue.place(), self._engine.connect() as connection:
            self._queue.moved()
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        async with contextlib.AsyncExitStack() as stack:
            if self._is_sqlite:
                await stack.enter_async_context(self._one_writer)  # fair, unlike SQLite's own waiting
            connection = await stack.enter_async_context(self.reading())
            if self._is_sqlite:
                connection = await connection.execution_options(begin="IMMEDIATE")
            async with connection.begin():
                yield connection


def _make_tables(connection: Connection) -> None:
    metadata.create_all(connection)
    for index in LATER_INDEXES:  # `create_all` adds none to a table that is there already
        index.create(connection, checkfirst=True)


def _postgres(url: URL, pool_size: int, *, through_pooler: bool) -> AsyncEngine:
    # A pooler in transaction mode keeps no prepared statements.
    line = {**POSTGRES_LINE, **({"prepare_threshold": None} if through_pooler else {})}
    return create_async_engine(
        url,
        connect_args=_unless_named(url, line),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECTION_WITHIN_S,
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _postgres_alone(url: URL) -> AsyncEngine:
    line = _unless_named(url, POSTGRES_LINE)
    return create_async_engine(
        url, connect_args=line, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
    )


def _unless_named(url: URL, line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in url.query}


def _sqlite(url: URL, lines: "WeakSet[AioSqlite]") -> AsyncEngine:
    # Parameters are what people wrote: not for a log.
    engine = create_async_engine(url, pool_size=SQLITE_POOL_SIZE, max_overflow=0, hide_parameters=True)
    event.listen(engine.sync_engine, "connect", lambda line, _record: lines.add(line.driver_connection))
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
