"""Many people who ask an agent server something, all at once: what each of them waited. Knows no server."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from websockets.exceptions import WebSocketException

from bench.agent_memory import Memory
from bench.measures import say

PATIENCE_S = 180.0
Numbers = dict[str, float]


class Line(Protocol):
    def ask(self, words: str) -> AsyncIterator[str]:
        """The pieces of the reply as they come, until the turn is over. Raises `TurnLost` when it has no reply."""


Opens = Callable[[], AbstractAsyncContextManager[Line]]


class TurnLost(Exception):
    """A turn that ended without a reply."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When it was asked, when the first piece of the reply came, and when the turn was over."""

    asked: float
    first: float
    over: float


LOST = (TurnLost, TimeoutError, WebSocketException, OSError)


async def measured(opens: Opens, count: int, pid: int) -> Numbers:
    """One turn each, of `count` lines that are open before the first asks; `pid` is the server's process."""
    async with opens() as line:
        _ = await _turn(line, 0)  # the first of all loads the model's library
    memory = Memory(pid)
    begun = time.monotonic()
    start = Start()
    people = [asyncio.create_task(_person(opens, number, start)) for number in range(1, count + 1)]
    await start.all_at_once(count)
    opened = time.monotonic()
    turns = [turn for turn in await asyncio.gather(*people) if turn is not None]
    return {"opened_s": opened - begun, **_times(turns, count)} | memory.grown(count)


class Start:
    """Nobody goes before everybody has come."""

    def __init__(self) -> None:
        self._come = asyncio.Semaphore(0)
        self.gone = asyncio.Event()

    def come(self) -> None:
        self._come.release()

    async def all_at_once(self, count: int) -> None:
        for _ in range(count):
            await self._come.acquire()
        self.gone.set()


async def _person(opens: Opens, number: int, start: Start) -> Turn | None:
    """None: no reply came, or not this one's."""
    async with AsyncExitStack() as stack:
        try:
            line = await stack.enter_async_context(opens())
        except LOST as error:
            return _lost(number, error)
        finally:
            start.come()
        await start.gone.wait()
        return await _turn(line, number)


async def _turn(line: Line, number: int) -> Turn | None:
    asked, first, said = time.monotonic(), None, ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for piece in line.ask(f"I am number {number}, and I would like to hear from you."):
                first = first or time.monotonic()
                said += piece
    except LOST as error:
        return _lost(number, error)
    return Turn(asked, first, time.monotonic()) if first and f"number {number}," in said else None


def _lost(number: int, error: Exception) -> None:
    say(f"session {number} was lost: {type(error).__name__}: {error}")


def _times(turns: Sequence[Turn], count: int) -> Numbers:
    found: Numbers = {"completed": len(turns), "lost": count - len(turns)}
    if len(turns) < 2:
        return found
    total = max(turn.over for turn in turns) - min(turn.asked for turn in turns)
    whole, first = [turn.over - turn.asked for turn in turns], [turn.first - turn.asked for turn in turns]
    return {
        **found,
        "total_s": total,
        "turns_per_s": len(turns) / total,
        "turn_p50_s": statistics.median(whole),
        "turn_p95_s": _p95(whole),
        "first_p50_s": statistics.median(first),
        "first_p95_s": _p95(first),
    }


def _p95(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[18]
