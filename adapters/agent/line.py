"""One socket to the agent platform: asks and waits for the reply, queues the rest. It never reconnects."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from adapters.agent import frames, reading
from adapters.agent.frames import Frame
from adapters.agent.inflow import Inflow
from gateway.errors import AgentUnavailable, LineLost, Unreadable
from gateway.events import AgentEvent, AgentStatus, Replied, StatusChanged, TurnFailed

log = logging.getLogger(__name__)

REPLY_WITHIN_S = 30.0
PING_EVERY_S = 5.0  # as the platform's own SDK does
LOST = "the line to the agent platform was lost"

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
        self._refused: tuple[str, str] | None = None  # by an error frame; its own reply may say the same once more
        self.ended = asyncio.Event()
        self.session_id = ""
        self.status: AgentStatus | None = None
        self.inflow = Inflow()

    async def ask(self, frame: Frame, reply_type: str) -> Frame:
        """Raises `LineLost`, or `AgentUnavailable` when the reply does not come."""
        async with self._asking:
            if self._lost is not None:
                raise self._lost
            reply: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
            self._asked.append((reply_type, reply))
            try:
                async with asyncio.timeout(self._reply_within_s):
                    await self.send(frame)  # waits for a platform that does not read, and so do the transport's pings
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
            lost = LineLost(LOST)
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
            self.lose(LineLost(LOST))

    def lose(self, reason: AgentUnavailable) -> None:
        self._lost = self._lost or reason
        for _, reply in self._asked:
            if not reply.done():
                reply.set_exception(self._lost)
                reply.exception()  # its caller may have gone: then nobody else would look at it
        self._asked.clear()
        self.inflow.close(self._lost)
        self.ended.set()

    def rest(self) -> None:
        """Nobody listens until it is renewed: only the status is noted of what comes."""
        self.inflow = Inflow()
        self.inflow.close(LineLost("nobody uses this line"))

    def renew(self) -> None:
        """For the next one who listens: what came until now was somebody else's."""
        self.inflow = Inflow()
        if self._lost is not None:
            self.inflow.close(self._lost)

    def _take(self, text: str | bytes) -> None:
        try:
            frame = frames.decode(text if isinstance(text, str) else text.decode("utf-8", "replace"))
            if self.session_id and (frame.get("session_id") or self.session_id) != self.session_id:
                log.warning("the agent platform sent a frame of another session")
            elif frame["type"] in REPLIES or frame["type"] == "error":
                if not self._is_said_again(frame):
                    self._settle(frame)
            elif (event := reading.event(frame)) is not None:
                self._note(event)
                self.inflow.put(event)
        except Unreadable as error:
            log.warning("the agent platform sent a frame that cannot be read: %s", error)
        except RecursionError:
            log.warning("the agent platform sent a frame that cannot be read: it is nested too deeply")

    def _note(self, event: AgentEvent) -> None:
        if isinstance(event, StatusChanged):
            self.status = event.status
        elif isinstance(event, Replied | TurnFailed):
            self.status = AgentStatus.IDLE  # nothing of a turn follows its end but the status itself

    def _is_said_again(self, frame: Frame) -> bool:
        """A platform may refuse by an `error` frame, by a failed reply, or by both."""
        refused, self._refused = self._refused, None
        same = (frame["type"], str(frame.get("error") or frame.get("message") or "")) == refused
        return same and frame.get("success") is False

    def _settle(self, frame: Frame) -> None:
        for at, (reply_type, reply) in enumerate(self._asked):
            if _replies_to(frame, reply_type):
                del self._asked[at]
                if frame["type"] == "error":
                    self._refused = (reply_type, str(frame.get("error") or frame.get("message") or ""))
                if frame["type"] == "connect_session":
                    self.status = reading.status(frame.get("status"))
                if not reply.done():
                    reply.set_result(frame)
                return


def _replies_to(frame: Frame, reply_type: str) -> bool:
    if frame["type"] == "error":
        # Not every error says what it is about: then it is about what was asked first.
        return frame.get("request_type") in (None, "", reply_type, ASKED_BY.get(reply_type))
    return bool(frame["type"] == reply_type)


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
