"""The named places on the way through the far ends, where a test lets something fail, or stops whoever comes."""

import asyncio
import contextlib
from collections import defaultdict, deque
from typing import Any

from tests.helpers.halt import Halt


class Steps:
    """Shared by all far ends and all processes of a test. A place nobody speaks of is passed at once."""

    def __init__(self) -> None:
        self.passed: list[str] = []
        self._faults: defaultdict[str, deque[BaseException]] = defaultdict(deque)
        self._halts: list[Halt[str]] = []

    def fails(self, place: str, *faults: BaseException) -> None:
        """The next ones to come there meet these, one each."""
        self._faults[place].extend(faults)

    def forget_faults(self) -> None:
        """Nobody fails any more."""
        self._faults.clear()

    def have_failed(self) -> bool:
        """Somebody has met each of the faults."""
        return not any(self._faults.values())

    def stops_one_at(self, place: str) -> Halt[str]:
        """Whoever comes there first waits until the halt is opened; all others pass."""
        left = [place]

        def stops(come_to: str) -> bool:
            if come_to not in left:
                return False
            left.clear()
            return True

        halt: Halt[str] = Halt(stops)
        self._halts.append(halt)
        return halt

    async def at(self, place: str) -> None:
        for halt in list(self._halts):
            await halt.pass_by(place)
        self.passed.append(place)
        if self._faults[place]:
            raise self._faults[place].popleft()
        await asyncio.sleep(0)

    def open_all(self) -> None:
        """Whoever waits anywhere goes on."""
        for halt in self._halts:
            halt.open()


class Stuck:
    """What a process does for one customer, and where it does not go on."""

    def __init__(self, steps: Steps, place: str) -> None:
        self._halt = steps.stops_one_at(place)
        self._doing: asyncio.Task[None]

    async def at(self, doing: Any) -> None:
        self._doing = asyncio.create_task(doing)
        await self._halt.next()

    async def is_cut_off(self) -> None:
        self._doing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._doing

    async def comes_back(self) -> None:
        self._halt.open()
        await self._doing
