"""The engine for SQLite: tasks of this one process. A file lock keeps a second engine away."""

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy.engine import URL

from gateway.errors import ConfigError
from gateway.ports import Work
from gateway.store import Tx
from gateway.work.slots import Slots, end, repeated

log = logging.getLogger(__name__)

SWEEP_S = 0.5  # a timer rings within a second of its time
BEAT_S = 1.0
CATCH_UP_S = 5.0
LISTEN_S = 1.0  # it lasts; only a fault in it ends it
GRACE_S = 8.0
LANES, SENDS = 1000, 1000  # at once; a lane may wait for a slot of its own kind, and must not keep others from theirs


class LocalEngine:
    def __init__(self, *, lanes: int = LANES, sends: int = SENDS) -> None:
        self._lanes = lanes
        self._most_sends = sends
        self._drains: Slots[int] | None = None
        self._sends: Slots[str] | None = None

    async def wake(self, tx: Tx, conversation_id: int, *, control: bool = False) -> None:
        # One kind of slot will do here: there are more of them than turns can hold.
        tx.after_commit(lambda: self._drains.poke(conversation_id) if self._drains else None)

    async def remind(self, tx: Tx, conversations: Sequence[tuple[int, bool]]) -> None:
        for conversation_id, control in conversations:
            await self.wake(tx, conversation_id, control=control)

    async def abort(self, tx: Tx, conversation_id: int) -> None:
        tx.after_commit(lambda: self._drains.abort(conversation_id) if self._drains else None)

    async def wake_lane(self, tx: Tx, lane: str) -> None:
        tx.after_commit(lambda: self._sends.poke(lane) if self._sends else None)

    async def run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        self._drains = Slots(work.drain, self._lanes)
        self._sends = Slots(work.deliver, self._most_sends)
        beating = repeated(BEAT_S, work.beat)
        again = [(SWEEP_S, work.sweep), (CATCH_UP_S, work.catch_up), (LISTEN_S, work.listen)]
        taking = [repeated(seconds, do) for seconds, do in again]
        try:
            await stop()
        finally:
            work.stop()
            await asyncio.gather(end(taking), self._drains.close(GRACE_S), self._sends.close(GRACE_S))
            await end([beating])  # up to now it kept the lanes of what was still being sent
            self._drains = self._sends = None


def sqlite_path(url: URL) -> Path | None:
    """The database's file; None for PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


@contextlib.contextmanager
def only_engine(database: Path) -> Iterator[None]:
    """Hold the lock file beside the database. Raises `ConfigError` when another process runs the engine."""
    path = database.with_name(database.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise ConfigError(
            f"DATABASE_URL: {database} cannot be opened ({error}); set it to a path that can be written"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"DATABASE_URL: {database} is in use by another gateway; stop it, or set DATABASE_URL to PostgreSQL"
            ) from error
        yield
