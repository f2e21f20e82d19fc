"""Runs one task per key at a time, so many keys at once. Forgets nothing that is poked while it runs."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class Slots(Generic[K]):
    def __init__(self, run: Callable[[K], Awaitable[None]], slots: int) -> None:
        self._run = run
        self._slots = asyncio.Semaphore(slots)
        self._tasks: dict[K, asyncio.Task[None]] = {}
        self._again: set[K] = set()
        self._closed = False

    def poke(self, key: K) -> None:
        """Run `key` soon; once more when it is running already."""
        if self._closed:
            return
        if key in self._tasks:
            self._again.add(key)
        else:
            self._tasks[key] = asyncio.create_task(self._work(key))

    async def close(self, grace_s: float) -> None:
        """Take nothing new, let what runs end for a while, cancel the rest."""
        self._closed = True
        if self._tasks:
            _, late = await asyncio.wait(self._tasks.values(), timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _work(self, key: K) -> None:
        try:
            while True:
                self._again.discard(key)
                async with self._slots:
                    if self._closed:
                        return
                    await self._run(key)
                if key not in self._again:
                    return
        except Exception:
            # The rows are as they were; the sweep wakes the lane again.
            log.exception("work on %s stopped", _named(key))
        finally:
            del self._tasks[key]


def _named(key: Hashable) -> str:
    """A name for the log: a lane's holds a number or an address, so only its digest is shown."""
    return str(key) if isinstance(key, int) else hashlib.sha256(str(key).encode()).hexdigest()[:12]
