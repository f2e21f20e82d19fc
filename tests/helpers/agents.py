"""An agent platform that does what a test tells it to. Outside of every process, as a real one is."""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import (
    AgentEvent,
    AgentStatus,
    Answer,
    ApprovalAsked,
    Confirm,
    Delta,
    HistoryEntry,
    Replied,
    StatusChanged,
    TurnFailed,
    UserPosted,
)
from gateway.ports import Blob, Finding
from tests.helpers.steps import Steps


def words_of(text: str) -> str:
    """What the customer said: without our own lines before it, and the record of an earlier session."""
    said = text.partition("\n")[2]
    while said.startswith("[Not delivered: "):
        said = said.partition("\n")[2]
    return said.partition("</transcript>\n")[2] if said.startswith("<transcript") else said


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call that needs somebody's word. `schema`: the tool's, where its definition tells it."""

    tool: str = "issue_refund"
    arguments: dict[str, Any] | None = field(default_factory=lambda: {"order_id": "A-1001", "amount": 40})
    schema: dict[str, Any] | None = None


class AgentTurn:
    """What the agent makes of one post: an act calls these."""

    def __init__(self, session: "Session", text: str) -> None:
        self.words = words_of(text)
        self._session = session

    def streams(self, text: str, *, under: str = "") -> None:
        """One delta, of a message of its own or of the one that is named."""
        self._session.tell(Delta(message_id=under or self._session.new_id(), text=text))

    def replies(self, text: str) -> None:
        self._session.keep(Replied(message_id=self._session.new_id(), text=text))

    def fails(self, error: str) -> None:
        self._session.keep(TurnFailed(message_id=self._session.new_id(), error=error))

    async def asks(self, tool: str = "issue_refund", **arguments: Any) -> Answer:
        """Park on one request until somebody answers."""
        (said,) = await self.asks_all(Call(tool, arguments) if arguments else Call(tool))
        return said

    async def asks_all(self, *calls: Call) -> list[Answer]:
        """Park on several at once until all are answered."""
        return await self._session.asks(calls)


Act = Callable[[AgentTurn], Awaitable[None]]


async def replies(turn: AgentTurn) -> None:
    """What the agent does when a test says nothing else."""
    turn.replies(f"about {turn.words}")


async def asks_first(turn: AgentTurn) -> None:
    said = await turn.asks()
    turn.replies("refunded" if isinstance(said, Confirm) else f"not refunded: {said.reason}")


def waits_for(gate: asyncio.Event) -> Act:
    """Streams a little, and replies once the gate is open."""

    async def act(turn: AgentTurn) -> None:
        turn.streams("let me see")
        await gate.wait()
        turn.replies(f"about {turn.words}")

    return act


class Session:
    def __init__(self, agent: str, ids: "itertools.count[int]") -> None:
        self.agent = agent
        self.status = AgentStatus.IDLE
        self.history: list[HistoryEntry] = []
        self.keys: set[str] = set()
        self.files: list[list[tuple[str, bytes]]] = []  # of each post: name and bytes
        self.lines: list[Line] = []
        self.told: list[tuple[str, Answer]] = []  # requests, and what was answered, each time it was
        self._ids = ids
        self._answers: dict[str, asyncio.Future[Answer]] = {}

    def posts(self) -> list[str]:
        """What customers said in it, in order."""
        said = [entry for entry in self.history if isinstance(entry, UserPosted) and not entry.is_file]
        return [words_of(entry.text) for entry in said]

    def new_id(self) -> str:
        return f"m{next(self._ids)}"

    def tell(self, event: AgentEvent) -> None:
        for line in self.lines:
            line.hears(event)

    def keep(self, entry: Replied | TurnFailed | ApprovalAsked) -> None:
        self.history.append(entry)
        self.tell(entry)

    def is_now(self, status: AgentStatus) -> None:
        self.status = status
        self.tell(StatusChanged(status=status))

    async def run(self, act: Act, text: str) -> None:
        self.is_now(AgentStatus.PROCESSING)
        await act(AgentTurn(self, text))
        self.is_now(AgentStatus.IDLE)

    async def asks(self, calls: Sequence[Call]) -> list[Answer]:
        numbers = [self.new_id() for _ in calls]
        for number, call in zip(numbers, calls, strict=True):
            self._answers[number] = asyncio.get_running_loop().create_future()
            request: dict[str, Any] = {"tool_call_id": f"call-{number}", "tool_id": call.tool, "tool_name": call.tool}
            request |= {"arguments": call.arguments, "input_schema": call.schema}
            self.keep(ApprovalAsked(message_id=number, **request))
        self.is_now(AgentStatus.AWAITING_APPROVAL)
        said = [await self._answers[number] for number in numbers]
        self.is_now(AgentStatus.PROCESSING)
        return said

    def answered(self, request_id: str, said: Answer) -> None:
        """Twice is once."""
        waiting = self._answers.get(request_id)
        if waiting is None:
            raise AgentRefused("there is no such request")
        self.told.append((request_id, said))
        if waiting.done():
            return
        self.history = [
            replace(entry, open=False) if isinstance(entry, ApprovalAsked) and entry.message_id == request_id else entry
            for entry in self.history
        ]
        waiting.set_result(said)


class Line:
    """Places: `posting` and `posted`, `answering` and `answered` (the platform has it; we do not know), `hearing`."""

    def __init__(self, agents: "Agents", session: Session) -> None:
        self.status = session.status if agents.says_status else None
        self._agents = agents
        self._session = session
        self._heard: asyncio.Queue[AgentEvent | None] = asyncio.Queue()
        self._lost = False

    async def post(self, text: str, *, client_message_id: str, files: Sequence[Blob] = ()) -> None:
        await self._at("posting")
        self._agents.takes(self._session, text, client_message_id, files)
        await self._at("posted")

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        await self._at("answering")
        self._session.answered(request_message_id, answer)
        await self._at("answered")

    async def history(self) -> Sequence[HistoryEntry]:
        await self._at("reading")
        return list(self._session.history)

    async def events(self) -> AsyncIterator[AgentEvent]:
        while (event := await self._heard.get()) is not None:
            await self._at(f"hearing {type(event).__name__}")
            yield event
        raise AgentUnavailable("the line was lost")

    def hears(self, event: AgentEvent) -> None:
        self._heard.put_nowait(event)

    def lose(self) -> None:
        self._lost = True
        self._heard.put_nowait(None)

    async def _at(self, place: str) -> None:
        await self._agents.steps.at(place)
        if self._lost:
            raise AgentUnavailable("the line was lost")


class Agents:
    """Places: `opening` and `opened`, `attaching`, `erasing`. `away`: nobody answers at all."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.away = False
        self.says_status = True  # what a session is doing, to whom attaches
        self.deletes = True  # it offers to forget sessions
        self.sessions: dict[str, Session] = {}
        self._acts: dict[str, Act] = {}
        self._ids = itertools.count(1)
        self._running: set[asyncio.Task[None]] = set()
        self.faults: list[BaseException] = []
        self.schemas: dict[str, dict[str, Any]] = {}  # what it tells of its tools' arguments

    def does(self, act: Act, *, on: str) -> None:
        """What the agent does with a post that has these words in it."""
        self._acts[on] = act

    def posts(self) -> list[str]:
        """What customers said, in all sessions together."""
        return [words for session in self.sessions.values() for words in session.posts()]

    async def open_session(self, agent: str) -> str:
        await self._at("opening")
        name = uuid.uuid4().hex  # a process of its own has a platform of its own
        self.sessions[name] = Session(agent, self._ids)
        await self._at("opened")
        return name

    @contextlib.asynccontextmanager
    async def attach(self, session_id: str) -> AsyncIterator[Line]:
        await self._at("attaching")
        session = self.sessions.get(session_id)
        if session is None:
            raise SessionGone("there is no such session")
        line = Line(self, session)
        session.lines.append(line)
        try:
            yield line
        finally:
            session.lines.remove(line)

    def takes(self, session: Session, text: str, key: str, files: Sequence[Blob] = ()) -> None:
        """A post. The same key twice is one message; while the session is busy there is none."""
        if key in session.keys:
            return
        if session.status is not AgentStatus.IDLE:
            raise AgentRefused("the session is busy")
        session.keys.add(key)
        session.history.append(UserPosted(message_id=session.new_id(), text=text))
        session.history += [UserPosted(message_id=session.new_id(), text="", is_file=True) for _ in files]
        session.files.append([(one.name, one.data) for one in files])
        act = next((act for words, act in self._acts.items() if words in words_of(text)), replies)
        running = asyncio.create_task(session.run(act, text))
        self._running.add(running)
        running.add_done_callback(self._ended)

    def drop_lines(self) -> None:
        for session in self.sessions.values():
            for line in session.lines:
                line.lose()

    async def erase(self, session_id: str) -> bool:
        await self._at("erasing")
        if self.deletes:
            self.sessions.pop(session_id, None)
        return self.deletes

    async def input_schema(self, agent: str, tool: str) -> dict[str, Any] | None:
        return None if self.away else self.schemas.get(tool)

    async def check(self) -> Sequence[Finding]:
        return ()

    async def aclose(self) -> None:
        """No answer from now on; whoever listens is told."""
        self.away = True
        self.drop_lines()
        for act in self._running:
            act.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _at(self, place: str) -> None:
        if self.away:
            raise AgentUnavailable("nobody answers")
        await self.steps.at(place)

    def _ended(self, running: "asyncio.Task[None]") -> None:
        self._running.discard(running)
        if not running.cancelled() and (fault := running.exception()) is not None:
            self.faults.append(fault)
