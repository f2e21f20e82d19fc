"""A session as one server has it in memory: who listens here, and how much of it they have. No rows, no turns."""

import asyncio
from typing import Protocol

from adapters.agent.frames import Frame
from gateway.events import AgentStatus


class Subscriber(Protocol):
    def send(self, frame: Frame) -> None:
        """Never waits, never raises."""


class Live:
    """`order` keeps an acknowledgement before the frames of the turn it leads to.

    Another server may run the next turn. Our clients have the history up to the place `seen`, and of what comes after
    it the messages `told`; `status` is what they were told last. `seen` is None until somebody connected.
    """

    def __init__(self) -> None:
        self.order = asyncio.Lock()
        self.subscribers: set[Subscriber] = set()
        self.task: asyncio.Task[None] | None = None
        self.again = False
        self.seen: int | None = None
        self.told: set[str] = set()
        self.status: AgentStatus | None = None

    @property
    def is_idle(self) -> bool:
        return not self.subscribers and self.task is None and not self.order.locked()

    @property
    def only_listens(self) -> bool:
        return self.seen is not None and self.task is None

    def saw(self, place: int) -> None:
        self.seen = place
        self.told.clear()

    def send(self, frame: Frame) -> None:
        match frame:
            case {"type": "message_notification", "message": {"id": str(message_id)}}:
                self.told.add(message_id)
            case {"type": "participant_status", "message": {"status": status}}:
                self.status = status
        for subscriber in tuple(self.subscribers):
            subscriber.send(frame)
