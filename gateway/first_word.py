"""Notes when the agent's first word of a turn came, over however many lines."""

from datetime import datetime

from gateway.events import AgentEvent, Delta, Replied
from gateway.ports import Clock


class FirstWord:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.at: datetime | None = None

    def hear(self, event: AgentEvent) -> None:
        if self.at is None and isinstance(event, Delta | Replied):
            self.at = self._clock()
