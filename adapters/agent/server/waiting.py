"""A queue for a few connections: in order, and however long it is, as long as it moves. No SQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import TimeoutError as PoolTimeout


class Queue:
    def __init__(self, places: int, stuck_s: float) -> None:
        """As many `places` as there are connections: then their pool itself lets nobody wait."""
        self._free = asyncio.Semaphore(places)
        self._stuck_s = stuck_s
        self._moved_at = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Raises `PoolTimeout` when nobody got a connection for `stuck_s`."""
        if self._free.locked():
            await self._come_up()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    def moved(self) -> None:
        """Somebody got a connection that works."""
        self._moved_at = asyncio.get_running_loop().time()

    async def _come_up(self) -> None:
        coming = asyncio.create_task(self._free.acquire())
        try:
            while not coming.done():
                since = asyncio.get_running_loop().time()
                await asyncio.wait([coming], timeout=self._stuck_s)
                if not coming.done() and self._moved_at < since:
                    raise PoolTimeout(f"nobody got a connection to the database for {self._stuck_s:.0f} s")
        except BaseException:  # a cancellation too
            if not coming.cancel():
                self._free.release()
            raise
