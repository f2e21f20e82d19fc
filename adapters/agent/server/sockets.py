"""One client's socket: its frames strictly in order, its answers and events through one bounded queue."""

import asyncio
import contextlib
import logging

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from adapters.agent import frames
from adapters.agent.frames import Frame
from adapters.agent.server import requests
from adapters.agent.server.limits import MIB, Limits
from adapters.agent.server.rates import Rates
from adapters.agent.server.sessions import Sessions
from gateway.errors import Refused, Unreadable

log = logging.getLogger(__name__)

CLOSE_WITHIN_S = 2.0
TOO_SLOW = 1013
BROKEN = 1011


class Outflow:
    """`Subscriber` of every session its socket connected to. A client that does not read is let go: it resumes."""

    def __init__(self, websocket: WebSocket, max_waiting: int) -> None:
        self._websocket = websocket
        self._waiting: asyncio.Queue[Frame] = asyncio.Queue(max_waiting)
        self.too_slow = asyncio.Event()
        self._held: list[Frame] | None = None

    def send(self, frame: Frame) -> None:
        if self._held is not None:
            self._held.append(frame)
            return
        try:
            self._waiting.put_nowait(frame)
        except asyncio.QueueFull:
            self.too_slow.set()

    def hold(self) -> None:
        self._held = []

    def release(self, *first: Frame) -> None:
        """Sends `first`, then what was held meanwhile."""
        held, self._held = self._held or [], None
        for frame in (*first, *held):
            self.send(frame)

    async def write(self) -> None:
        while True:
            frame = await self._waiting.get()
            await self._websocket.send_text(frames.encode(frame))
            self._waiting.task_done()

    async def all_written(self) -> None:
        await self._waiting.join()


class Socket:
    def __init__(self, websocket: WebSocket, sessions: Sessions, tenant: str, limits: Limits) -> None:
        """A client that sends more than its rate allows is read more slowly; nothing it sent is lost."""
        self._websocket = websocket
        self._limits = limits
        self._rates = Rates(limits.frames_per_second, limits.frames_at_once)
        self._sessions = sessions
        self._tenant = tenant
        self._connected: set[str] = set()
        self._out = Outflow(websocket, limits.max_waiting_frames)

    async def serve(self) -> None:
        """Until the client goes, or is too slow."""
        await self._websocket.accept()
        tasks = [asyncio.create_task(work) for work in (self._read(), self._out.write(), self._out.too_slow.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for session_id in self._connected:
                self._sessions.unsubscribe(session_id, self._out)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            for error in ended:
                if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                    log.error("a client's socket failed: %s", type(error).__name__)
            await self._close()

    async def _close(self) -> None:
        states = {self._websocket.application_state, self._websocket.client_state}
        if states == {WebSocketState.CONNECTED}:
            # It went while we decided, or reads nothing at all: then the transport's own pings end it.
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_WITHIN_S):
                    await self._websocket.close(TOO_SLOW if self._out.too_slow.is_set() else BROKEN)

    async def _read(self) -> None:
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                return
            if wait_s := self._rates.take(""):
                await asyncio.sleep(wait_s)
                self._rates.take("")
            await self._take(received.get("text"))

    async def _take(self, text: str | None) -> None:
        try:
            if text is None:
                raise Unreadable("binary frames are not part of the protocol")
            most = self._limits.max_frame_bytes
            if len(text) > most or len(text.encode("utf-8", "replace")) > most:
                raise Unreadable(f"the frame is over {most / MIB:.4g} MiB")
            frame = frames.decode(text)
        except Unreadable as error:
            self._out.send(frames.error(str(error)))
            return
        try:
            await self._answer(frame)
        except Refused as error:
            self._refuse(frame, str(error))

    async def _answer(self, frame: Frame) -> None:
        match frame["type"]:
            case "create_session":
                await self._create(frame)
            case "connect_session":
                await self._connect(frame)
            case "post_message" | "post_messages":
                await self._post(frame)
            case "get_messages":
                await self._show_page(frame)
            case "ping_session":
                self._out.send(frames.pong(requests.session_id(frame)))
            case "disconnect_session":
                session_id = requests.session_id(frame)
                self._leave(session_id)
                self._out.send(frames.end_ack("disconnect_session", session_id))
            case "terminate_session":
                session_id = self._connected_session(frame)
                await self._sessions.terminate(session_id)
                self._leave(session_id)
                self._out.send(frames.end_ack("terminate_session", session_id))
            case _:
                raise Unreadable("unknown type")

    async def _show_page(self, frame: Frame) -> None:
        session_id, before = self._connected_session(frame), requests.before(frame)
        # Who asks for pages and does not read them has one of them waiting, not thousands.
        await self._out.all_written()
        page = await self._sessions.page(session_id, self._limits.max_page_bytes, before)
        self._out.send(frames.messages(session_id, page.messages, page.omitted))

    async def _create(self, frame: Frame) -> None:
        agent = frame.get("object_id")
        if frame.get("object_type") != "agent" or not isinstance(agent, str):
            raise Unreadable("object_type must be agent, and object_id its name or id")
        session_id = await self._sessions.open(self._tenant, agent)
        if session_id is None:
            raise Unreadable("unknown agent")
        self._out.send(frames.session_created(session_id))

    async def _connect(self, frame: Frame) -> None:
        session_id = requests.session_id(frame)
        # Subscribed before the status is read, so that no change of it is missed; the ack still goes first.
        self._out.hold()
        try:
            ack = await self._subscribed(session_id)
        except BaseException:
            self._out.release()  # nothing is said about the session: the socket is about to break
            raise
        self._out.release(ack)

    async def _subscribed(self, session_id: str) -> Frame:
        if await self._sessions.find(session_id, self._tenant) is None:
            return frames.connect_ack(session_id, error="unknown session")
        self._connected.add(session_id)
        self._sessions.subscribe(session_id, self._out)
        found = await self._sessions.find(session_id, self._tenant)
        return frames.connect_ack(session_id, status=found.status if found else None)

    async def _post(self, frame: Frame) -> None:
        session_id = self._connected_session(frame)
        kind: frames.PostType = "post_messages" if frame["type"] == "post_messages" else "post_message"
        if kind == "post_message" and (answered := requests.answer(frame)):
            request_id, given = answered
            await self._sessions.answer(session_id, request_id, given, sender=self._out)
            return
        await self._sessions.post(
            session_id,
            self._tenant,
            requests.contents(frame),
            client_message_id=requests.client_message_id(frame),
            kind=kind,
            sender=self._out,
        )

    def _connected_session(self, frame: Frame) -> str:
        session_id = requests.session_id(frame)
        if session_id not in self._connected:
            raise Unreadable("this socket is not connected to that session")
        return session_id

    def _leave(self, session_id: str) -> None:
        self._connected.discard(session_id)
        self._sessions.unsubscribe(session_id, self._out)

    def _refuse(self, frame: Frame, error: str) -> None:
        """A refused connect or post is a failed ack; anything else an error frame."""
        session_id = frame.get("session_id") if isinstance(frame.get("session_id"), str) else ""
        match frame["type"]:
            case "connect_session":
                self._out.send(frames.connect_ack(str(session_id), error=error))
            case "post_message" | "post_messages" as kind:
                self._out.send(frames.post_ack(kind, str(session_id), error=error))
            case kind:
                self._out.send(frames.error(error, request_type=kind, session_id=str(session_id)))
