"""A line to a session that notes when the agent's first word came. Changes nothing that passes."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from gateway.events import AgentEvent, AgentStatus, Answer, Delta, HistoryEntry, Replied
from gateway.ports import AgentLine, Clock


class FirstWord:
    def __init__(self, line: AgentLine, clock: Clock) -> None:
        self._line = line
        self._clock = clock
        self.at: datetime | None = None

    @property
    def status(self) -> AgentStatus | None:
        return self._line.status

    async def post(self, text: str, *, client_message_id: str) -> None:
        await self._line.post(text, client_message_id=client_message_id)

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        await self._line.answer(request_message_id, answer)

    async def history(self) -> Sequence[HistoryEntry]:
        return await self._line.history()

    def events(self) -> AsyncIterator[AgentEvent]:
        return _Events(self, self._line.events(), self._clock)


class _Events:
    # No generator: nobody would close it when its reader stops in the middle.
    def __init__(self, first_word: FirstWord, events: AsyncIterator[AgentEvent], clock: Clock) -> None:
        self._first_word = first_word
        self._events = events
        self._clock = clock

    def __aiter__(self) -> "_Events":
        return self

    async def __anext__(self) -> AgentEvent:
        event = await anext(self._events)
        if self._first_word.at is None and isinstance(event, Delta | Replied):
            self._first_word.at = self._clock()
        return event
