"""One exchange over as many lines as it takes: after a lost line, another one. Reads and writes no rows.

For a moment only: what stays away longer is for the lane, whose tries are in the rows and outlive the process.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar

from gateway.errors import AgentUnavailable, LineLost
from gateway.ports import AgentLine

log = logging.getLogger(__name__)

FIRST_S, LONGEST_S = 0.25, 15.0
TRIES = 6  # about eight seconds: the customer has heard nothing yet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Redial:
    """How a line is dialled again: full jitter, so that a thousand conversations do not come back at once."""

    tries: int = TRIES
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dice: Callable[[float, float], float] = random.uniform

    def pause_s(self, tried: int) -> float:
        return self.dice(0.0, min(LONGEST_S, FIRST_S * 2**tried))


REDIAL = Redial()


async def over_lines(
    attach: Callable[[], AbstractAsyncContextManager[AgentLine]],
    exchange: Callable[[AgentLine, bool], Awaitable[T]],
    redial: Redial,
    stopping: asyncio.Event,
) -> T:
    """What `exchange` makes of a line; it is told whether an earlier line was lost on it.

    Raises `AgentUnavailable` when the first line cannot be had, when none comes in place of a lost one, and once
    `stopping`; and whatever else is raised, at once: that is for good.
    """
    lost: LineLost | None = None
    for tried in range(redial.tries + 1):
        try:
            async with attach() as line:
                return await exchange(line, lost is not None)
        except LineLost as error:
            lost = error
        except AgentUnavailable:
            if lost is None:
                raise
        if stopping.is_set():
            break
        if tried < redial.tries:
            await redial.sleep(redial.pause_s(tried))
    log.warning("the line was lost, and did not come back")
    assert lost is not None
    raise lost
