"""One socket to the agent platform: asks and waits for the reply, queues the rest. It never reconnects."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from adapters.agent import frames, reading
from adapters.agent.frames import Frame
from adapters.agent.inflow import Inflow
from gateway.errors import AgentRefused, AgentUnavailable, GatewayError, SessionGone, Unreadable
from gateway.events import AgentEvent, AgentStatus, Answer, HistoryEntry

log = logging.getLogger(__name__)

REPLY_WITHIN_S = 30.0
PING_EVERY_S = 5.0  # as the platform's own SDK does

REPLIES = {"session_created", "connect_session", "post_message", "post_messages", "get_messages"}
ASKED_BY = {"session_created": "create_session"}


class Line:
    """What can be asked on a socket, whatever session it is about.

    The protocol has no request ids: replies come in the order of the requests of their type, so a request whose
    caller went away keeps its place in `_asked`.
    """

    def __init__(self, socket: ClientConnection, reply_within_s: float) -> None:
        self._socket = socket
        self._reply_within_s = reply_within_s
        self._asking = asyncio.Lock()
        self._asked: deque[tuple[str, asyncio.Future[Frame]]] = deque()
        self._lost: AgentUnavailable | None = None
        self.inflow = Inflow()

    async def ask(self, frame: Frame, reply_type: str) -> Frame:
        """Raises `AgentUnavailable` when the line is lost or the reply does not come."""
        async with self._asking:
            if self._lost is not None:
                raise self._lost
            reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self._asked.append((reply_type, reply))
            await self.send(frame)
            try:
                async with asyncio.timeout(self._reply_within_s):
                    return await reply
            except TimeoutError:
                # A reply that comes later could be taken for the next one's: this socket is of no more use.
                lost = AgentUnavailable("the agent platform did not reply in time")
                self.lose(lost)
                raise lost from None

    async def send(self, frame: Frame) -> None:
        try:
            await self._socket.send(frames.encode(frame))
        except ConnectionClosed as error:
            lost = AgentUnavailable("the line to the agent platform was lost")
            self.lose(lost)
            raise lost from error

    async def read(self) -> None:
        """Takes what comes until the line is lost."""
        try:
            async for text in self._socket:
                self._take(text)
        except ConnectionClosed:
            pass
        finally:
            self.lose(AgentUnavailable("the line to the agent platform was lost"))

    def lose(self, reason: AgentUnavailable) -> None:
        self._lost = self._lost or reason
        for _, reply in self._asked:
            if not reply.done():
                reply.set_exception(self._lost)
                reply.exception()  # its caller may have gone: then nobody else would look at it
        self._asked.clear()
        self.inflow.close(self._lost)

    def _take(self, text: str | bytes) -> None:
        try:
            frame = frames.decode(text if isinstance(text, str) else text.decode("utf-8", "replace"))
            if frame["type"] in REPLIES or frame["type"] == "error":
                self._settle(frame)
            elif (event := reading.event(frame)) is not None:
                self.inflow.put(event)
        except Unreadable as error:
            log.warning("the agent platform sent a frame that cannot be read: %s", error)

    def _settle(self, frame: Frame) -> None:
        for at, (reply_type, reply) in enumerate(self._asked):
            if _replies_to(frame, reply_type):
                del self._asked[at]
                if not reply.done():
                    reply.set_result(frame)
                return


def _replies_to(frame: Frame, reply_type: str) -> bool:
    if frame["type"] == "error":
        # Not every error says what it is about: then it is about what was asked first.
        return frame.get("request_type") in (None, "", reply_type, ASKED_BY.get(reply_type))
    return bool(frame["type"] == reply_type)


class SessionLine:
    """`AgentLine` over a socket that is connected to one session."""

    def __init__(self, line: Line, session_id: str, status: AgentStatus | None) -> None:
        self._line = line
        self._session_id = session_id
        self._status = status

    @property
    def status(self) -> AgentStatus | None:
        return self._status

    async def post(self, text: str, *, client_message_id: str) -> None:
        frame = frames.post_message(self._session_id, text, client_message_id=client_message_id)
        if refusal := _refusal(await self._line.ask(frame, "post_message")):
            raise AgentRefused(f"the agent platform refused a message: {refusal}")

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        frame = frames.approval_answer(self._session_id, request_message_id, answer)
        refusal = _refusal(await self._line.ask(frame, "post_message"))
        if refusal and "already answered" not in refusal.lower():
            raise AgentRefused(f"the agent platform refused the answer to a request: {refusal}")

    async def history(self) -> Sequence[HistoryEntry]:
        reply = await self._line.ask(frames.get_messages(self._session_id), "get_messages")
        if refusal := _refusal(reply):
            raise AgentRefused(f"the agent platform refused the history: {refusal}")
        try:
            return reading.history(reply)
        except Unreadable as error:
            raise AgentUnavailable(f"the history cannot be read: {error}") from error

    def events(self) -> AsyncIterator[AgentEvent]:
        return self._line.inflow


async def connected(line: Line, session_id: str) -> SessionLine:
    """Raises `SessionGone` when the platform does not know the session, `AgentRefused` when it says no."""
    ack = await line.ask(frames.connect_session(session_id), "connect_session")
    if refusal := _refusal(ack):
        raise _connect_error(refusal)
    return SessionLine(line, session_id, reading.status(ack.get("status")))


async def created(line: Line, agent: str) -> str:
    reply = await line.ask(frames.create_session(agent), "session_created")
    if refusal := _refusal(reply):
        raise AgentRefused(f"the agent platform opened no session: {refusal}")
    session_id = reply.get("session_id")
    if not isinstance(session_id, str) or not session_id:
        raise AgentUnavailable("the agent platform opened a session without an id")
    return session_id


@asynccontextmanager
async def reading_line(socket: ClientConnection, reply_within_s: float) -> AsyncIterator[Line]:
    line = Line(socket, reply_within_s)
    reader = asyncio.create_task(line.read())
    try:
        yield line
    finally:
        await _stop(reader)


@asynccontextmanager
async def pinging(line: Line, session_id: str, every_s: float = PING_EVERY_S) -> AsyncIterator[None]:
    pinger = asyncio.create_task(_ping(line, session_id, every_s))
    try:
        yield
    finally:
        await _stop(pinger)


async def _ping(line: Line, session_id: str, every_s: float) -> None:
    with contextlib.suppress(AgentUnavailable):  # the reader tells everybody
        while True:
            await asyncio.sleep(every_s)
            await line.send(frames.ping_session(session_id))


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _refusal(reply: Frame) -> str:
    """Empty when the platform did what it was asked."""
    if reply["type"] == "error" or reply.get("success") is False:
        return str(reply.get("error") or "no reason given")
    return ""


def _connect_error(refusal: str) -> GatewayError:
    words = refusal.lower()
    if "session" in words and any(word in words for word in ("unknown", "not found", "no such", "does not exist")):
        return SessionGone(f"the agent platform does not know the session: {refusal}")
    return AgentRefused(f"the agent platform refused the session: {refusal}")
