"""The events that came over one line, waiting for whoever listens. When it is full, deltas go: they are decoration."""

import asyncio
from collections import deque

from gateway.errors import GatewayError
from gateway.events import AgentEvent, Delta

MAX_WAITING = 1024


class Inflow:
    """An endless async iterator; once closed, what waits is still read, then the reason is raised."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._waiting: deque[AgentEvent] = deque()
        self._max_waiting = max_waiting
        self._changed = asyncio.Event()
        self._reason: GatewayError | None = None

    def put(self, event: AgentEvent) -> None:
        if len(self._waiting) >= self._max_waiting and not self._made_room(event):
            return
        self._waiting.append(event)
        self._changed.set()

    def _made_room(self, event: AgentEvent) -> bool:
        """False: `event` itself is the one to drop. What is not a delta is kept, even over the limit."""
        if isinstance(event, Delta):
            return False
        oldest = next((waiting for waiting in self._waiting if isinstance(waiting, Delta)), None)
        if oldest is not None:
            self._waiting.remove(oldest)
        return True

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
        return self._waiting.popleft()
