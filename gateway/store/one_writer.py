"""SQLite in the loop's own thread: a statement takes microseconds, a hop to another thread a hundred of them.

One writer; what waits together commits together, each deed in a savepoint. Only the commit, which waits for the disk,
goes to a thread. A deed or a question may wait for nothing but its own statements.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlmodel import Session
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.tx import Deed, Question, Tx

T = TypeVar("T")

GROUP = 64  # deeds in one commit
PAUSE_S = 0.0002  # a writer that never pauses starves other processes
BUSY_S = 10.0
RETRY_S = 0.005


class OneWriter:
    """Opens at once; `aclose` ends it. Safe for any number of tasks of one loop."""

    def __init__(self, url: URL) -> None:
        file = url.set(drivername="sqlite")
        self._writer, self._reader, self._surveyor = _Line(file), _Line(file), _Line(file)
        # Threads of its own: the loop's pool is also where names are looked up, which may hang.
        self._disk, self._surveys = ThreadPoolExecutor(1, "disk"), ThreadPoolExecutor(1, "survey")
        self._queue: deque[tuple[Deed[Any], asyncio.Future[Any], Context]] = deque()
        self._group: asyncio.Task[None] | None = None

    async def write(self, deed: Deed[T]) -> T:
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append((deed, done, copy_context()))
        if self._group is None or self._group.done():
            self._group = asyncio.create_task(self._commit_groups())
        return await done

    async def read(self, question: Question[T]) -> T:
        return self._reader.ask(question)

    async def survey(self, question: Question[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._surveys, self._surveyor.ask, question)

    async def aclose(self) -> None:
        if self._group is not None:
            await asyncio.gather(self._group, return_exceptions=True)
        self._writer.close()
        self._reader.close()
        await asyncio.to_thread(self._surveys.shutdown)
        self._disk.shutdown()
        self._surveyor.close()

    async def _commit_groups(self) -> None:
        while self._queue:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
            try:
                await self._commit(group)
            except Exception as error:  # noqa: BLE001 - the whole group failed: each caller is told
                for _, done, _ in group:
                    if not done.done():
                        done.set_exception(_clear(error))
            except asyncio.CancelledError:
                for _, done, _ in group:
                    done.cancel()
                raise
            await asyncio.sleep(PAUSE_S)

    async def _commit(self, group: list[tuple[Deed[Any], asyncio.Future[Any], Context]]) -> None:
        kept: list[tuple[Tx, asyncio.Future[Any], Any]] = []
        failed: list[tuple[asyncio.Future[Any], BaseException]] = []
        await self._writer.begin()
        try:
            for deed, done, context in group:
                try:
                    tx, result = self._writer.do(deed, context)
                    kept.append((tx, done, result))
                except Exception as error:
                    # A disk error makes SQLite roll back everything, not the savepoint alone: then nothing was kept.
                    if not self._writer.raw.in_transaction:
                        raise
                    failed.append((done, error))
            await asyncio.get_running_loop().run_in_executor(self._disk, self._writer.raw.commit)
        finally:
            self._writer.end()
        for tx, done, result in kept:
            tx.committed()
            if not done.done():
                done.set_result(result)
        for done, reason in failed:
            if not done.done():
                done.set_exception(reason)


class _Line:
    """One connection and its session; begin, savepoint and commit are ours."""

    def __init__(self, url: URL) -> None:
        engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
        event.listen(engine, "connect", _prepare)
        self._engine = engine
        self._connection: Connection = engine.connect()
        self._session = Session(self._connection, join_transaction_mode="rollback_only", expire_on_commit=False)
        self._db = cast(AsyncSession, _Face(self._session))

    @property
    def raw(self) -> sqlite3.Connection:
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver

    def ask(self, question: Question[T]) -> T:
        self.raw.execute("BEGIN")
        try:
            return _finished(question(self._db))
        finally:
            self.end()

    async def begin(self) -> None:
        """For writing; another process that writes is waited for."""
        until = time.monotonic() + BUSY_S
        while True:
            try:
                self.raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            await asyncio.sleep(RETRY_S)

    def do(self, deed: Deed[T], context: Context) -> tuple[Tx, T]:
        """One deed in a savepoint of its own. Raises what it raises, and then nothing of it is left."""
        tx = Tx(self._db, context)
        self.raw.execute("SAVEPOINT deed")
        try:
            result = context.run(lambda: _finished(deed(tx)))
        except BaseException:
            if self.raw.in_transaction:
                self.raw.execute("ROLLBACK TO deed")
            raise
        finally:
            self._session.expunge_all()
            if self.raw.in_transaction:
                self.raw.execute("RELEASE deed")
        return tx, result

    def end(self) -> None:
        """What is not committed by now never was."""
        self._session.expunge_all()
        self._session.commit()
        self._connection.rollback()
        if self.raw.in_transaction:
            self.raw.rollback()

    def close(self) -> None:
        self._session.close()
        self._connection.close()
        self._engine.dispose()


class _Face:
    """The part of an `AsyncSession` that deeds and questions use, over a session that never waits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def exec(self, statement: Any, *, params: Any = None) -> Any:
        return self._session.exec(statement, params=params)

    async def connection(self) -> "_ConnectionFace":
        return _ConnectionFace(self._session.connection())

    async def refresh(self, row: Any) -> None:
        self._session.refresh(row)

    def expire_all(self) -> None:
        self._session.expire_all()

    def expunge(self, row: Any) -> None:
        self._session.expunge(row)


class _ConnectionFace:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dialect = connection.dialect

    async def execute(self, statement: Any, parameters: Any = None) -> Any:
        return self._connection.execute(statement, parameters)

    async def run_sync(self, do: Callable[[Connection], T]) -> T:
        return do(self._connection)


def _finished(awaitable: Awaitable[T]) -> T:
    """What a coroutine that waits for nothing returns."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return cast(T, end.value)
    raise RuntimeError("a deed waited for something; it may do database work alone")


def _prepare(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves: the driver's own is deferred, and a later write fails
    cursor = connection.cursor()
    for pragma in ("busy_timeout=0", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _clear(error: Exception) -> Exception:
    if "database is locked" in str(error):
        return TimeoutError(f"the database stayed locked for {BUSY_S:.0f} s; is another process writing to it?")
    return error
