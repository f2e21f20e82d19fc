"""A line to the agent to which somebody else listens too. Changes nothing that passes."""

from collections.abc import AsyncIterator, Callable, Sequence

from gateway.events import AgentEvent, AgentStatus, Answer, HistoryEntry
from gateway.ports import AgentLine, Blob

Hear = Callable[[AgentEvent], None]
"""Takes an event, and returns at once."""


def by(line: AgentLine, *hears: Hear) -> AgentLine:
    return _Overheard(line, hears)


class _Overheard:
    def __init__(self, line: AgentLine, hears: Sequence[Hear]) -> None:
        self._line = line
        self._hears = hears

    @property
    def status(self) -> AgentStatus | None:
        return self._line.status

    async def post(self, text: str, *, client_message_id: str, files: Sequence[Blob] = ()) -> None:
        await self._line.post(text, client_message_id=client_message_id, files=files)

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        await self._line.answer(request_message_id, answer)

    async def history(self) -> Sequence[HistoryEntry]:
        return await self._line.history()

    def events(self) -> AsyncIterator[AgentEvent]:
        return _Events(self._line.events(), self._hears)


class _Events:
    # No generator: nobody would close it when its reader stops in the middle.
    def __init__(self, events: AsyncIterator[AgentEvent], hears: Sequence[Hear]) -> None:
        self._events = events
        self._hears = hears

    def __aiter__(self) -> "_Events":
        return self

    async def __anext__(self) -> AgentEvent:
        event = await anext(self._events)
        for hear in self._hears:
            hear(event)
        return event
