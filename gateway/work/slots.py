"""Runs one task per key at a time, so many keys at once. Forgets nothing that is poked while it runs.

And what both engines do again and again, whatever becomes of it; and how tasks are brought to an end.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable
from typing import Generic, TypeVar

from gateway.store.store import DATABASE_AWAY

log = logging.getLogger(__name__)

CANCELS, CANCEL_S = 2, 1.0  # of what does not end by itself, and how long each may take

K = TypeVar("K", bound=Hashable)


class Slots(Generic[K]):
    def __init__(self, run: Callable[[K], Awaitable[None]], slots: int) -> None:
        self._run = run
        self._slots = asyncio.Semaphore(slots)
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._again: set[K] = set()
        self._begun: set[K] = set()
        self._aborted: set[K] = set()
        self._closed = False

    def poke(self, key: K) -> None:
        """Run `key` soon; once more when it is running already."""
        if self._closed:
            return
        if key in self._tasks:
            self._again.add(key)
        else:
            name = f"{getattr(self._run, '__name__', 'work')} {_named(key)}"
            self._tasks[key] = asyncio.create_task(self._work(key), name=name)

    def abort(self, key: K) -> None:
        """Cancel what runs for `key`; what is poked meanwhile still runs."""
        if key in self._begun:  # a task that is cancelled before it begins never says that it ended
            self._aborted.add(key)
            self._tasks[key].cancel()

    async def close(self, grace_s: float) -> None:
        """Take nothing new, and bring what runs to an `end`."""
        self._closed = True
        await end(list(self._tasks.values()), grace_s)

    async def _work(self, key: K) -> None:
        self._begun.add(key)
        try:
            while True:
                self._again.discard(key)
                await self._once(key)
                if key not in self._again:
                    return
        except DATABASE_AWAY as error:
            log.warning("work on %s stopped: the database does not answer (%s)", _named(key), type(error).__name__)
        except Exception:
            # The rows are as they were; the sweep wakes the lane again.
            log.exception("work on %s stopped", _named(key))
        finally:
            del self._tasks[key]
            self._begun.discard(key)
            self._aborted.discard(key)

    async def _once(self, key: K) -> None:
        try:
            async with self._slots:
                if not self._closed:
                    await self._run(key)
        except asyncio.CancelledError:
            if key not in self._aborted:
                raise
            self._aborted.discard(key)


def _named(key: Hashable) -> str:
    """A name for the log: a lane's holds a number or an address, so only its digest is shown."""
    return str(key) if isinstance(key, int) else hashlib.sha256(str(key).encode()).hexdigest()[:12]


def repeated(seconds: float, do: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
    return asyncio.create_task(every(seconds, do), name=getattr(do, "__name__", "work"))


async def every(seconds: float, do: Callable[[], Awaitable[None]]) -> None:
    """Until it is cancelled."""
    while True:
        await safely(do, getattr(do, "__name__", "work"))
        await asyncio.sleep(seconds)


async def safely(do: Callable[[], Awaitable[None]], name: str) -> None:
    try:
        await do()
    except DATABASE_AWAY as error:
        log.warning("%s stopped: the database does not answer (%s); it goes on with it", name, type(error).__name__)
    except Exception:
        # The next time tries again; nothing here may end the process.
        log.exception("%s stopped", name)


async def end(tasks: Collection["asyncio.Task[None]"], grace_s: float = 0.0, *, cancel_s: float = CANCEL_S) -> None:
    """Let them end for a while, then cancel them; what does not end then either is named in the log and left.

    Cancelled more than once: Python 3.11's `asyncio.wait_for` returns normally when what it waits for is there at the
    moment of the cancellation, and psycopg's pool waits for its connections by it.
    """
    running = await _still_running(tasks, grace_s)
    for _ in range(CANCELS):
        for task in running:
            task.cancel()
        running = await _still_running(running, cancel_s)
    if running:
        log.error("would not end, and are left: %s", ", ".join(sorted(task.get_name() for task in running)))
    await asyncio.gather(*(task for task in tasks if task.done()), return_exceptions=True)  # so that all are heard


async def _still_running(tasks: Collection["asyncio.Task[None]"], within_s: float) -> "Collection[asyncio.Task[None]]":
    return (await asyncio.wait(tasks, timeout=within_s))[1] if tasks else ()
