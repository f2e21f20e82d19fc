"""Time that stands still until a test lets it pass, and what sleeps in it."""

import asyncio
from datetime import datetime, timedelta

from tests.helpers.clock import Clock
from tests.helpers.core import seen


class Time(Clock):
    """Its clock runs on a little with the real one; sleepers wake only when `passes` says so."""

    def __init__(self) -> None:
        super().__init__()
        self._asleep: list[tuple[datetime, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asleep.append((self() + timedelta(seconds=seconds), woken))
        await woken

    @property
    def asleep(self) -> int:
        return sum(not woken.done() for _, woken in self._asleep)

    async def goes_by(self, seconds: float, *, sleepers: int) -> None:
        """Let time pass once so many sleep; whoever is due wakes."""
        await seen(lambda: self.asleep == sleepers, f"{sleepers} asleep (there are {self.asleep})")
        self.passes(timedelta(seconds=seconds))
        due, self._asleep = (
            [one for one in self._asleep if one[0] <= self()],
            [one for one in self._asleep if one[0] > self()],
        )
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)
