"""What the store hands out, as frozen values, and the wire form of a message. Pure."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from adapters.agent.frames import Content, Frame
from gateway.events import AgentStatus


def now() -> datetime:
    return datetime.now(UTC)


def tenant_of(key: str) -> str:
    """Whose sessions and agents a key's holder may see: its digest."""
    return hashlib.sha256(key.encode()).hexdigest()


def new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(12)}"


class CallState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"  #: it began and nobody knows how it ended: never run again


class PostState(StrEnum):
    WAITING = "waiting"
    TAKEN = "taken"  #: its turn runs, or is parked
    INTERRUPTED = "interrupted"  #: its turn was, before any tool ran: posted again, it runs again
    DONE = "done"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """`last` is the place of its newest message."""

    id: str
    agent: str
    status: AgentStatus
    last: int


@dataclass(frozen=True, slots=True)
class News:
    """What the agent's messages after some place are, the place of the newest, and how the session is."""

    messages: Sequence[Frame]
    last: int
    status: AgentStatus


@dataclass(frozen=True, slots=True)
class AnsweredCall:
    """`arguments` is set when it was approved: all of them, as they will run."""

    tool_call_id: str
    tool_name: str
    arguments: Mapping[str, Any] | None
    reason: str


@dataclass(frozen=True, slots=True)
class MadeCall:
    """A call of a turn and what it came to. `arguments` are those it ran with, or would have."""

    tool_call_id: str
    tool_name: str
    arguments: Mapping[str, Any]
    state: CallState
    result: Any
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn this server has just claimed: a new one (with `contents`) or one that goes on (with `answered`).

    `after` is the place of the session's newest message before it.
    """

    session_id: str
    agent: str
    id: str
    index: int
    text: str
    history: bytes | None
    after: int = 0
    contents: tuple[Content, ...] = ()
    answered: tuple[AnsweredCall, ...] = ()


def message(row: Mapping[str, Any]) -> Frame:
    """A row of the messages as it goes over the wire."""
    wire: Frame = {
        "id": row["id"],
        "session_id": row["session_id"],
        "sender": row["sender"],
        "content": row["content"],
        "created_at": row["created_at"].isoformat(),
    }
    if row["parent_message_id"]:
        wire["parent_message_id"] = row["parent_message_id"]
    return wire


def in_history(message: Frame) -> Frame:
    """As `get_messages` tells it: the published SDK reads no history in which a content is a bare text.

    What a user said has no status, so that nobody takes it for the agent's Complete.
    """
    content = message["content"]
    if isinstance(content, dict) and "user_id" in message["sender"]:
        content = {word: value for word, value in content.items() if word != "status"}
        message = {**message, "content": content}
    if isinstance(content, str):
        return {**message, "content": {"type": "data_type_message", "value": content}}
    if isinstance(content.get("value"), str) and "type" not in content:
        return {**message, "content": {"type": "data_type_message", **content}}
    return message


def without_bytes(content: Content) -> Content:
    """A history never repeats the bytes of files: some clients drop frames over 4 MiB."""
    if isinstance(content, str) or content.get("type_string") != "file":
        return content
    value = content.get("value")
    metadata = value.get("metadata", {}) if isinstance(value, dict) else {}
    return {"type_string": "file", "value": {"metadata": metadata}}
