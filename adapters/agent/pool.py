"""Lines to sessions, kept for a while after a turn so that the next one finds its line open. Reads no frames."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from adapters.agent.attached import SessionLine
from adapters.agent.line import Line
from gateway.errors import AgentUnavailable
from gateway.events import AgentStatus

LINGER_S = 30.0
MOST = 200

Dial = Callable[[str], AbstractAsyncContextManager[Line]]


@dataclass(slots=True)
class _Kept:
    line: Line
    closing: AsyncExitStack
    lingering: asyncio.Task[None] | None = None


class Pool:
    def __init__(self, dial: Dial, *, wait_s: float, linger_s: float = LINGER_S, most: int = MOST) -> None:
        """`dial` opens a line that is connected to a session; `most` may be open at once."""
        self._dial = dial
        self._wait_s = wait_s
        self._linger_s = linger_s
        self._places = asyncio.Semaphore(most)
        self._waiting = 0
        self._idle: dict[str, _Kept] = {}  # the one that lingers longest comes first
        self._lingerers: set[asyncio.Task[None]] = set()
        self._closed = False

    @asynccontextmanager
    async def leased(self, session_id: str) -> AsyncIterator[SessionLine]:
        """A line of one's own. Kept afterwards only if all went well: else nobody knows what is under way on it.

        Raises what `dial` raises, and `AgentUnavailable` when no place becomes free.
        """
        kept = await self._lingering(session_id) or await self._dialled(session_id)
        try:
            yield SessionLine(kept.line)
        except BaseException:
            await self._close(kept)
            raise
        await self._keep(session_id, kept)

    async def _lingering(self, session_id: str) -> _Kept | None:
        kept = self._idle.pop(session_id, None)
        if kept is None:
            return None
        _forget(kept)
        if kept.line.ended.is_set():
            await self._close(kept)
            return None
        kept.line.renew()
        return kept

    async def _dialled(self, session_id: str) -> _Kept:
        if self._places.locked() and self._idle:
            await self._close_idle(next(iter(self._idle)))
        await self._place()
        closing = AsyncExitStack()
        try:
            return _Kept(await closing.enter_async_context(self._dial(session_id)), closing)
        except BaseException:
            self._places.release()
            raise

    async def _place(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._places.acquire()
        except TimeoutError:
            raise AgentUnavailable("too many sessions are attached at once") from None
        finally:
            self._waiting -= 1

    async def _keep(self, session_id: str, kept: _Kept) -> None:
        # Who learned of a turn's end elsewhere never heard its Idle here: a new line is told what is true now.
        at_rest = not kept.line.ended.is_set() and kept.line.status is not AgentStatus.PROCESSING
        of_use = at_rest and self._linger_s > 0 and session_id not in self._idle
        if self._closed or self._waiting or not of_use:
            await self._close(kept)
            return
        kept.line.rest()
        self._idle[session_id] = kept
        kept.lingering = asyncio.create_task(self._linger(session_id, kept))
        self._lingerers.add(kept.lingering)
        kept.lingering.add_done_callback(self._lingerers.discard)

    async def _linger(self, session_id: str, kept: _Kept) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                await kept.line.ended.wait()
        if self._idle.get(session_id) is kept:
            del self._idle[session_id]
            await self._close(kept)

    async def _close_idle(self, session_id: str) -> None:
        kept = self._idle.pop(session_id)
        _forget(kept)
        await self._close(kept)

    async def _close(self, kept: _Kept) -> None:
        try:
            await kept.closing.aclose()
        finally:
            self._places.release()

    async def aclose(self) -> None:
        """Close what lingers; what is in use is closed when it comes back."""
        self._closed = True
        await asyncio.gather(*(self._close_idle(session_id) for session_id in list(self._idle)))
        await asyncio.gather(*self._lingerers, return_exceptions=True)


def _forget(kept: _Kept) -> None:
    if kept.lingering is not None:
        kept.lingering.cancel()
        kept.lingering = None
