"""A place on the way where a test makes what it names wait: to see that it came, and to let it go on or not."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Halt(Generic[T]):
    """`stops` says of each thing whether it waits here; once open, nothing does."""

    def __init__(self, stops: Callable[[T], bool]) -> None:
        self._stops = stops
        self._loses: Callable[[T], bool] = lambda _: False
        self._came: asyncio.Queue[T] = asyncio.Queue()
        self._open = asyncio.Event()

    async def pass_by(self, thing: T) -> bool:
        """False: it was lost here."""
        if self._open.is_set() or not self._stops(thing):
            return True
        self._came.put_nowait(thing)
        await self._open.wait()
        return not self._loses(thing)

    async def next(self, *, within_s: float = 30.0) -> T:
        """What came here to wait, in order."""
        try:
            async with asyncio.timeout(within_s):
                return await self._came.get()
        except TimeoutError:
            raise AssertionError(f"nothing came to the halt within {within_s:.0f} s") from None

    def open(self, *, losing: Callable[[T], bool] | None = None) -> None:
        """Everything goes on, also what comes later; but of what waits, what matches `losing` is lost."""
        self._loses = losing or self._loses
        self._open.set()
