"""Notes when the agent's first word of a turn came, over however many lines. Changes nothing that passes."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from gateway.events import AgentEvent, AgentStatus, Answer, Delta, HistoryEntry, Replied
from gateway.ports import AgentLine, Blob, Clock


class FirstWord:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.at: datetime | None = None

    def over(self, line: AgentLine) -> AgentLine:
        return _Heard(line, self)

    def hear(self, event: AgentEvent) -> None:
        if self.at is None and isinstance(event, Delta | Replied):
            self.at = self._clock()


class _Heard:
    def __init__(self, line: AgentLine, first_word: FirstWord) -> None:
        self._line = line
        self._first_word = first_word

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
        return _Events(self._line.events(), self._first_word)


class _Events:
    # No generator: nobody would close it when its reader stops in the middle.
    def __init__(self, events: AsyncIterator[AgentEvent], first_word: FirstWord) -> None:
        self._events = events
        self._first_word = first_word

    def __aiter__(self) -> "_Events":
        return self

    async def __anext__(self) -> AgentEvent:
        event = await anext(self._events)
        self._first_word.hear(event)
        return event
