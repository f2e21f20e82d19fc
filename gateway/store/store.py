"""The database, either one. `write(deed)` is the only way in, `read(question)` the only way to look.

A deed does database work alone: no network, no waiting. When `write` returns, the deed is on disk.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import ConfigError

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = 64  # deeds in one commit
PAUSE_S = 0.0002  # a writer that never pauses starves other processes on SQLite
BUSY_MS = 10_000


class Tx:
    """One transaction: its session, and what to do once it is committed."""

    def __init__(self, db: AsyncSession) -> None:
        self.db = db
        self._after: list[Callable[[], None]] = []

    def after_commit(self, do: Callable[[], None]) -> None:
        """`do` runs when the transaction is on disk, and never if it is not."""
        self._after.append(do)

    def committed(self) -> None:
        for do in self._after:
            try:
                do()
            except Exception:
                # It is on disk whatever this says; the sweep finds what a hook did not wake.
                log.exception("after a commit")


Deed = Callable[[Tx], Awaitable[T]]
Question = Callable[[AsyncSession], Awaitable[T]]


def database_url(url: str, variable: str = "DATABASE_URL") -> URL:
    """The address with our drivers; `postgres://` is accepted as Heroku gives it. Raises `ConfigError`."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(
            f"{variable} is not an address; set it to sqlite:///path or postgresql://user:password@host/name"
        ) from error
    kind = parsed.drivername.split("+")[0]
    if kind in ("postgres", "postgresql"):
        return parsed.set(drivername="postgresql+psycopg")
    if kind == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    raise ConfigError(f"{variable} begins with {kind}://; use sqlite:/// or postgresql://")


class Store:
    """Opens lazily; `aclose` ends it. Safe for any number of tasks of one loop."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = database_url(url)
        self.on_sqlite = self.url.get_backend_name() == "sqlite"
        if self.on_sqlite:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            self._writer = _sqlite(self.url, begin="BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite(self.url, begin="BEGIN", pool_size=4)
        else:
            self._writer = self._reader = create_async_engine(
                self.url, pool_size=pool_size, max_overflow=0, pool_pre_ping=True, hide_parameters=True
            )
        self._queue: deque[tuple[Deed[Any], asyncio.Future[Any]]] = deque()
        self._group: asyncio.Task[None] | None = None

    async def write(self, deed: Deed[T]) -> T:
        """Do it in one transaction. Raises what the deed raises, and then nothing of it is kept."""
        if not self.on_sqlite:
            return await self._write_alone(deed)
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((deed, done))
        if self._group is None or self._group.done():
            self._group = asyncio.create_task(self._commit_groups())
        return await done

    async def read(self, question: Question[T]) -> T:
        """Ask, changing nothing."""
        async with AsyncSession(self._reader, expire_on_commit=False) as db:
            return await question(db)

    async def ping(self) -> None:
        async with self._reader.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        if self._group is not None:
            await asyncio.gather(self._group, return_exceptions=True)
        await self._writer.dispose()
        await self._reader.dispose()

    async def _write_alone(self, deed: Deed[T]) -> T:
        async with AsyncSession(self._writer, expire_on_commit=False) as db:
            tx = Tx(db)
            async with db.begin():
                result = await deed(tx)
            tx.committed()
            return result

    # SQLite has one writer and each commit waits for the disk, so what waits together commits together.
    async def _commit_groups(self) -> None:
        while self._queue:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - the whole group failed: each caller is told
                for _, done in group:
                    if not done.done():
                        done.set_exception(_clear(error))
            except asyncio.CancelledError:
                for _, done in group:
                    done.cancel()
                raise
            await asyncio.sleep(PAUSE_S)

    async def _commit(self, group: list[tuple[Deed[Any], asyncio.Future[Any]]]) -> None:
        kept: list[tuple[Tx, asyncio.Future[Any], Any]] = []
        failed: list[tuple[asyncio.Future[Any], BaseException]] = []
        async with self._writer.begin() as connection:
            for deed, done in group:
                try:
                    async with _savepoint(connection) as tx:
                        result = await deed(tx)
                    kept.append((tx, done, result))
                except Exception as error:
                    # A disk error makes SQLite roll back everything, not the savepoint alone: then nothing was kept.
                    if not await _in_transaction(connection):
                        raise
                    failed.append((done, error))
        for tx, done, result in kept:
            tx.committed()
            if not done.done():
                done.set_result(result)
        for done, reason in failed:
            if not done.done():
                done.set_exception(reason)


async def _in_transaction(connection: AsyncConnection) -> bool:
    driver = (await connection.get_raw_connection()).driver_connection
    return driver is not None and bool(driver.in_transaction)


@contextlib.asynccontextmanager
async def _savepoint(connection: AsyncConnection) -> AsyncIterator[Tx]:
    async with AsyncSession(connection, join_transaction_mode="create_savepoint", expire_on_commit=False) as db:
        tx = Tx(db)
        # Opened at once: left to itself the session would take it only at its first statement.
        async with db.begin():
            _ = await db.connection()
            yield tx


def _clear(error: Exception) -> Exception:
    if isinstance(error, DBAPIError) and "database is locked" in str(error):
        return TimeoutError(f"the database stayed locked for {BUSY_MS // 1000} s; is another process writing to it?")
    return error


def _sqlite(url: URL, *, begin: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = (
            None  # we say BEGIN ourselves: the driver's own is deferred, and a later write fails
        )
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_MS}", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
