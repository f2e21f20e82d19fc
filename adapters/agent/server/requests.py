"""What clients ask in frames, checked. Pure. Raises `Unreadable` with what to tell the client."""

from collections.abc import Sequence

from adapters.agent.frames import Content, Frame
from adapters.agent.server import attachments
from gateway.errors import Unreadable
from gateway.events import Answer, Confirm, Deny

DEFAULT_DENIAL = "User denied tool call."
MAX_CLIENT_ID_CHARS = 200


def session_id(frame: Frame) -> str:
    value = frame.get("session_id")
    if not isinstance(value, str) or not value:
        raise Unreadable("session_id is missing")
    return value


def contents(frame: Frame) -> Sequence[Content]:
    """The contents of a `post_message` or a `post_messages`, at least one."""
    listed = frame.get("messages") if frame["type"] == "post_messages" else [frame.get("content")]
    if not isinstance(listed, list) or not listed:
        raise Unreadable("messages must be a list with something in it")
    for content in listed:
        if not isinstance(content, str | dict):
            raise Unreadable("content must be a text or an object")
        if isinstance(content, dict) and not isinstance(content.get("type_string"), str):
            raise Unreadable("content without a type_string")
    return [_with_file_checked(content) for content in listed]


def _with_file_checked(content: Content) -> Content:
    if isinstance(content, str) or content["type_string"] != "file":
        return content
    return attachments.checked(content)


def client_message_id(frame: Frame) -> str | None:
    value = frame.get("client_message_id")
    if value is None:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CLIENT_ID_CHARS:
        raise Unreadable(f"client_message_id must be a text of at most {MAX_CLIENT_ID_CHARS} characters")
    return value


def before(frame: Frame) -> str | None:
    """The message before which a page of the history ends; empty: the last page. None: the client reads no pages."""
    value = frame.get("before")
    if value is not None and not isinstance(value, str):
        raise Unreadable("before must be a text, the id of a message")
    return value


def answer(frame: Frame) -> tuple[str | None, Answer] | None:
    """(request message id, answer); None when the frame is an ordinary post."""
    content = frame.get("content")
    if not isinstance(content, dict) or content.get("type_string") != "response_message":
        return None
    value = content.get("value")
    verdict = value.get("tool_call_approval") if isinstance(value, dict) else None
    if not isinstance(verdict, dict):
        raise Unreadable("a response_message without tool_call_approval")
    parent = frame.get("parent_message_id")
    if parent is not None and not isinstance(parent, str):
        raise Unreadable("parent_message_id must be a text")
    return parent or None, _verdict(verdict)


def _verdict(verdict: Frame) -> Answer:
    match verdict:
        case {"confirm": dict(changed), **rest} if "deny" not in rest:
            return Confirm(arguments=changed)
        case {"deny": reason, **rest} if "confirm" not in rest and isinstance(reason, str | None):
            return Deny(reason=reason or DEFAULT_DENIAL)
    raise Unreadable("tool_call_approval must hold either confirm (an object) or deny (a text)")
