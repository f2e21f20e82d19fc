"""What is asked about one session over a line, and what a platform's refusals mean. Opens and closes nothing."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from adapters.agent import frames, reading
from adapters.agent.frames import Frame
from adapters.agent.line import Line
from gateway.errors import AgentRefused, AgentUnavailable, GatewayError, SessionGone, Unreadable
from gateway.events import AgentEvent, AgentStatus, Answer, HistoryEntry
from gateway.ports import Blob

GONE = ("unknown", "not found", "no such", "does not exist", "deleted")


class SessionLine:
    """`AgentLine` over a line that is connected to one session; `status` and the events are as of now."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._session_id = line.session_id
        self._status = line.status
        self._inflow = line.inflow

    @property
    def status(self) -> AgentStatus | None:
        return self._status

    async def post(self, text: str, *, client_message_id: str, files: Sequence[Blob] = ()) -> None:
        frame = frames.post_message(self._session_id, text, client_message_id=client_message_id)
        if files:
            contents = [frames.file_content(one.data, name=one.name, mime_type=one.mime_type) for one in files]
            frame = frames.post_messages(self._session_id, [text, *contents], client_message_id=client_message_id)
        # From now on it is not free, whenever it says so: who uses the line next must not take it for that.
        before, self._line.status = self._line.status, AgentStatus.PROCESSING
        if refusal := _refusal(await self._line.ask(frame, frame["type"])):
            self._line.status = before
            raise _refused("a message", refusal)

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        frame = frames.approval_answer(self._session_id, request_message_id, answer)
        self._line.status = AgentStatus.PROCESSING  # until it says otherwise, as after a post
        refusal = _refusal(await self._line.ask(frame, "post_message"))
        if refusal and "already answered" not in refusal.lower():
            raise _refused("the answer to a request", refusal)

    async def history(self) -> Sequence[HistoryEntry]:
        """Whole, also where the platform gives it in pages: what is counted in it is counted from the beginning."""
        try:
            listed, goes_on = await self._page(None)
            while goes_on:
                before = _first_id(listed)
                page, goes_on = await self._page(before)
                if not page or _first_id(page) == before:
                    raise Unreadable("it says that there is more, and does not give it")
                listed = [*page, *listed]
            return reading.history(frames.messages(self._session_id, listed))
        except Unreadable as error:
            raise AgentUnavailable(f"the history cannot be read: {error}") from error

    async def _page(self, before: str | None) -> tuple[list[Any], bool]:
        reply = await self._line.ask(frames.get_messages(self._session_id, before=before), "get_messages")
        if refusal := _refusal(reply):
            raise _refused("the history", refusal)
        return reading.page(reply)

    def events(self) -> AsyncIterator[AgentEvent]:
        return self._inflow


async def connect_to(line: Line, session_id: str) -> None:
    """Raises `SessionGone` when the platform does not know the session, `AgentRefused` when it says no."""
    ack = await line.ask(frames.connect_session(session_id), "connect_session")
    if refusal := _refusal(ack):
        raise _connect_error(refusal)
    line.session_id = session_id


async def created(line: Line, agent: str) -> str:
    reply = await line.ask(frames.create_session(agent), "session_created")
    if refusal := _refusal(reply):
        raise AgentRefused(f"the agent platform opened no session: {refusal}")
    session_id = reply.get("session_id")
    if not isinstance(session_id, str) or not session_id:
        raise AgentUnavailable("the agent platform opened a session without an id")
    return session_id


def _first_id(listed: Sequence[Any]) -> str:
    """Empty where there is no message."""
    first = listed[0] if listed else {"id": ""}
    if not isinstance(first, dict) or not isinstance(first.get("id"), str):
        raise Unreadable("a message of the history has no id")
    return str(first["id"])


def _refusal(reply: Frame) -> str:
    """Empty when the platform did what it was asked."""
    if reply["type"] == "error" or reply.get("success") is False:
        return str(reply.get("error") or "no reason given")
    return ""


def _refused(what: str, refusal: str) -> GatewayError:
    """`SessionGone` also here: a session may end while its line is kept."""
    if _is_gone(refusal, "session"):
        return SessionGone(f"the agent platform does not know the session any more: {refusal}")
    return AgentRefused(f"the agent platform refused {what}: {refusal}")


def _connect_error(refusal: str) -> GatewayError:
    # An agent of the same name may be there under another id: a new session tells.
    if _is_gone(refusal, "session", "agent", "object"):
        return SessionGone(f"the agent platform does not know the session any more: {refusal}")
    return AgentRefused(f"the agent platform refused the session: {refusal}")


def _is_gone(refusal: str, *what: str) -> bool:
    words = refusal.lower()
    return any(one in words for one in what) and any(word in words for word in GONE)
