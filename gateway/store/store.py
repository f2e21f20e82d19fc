"""The database, either one. `write(deed)` is the only way in, `read(question)` the only way to look.

A deed does database work alone: no network, no waiting. When `write` returns, the deed is on disk.
"""

import asyncio
import logging
import sqlite3
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import QueuePool
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import ConfigError, DatabaseAway
from gateway.store.one_writer import OneWriter
from gateway.store.tx import Deed, Question, Tx

log = logging.getLogger(__name__)

T = TypeVar("T")

CLOSING_S = 2.0  # for lines that are on their way back
PATIENCE_S = 10.0  # of somebody who waits for an answer
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    OperationalError,
    InterfaceError,
    InternalError,  # what PostgreSQL tells a line that it gave up: SQLSTATE 25P03, idle in a transaction
    PoolTimeout,
    DatabaseAway,
    sqlite3.OperationalError,  # of a commit, which does not pass through SQLAlchemy: a full disk
)
GUARDS = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "8s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
POSTGRES_LINE: dict[str, Any] = {  # a line that is cut in silence is noticed within seconds
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


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
    """Opens lazily on PostgreSQL, at once on SQLite; `aclose` ends it. Safe for any number of tasks of one loop."""

    def __init__(self, url: str, *, pool_size: int = 5, through_pooler: bool = False) -> None:
        """`through_pooler`: a pooler in transaction mode stands between, which keeps no prepared statements."""
        self.url = database_url(url)
        self.on_sqlite = self.url.get_backend_name() == "sqlite"
        self._database: OneWriter | _Pool
        if self.on_sqlite:
            Path(self.url.database or "").parent.mkdir(parents=True, exist_ok=True)
            self._database = OneWriter(self.url)
        else:
            self._database = _Pool(self.url, pool_size, through_pooler)

    async def write(self, deed: Deed[T]) -> T:
        """Do it in one transaction. Raises what the deed raises, and then nothing of it is kept."""
        return await self._database.write(deed)

    async def write_patiently(self, deed: Deed[T]) -> T:
        """`write`, again and again for ten seconds while the database is away; the deed must be safe twice.

        Raises `DatabaseAway` then, and nobody knows whether it was kept: whoever asked must ask again.
        """
        why: BaseException | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        return await self.write(deed)
                    except DATABASE_AWAY as error:
                        why = error
                    await asyncio.sleep(0.2)
        except TimeoutError:
            reason = str(getattr(why, "orig", None) or why or "no answer").strip().splitlines()[0]
            raise DatabaseAway(f"the database did not answer for {PATIENCE_S:.0f} s ({reason})") from why

    async def read(self, question: Question[T]) -> T:
        """Ask something quick, changing nothing."""
        return await self._database.read(question)

    async def survey(self, question: Question[T]) -> T:
        """Ask something that may read much; nobody else waits for it."""
        return await self._database.survey(question)

    async def ping(self) -> None:
        async def question(db: AsyncSession) -> None:
            await (await db.connection()).execute(text("SELECT 1"))

        await self.read(question)

    async def aclose(self) -> None:
        await self._database.aclose()


def _guard(connection: Any, _record: Any) -> None:
    """Whoever stops in the middle of a transaction, or vanishes, must not keep its row locks from everybody."""
    cursor = connection.cursor()
    for setting, value in GUARDS.items():
        cursor.execute(f"SET {setting} = '{value}'")
    cursor.close()
    connection.commit()


class _Pool:
    """PostgreSQL: a transaction of its own for each deed."""

    def __init__(self, url: URL, size: int, through_pooler: bool) -> None:
        line = {**POSTGRES_LINE, **({"prepare_threshold": None} if through_pooler else {})}
        self._writer = create_async_engine(
            url,
            connect_args=line,
            pool_size=size,
            max_overflow=0,
            pool_timeout=PATIENCE_S,
            hide_parameters=True,
        )
        if not through_pooler:
            event.listen(self._writer.sync_engine, "connect", _guard)
        self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")  # spares two round trips

    async def write(self, deed: Deed[T]) -> T:
        async with AsyncSession(self._writer, expire_on_commit=False) as db:
            tx = Tx(db, copy_context())
            async with db.begin():
                result = await deed(tx)
            tx.committed()
            return result

    async def read(self, question: Question[T]) -> T:
        async with AsyncSession(self._reader, expire_on_commit=False) as db:
            return await question(db)

    async def survey(self, question: Question[T]) -> T:
        return await self.read(question)

    async def aclose(self) -> None:
        # A session whose task was cancelled right then goes on giving its line back, in a task of SQLAlchemy's own.
        lines = self._writer.pool
        assert isinstance(lines, QueuePool)
        try:
            async with asyncio.timeout(CLOSING_S):
                while lines.checkedout():  # noqa: ASYNC110 - the pool has no sign for it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.error("%d lines to the database were not given back by the end", lines.checkedout())
        await self._writer.dispose()
