"""The events that came over one line, waiting for whoever listens. When it is full, what is only for display goes."""

import asyncio
from collections import deque

from gateway.errors import GatewayError, LineLost
from gateway.events import AgentEvent, Delta, Searched, ToolUsed

MAX_WAITING = 1024
MAX_DELTA_CHARS = 4_000_000  # a frame may hold megabytes: the count alone bounds nothing
TOO_FAR_BEHIND = 10  # times the limit, in events that must not be dropped: then the line is of no more use


class Inflow:
    """An endless async iterator; once closed, what waits is still read, then the reason is raised."""

    def __init__(self, max_waiting: int = MAX_WAITING, max_delta_chars: int = MAX_DELTA_CHARS) -> None:
        self._waiting: deque[AgentEvent] = deque()
        self._max_waiting = max_waiting
        self._max_delta_chars = max_delta_chars
        self._delta_chars = 0
        self._changed = asyncio.Event()
        self._reason: GatewayError | None = None

    def put(self, event: AgentEvent) -> None:
        """Closes itself when its reader is hopelessly behind: the history has what it misses."""
        if self._reason is not None:
            return
        if isinstance(event, Delta) and not self._has_room(event):
            return
        if isinstance(event, ToolUsed | Searched) and len(self._waiting) >= self._max_waiting:
            return
        if len(self._waiting) >= self._max_waiting * TOO_FAR_BEHIND:
            self.close(LineLost("more came over the line than was read from it"))
            return
        if len(self._waiting) >= self._max_waiting:
            self._drop_a_delta()
        self._add(event)
        self._changed.set()

    def _has_room(self, delta: Delta) -> bool:
        fits = self._delta_chars + len(delta.text) <= self._max_delta_chars
        return fits and len(self._waiting) < self._max_waiting

    def _drop_a_delta(self) -> None:
        oldest = next((waiting for waiting in self._waiting if isinstance(waiting, Delta)), None)
        if oldest is not None:
            self._waiting.remove(oldest)
            self._delta_chars -= len(oldest.text)

    def _add(self, event: AgentEvent) -> None:
        self._waiting.append(event)
        if isinstance(event, Delta):
            self._delta_chars += len(event.text)

    def close(self, reason: GatewayError) -> None:
        self._reason = self._reason or reason
        self._changed.set()

    def __aiter__(self) -> "Inflow":
        return self

    async def __anext__(self) -> AgentEvent:
        while not self._waiting:
            if self._reason is not None:
                raise self._reason
            self._changed.clear()
            await self._changed.wait()
        event = self._waiting.popleft()
        if isinstance(event, Delta):
            self._delta_chars -= len(event.text)
        return event
