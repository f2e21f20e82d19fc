"""What a server's frames mean to the gateway: frames in, `gateway.events` values out.

Pure: no network, no clock, no asyncio. What is unknown reads as None; what is malformed raises `Unreadable`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from adapters.agent.frames import INTERRUPTED, Frame, parsed
from gateway.errors import Unreadable
from gateway.events import (
    AgentEvent,
    AgentStatus,
    ApprovalAsked,
    Delta,
    HistoryEntry,
    Replied,
    Searched,
    StatusChanged,
    ToolUsed,
    TurnFailed,
    UserPosted,
)

MAX_TOKENS = 1_000_000_000
MAX_WORD = 200
MAX_SOURCES = 50
MAX_SEARCH_DEPTH = 4
ADDRESS = ("url", "link", "source")
INTEGRATION = ("integration_name", "integration", "integration_id", "tool_name", "tool_id")
NO_NAME = "(a tool without a name)"
NO_ID = "an approval was asked for without a message id, so nobody can answer it"


def event(frame: Frame) -> AgentEvent | None:
    match frame.get("type"):
        case "message_delta":
            return Delta(message_id=_text(frame, "message_id"), text=_text(frame, "value"))
        case "participant_status":
            return _status_changed(_object(frame, "message"))
        case "message_notification":
            return _notified(_object(frame, "message"))
        case _:
            return None


def status(value: object) -> AgentStatus | None:
    """None for a status that says nothing about a turn, such as Typing."""
    return AgentStatus(value) if isinstance(value, str) and value in set(AgentStatus) else None


def page(frame: Frame) -> tuple[list[Any], bool]:
    """The messages of a `get_messages` reply, oldest first, and whether the session has older ones."""
    listed, omitted = frame.get("messages"), frame.get("omitted")
    if not isinstance(listed, list):
        raise Unreadable("get_messages without a list of messages")
    return listed, type(omitted) is int and omitted > 0


def history(frame: Frame) -> Sequence[HistoryEntry]:
    """The entries of a `get_messages` reply, oldest first."""
    listed, _ = page(frame)
    entries = [history_entry(message) for message in listed]
    called = _called(listed)
    return [_with_arguments(entry, called) for entry in entries if entry is not None]


def history_entry(message: object) -> HistoryEntry | None:
    if not isinstance(message, dict):
        raise Unreadable("a message of the history is not an object")
    if _is_from_user(message):
        return _posted(message)
    said = _said(message)
    if isinstance(said, ApprovalAsked) and not _is_pending(message["content"].get("status")):
        return replace(said, open=False)
    if isinstance(said, TurnFailed) and said.unanswerable and not _is_pending(message["content"].get("status")):
        return None  # somebody answered it at the platform itself
    return said


def _called(listed: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """The arguments that `tool_call` messages tell of, by call."""
    contents = [message.get("content") for message in listed]
    calls = [content for content in contents if isinstance(content, dict) and content.get("type") == "tool_call"]
    found = {_word(call, "tool_call_id"): _arguments(call) for call in calls}
    return {call_id: arguments for call_id, arguments in found.items() if call_id and arguments is not None}


def _with_arguments(entry: HistoryEntry, called: dict[str, dict[str, Any]]) -> HistoryEntry:
    if isinstance(entry, ApprovalAsked) and entry.arguments is None:
        return replace(entry, arguments=called.get(entry.tool_call_id))
    return entry


def _status_changed(message: Frame) -> StatusChanged | None:
    known = status(_text(message, "status"))
    return StatusChanged(status=known) if known else None


def _notified(message: Frame) -> AgentEvent | None:
    # A user's own message is not notified by the protocol; from a server that does, it must not end a turn.
    return None if _is_from_user(message) else _said(message) or _done(message)


def _done(message: Frame) -> ToolUsed | Searched | None:
    """What the agent does meanwhile. A call that was denied was none."""
    content = message.get("content")
    if not isinstance(content, dict):
        return None
    match content.get("type"):
        case "tool_call" if str(content.get("status")).lower() != "denied" and (name := _word(content, "tool_name")):
            return ToolUsed(name=name[:MAX_WORD])
        case "search_message":
            return Searched(sources=tuple(dict.fromkeys(_hosts(content)))[:MAX_SOURCES])
        case _:
            return None


def _hosts(found: Any, depth: int = 0) -> Iterator[str]:
    """Of the addresses in it, however a platform words what it found."""
    if depth > MAX_SEARCH_DEPTH:
        return
    if isinstance(found, list):
        for one in found[:MAX_SOURCES]:
            yield from _hosts(one, depth + 1)
    elif isinstance(found, dict):
        for word, value in found.items():
            if word in ADDRESS and isinstance(value, str):
                yield from _host(value)
            elif isinstance(value, list | dict):
                yield from _hosts(value, depth + 1)


def _host(address: str) -> Iterator[str]:
    found = re.match(r"https?://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?=[:/?#]|$)", address)
    if found:
        yield found[1].lower()


def _said(message: Frame) -> Replied | ApprovalAsked | TurnFailed | None:
    content = message.get("content")
    if not isinstance(content, dict):
        return None
    match content.get("type"):
        case "data_type_message":
            return _replied(message, content)
        case "tool_call_approval":
            return _asked(message, content)
        case "error_message":
            return _failed(message, content)
        case "reauthorization_request":
            return _unauthorized(message, content)
        case _:
            return None


def _failed(message: Frame, content: Frame) -> TurnFailed:
    # Only a platform that keeps our key of a post says so; on any other a second post would be a second message.
    resumable = content.get("code") == INTERRUPTED and content.get("resumable") is True
    error = str(content.get("error") or "no reason given")
    return TurnFailed(message_id=_word(message, "id"), error=error, resumable=resumable)


def _unauthorized(message: Frame, content: Frame) -> TurnFailed:
    which = next((word for name in INTEGRATION if (word := _word(content, name))), "it does not say which")
    error = f"an integration must be authorised again at the agent platform: {which[:MAX_WORD]}"
    return TurnFailed(message_id=_word(message, "id"), error=error, reauthorize=True)


def _replied(message: Frame, content: Frame) -> Replied | None:
    if str(content.get("status")).lower() != "complete":  # the history may spell it in lower case
        return None
    value = content.get("value")
    text = "" if value is None else str(value)
    return Replied(message_id=_word(message, "id"), text=text, tokens=_tokens(content.get("usage")))


def _tokens(usage: object) -> int:
    """0 where the platform does not say, or says what cannot be."""
    counts = [usage.get(name) for name in ("input_tokens", "output_tokens")] if isinstance(usage, dict) else []
    return sum(count for count in counts if type(count) is int and 0 <= count <= MAX_TOKENS)


def _asked(message: Frame, content: Frame) -> ApprovalAsked | TurnFailed:
    message_id = _word(message, "id")
    if not message_id:
        return TurnFailed(message_id="", error=NO_ID, unanswerable=True)
    tool_id, call_id = _word(content, "tool_id"), _word(content, "tool_call_id")
    return ApprovalAsked(
        message_id=message_id,
        tool_call_id=call_id,
        tool_id=tool_id,
        tool_name=_word(content, "tool_name") or tool_id or call_id or NO_NAME,
        arguments=_arguments(content),
    )


def _arguments(content: Frame) -> dict[str, Any] | None:
    """None where they are not said, or in a form nobody knows: then the request says that it is not whole."""
    arguments = content.get("input")
    if isinstance(arguments, str):
        try:
            arguments = parsed(arguments)
        except ValueError:
            return None
    return arguments if isinstance(arguments, dict) else None


def _is_pending(status: object) -> bool:
    return isinstance(status, str) and status.lower() == "pending"


def _is_from_user(message: Frame) -> bool:
    sender = message.get("sender")
    return isinstance(sender, dict) and "user_id" in sender


def _posted(message: Frame) -> UserPosted | None:
    content = message.get("content")
    if isinstance(content, dict) and content.get("type_string") == "response_message":
        return None  # the answer to an approval request: not something said
    value = content.get("value") if isinstance(content, dict) else content
    if isinstance(value, str):
        return UserPosted(message_id=_word(message, "id"), text=value)
    return UserPosted(message_id=_word(message, "id"), text="", is_file=True)


def _word(frame: Frame, name: str) -> str:
    """Empty where it is not said."""
    value = frame.get(name)
    return value if isinstance(value, str) else ""


def _text(frame: Frame, name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise Unreadable(f"{name} is not a text in a frame")
    return value


def _object(frame: Frame, name: str) -> Frame:
    value = frame.get(name)
    if not isinstance(value, dict):
        raise Unreadable(f"{name} is not an object in a frame")
    return value
