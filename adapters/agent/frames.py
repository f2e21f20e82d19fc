"""The session protocol's frames, both directions: one JSON object per text frame.

Pure: no network, no clock, no asyncio. What is unknown reads as None; what is malformed raises `Unreadable`.
"""

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gateway.errors import Unreadable
from gateway.events import (
    AgentStatus,
    Answer,
    Confirm,
)

Frame = dict[str, Any]
Content = str | dict[str, Any]
PostType = Literal["post_message", "post_messages"]

INTERRUPTED = "interrupted"
MAX_DEPTH = 128  # of a JSON text: what follows goes down it step by step, and Python not much further than this


def encode(frame: Mapping[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> Frame:
    """Raises `Unreadable` unless the text is one JSON object with a `type`; its texts come cleaned."""
    try:
        frame = parsed(text)
    except ValueError as error:
        raise Unreadable(f"the frame is not JSON, or over {MAX_DEPTH} levels deep") from error
    if not isinstance(frame, dict):
        raise Unreadable("the frame is not a JSON object")
    if not isinstance(frame.get("type"), str):
        raise Unreadable("the frame has no type")
    cleaned: Frame = clean(frame)
    return cleaned


def parsed(text: str | bytes) -> Any:
    """What is JSON, and nothing else: Python also reads NaN, and 1e999 as infinity. Raises `ValueError`."""
    try:
        found = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not is_shallow(found, MAX_DEPTH):
        raise ValueError("it is nested too deeply")
    return found


def is_shallow(found: Any, most: int) -> bool:
    """Are there at most so many levels in it?"""
    level = [found]
    for _ in range(most):
        nested = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        if not nested:
            return True
        level = [inner for within in nested for inner in within]
    return False


def _finite(written: str) -> float:
    if not math.isfinite(number := float(written)):
        raise ValueError(f"{written[:20]} is no number of JSON")
    return number


def clean(value: Any) -> Any:
    """NUL and lone surrogates become U+FFFD: PostgreSQL stores neither."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


# --- client -> server --------------------------------------------------------------------------------------


def create_session(object_id: str, object_type: str = "agent") -> Frame:
    return {"type": "create_session", "object_type": object_type, "object_id": object_id}


def connect_session(session_id: str) -> Frame:
    return {"type": "connect_session", "session_id": session_id}


def post_message(
    session_id: str, content: Content, *, parent_message_id: str = "", client_message_id: str = ""
) -> Frame:
    frame: Frame = {"type": "post_message", "session_id": session_id, "content": content}
    if parent_message_id:
        frame["parent_message_id"] = parent_message_id
    if client_message_id:
        frame["client_message_id"] = client_message_id
    return frame


def post_messages(session_id: str, contents: Sequence[Content], *, client_message_id: str = "") -> Frame:
    frame: Frame = {"type": "post_messages", "session_id": session_id, "messages": list(contents)}
    if client_message_id:
        frame["client_message_id"] = client_message_id
    return frame


def approval_answer(session_id: str, request_message_id: str, answer: Answer) -> Frame:
    verdict: Frame = (
        {"confirm": answer.arguments} if isinstance(answer, Confirm) else {"deny": answer.reason or "No reason given."}
    )
    content = {"type_string": "response_message", "value": {"tool_call_approval": verdict}}
    return post_message(session_id, content, parent_message_id=request_message_id)


def file_content(data: bytes, *, name: str, mime_type: str) -> Frame:
    metadata = {"name": name, "mime_type": mime_type}
    return {
        "type_string": "file",
        "value": {"raw_bytes": base64.b64encode(data).decode(), "metadata": metadata},
    }


def get_messages(session_id: str, *, before: str | None = None) -> Frame:
    """`before` asks for the page before that message; empty: for the last page."""
    frame: Frame = {"type": "get_messages", "session_id": session_id}
    return frame if before is None else {**frame, "before": before}


def ping_session(session_id: str) -> Frame:
    return {"type": "ping_session", "session_id": session_id}


def disconnect_session(session_id: str) -> Frame:
    return {"type": "disconnect_session", "session_id": session_id}


def terminate_session(session_id: str) -> Frame:
    return {"type": "terminate_session", "session_id": session_id}


# --- server -> client --------------------------------------------------------------------------------------


def session_created(session_id: str) -> Frame:
    return {"type": "session_created", "session_id": session_id}


def connect_ack(session_id: str, *, status: AgentStatus | None = None, error: str = "") -> Frame:
    return _ack("connect_session", session_id, error, {"status": status} if status else {})


def post_ack(kind: PostType, session_id: str, *, message_ids: Sequence[str] = (), error: str = "") -> Frame:
    ids: Frame = {}
    if message_ids and not error:
        ids = {"message_id": message_ids[0]} if kind == "post_message" else {"message_ids": list(message_ids)}
    return _ack(kind, session_id, error, ids)


def end_ack(kind: Literal["disconnect_session", "terminate_session"], session_id: str) -> Frame:
    return _ack(kind, session_id, "", {})


def _ack(kind: str, session_id: str, error: str, extra: Mapping[str, Any]) -> Frame:
    frame: Frame = {"type": kind, "session_id": session_id, "success": not error, **extra}
    return {**frame, "error": error} if error else frame


def message_delta(session_id: str, message_id: str, index: int, value: str) -> Frame:
    return {
        "type": "message_delta",
        "session_id": session_id,
        "message_id": message_id,
        "index": index,
        "value": value,
    }


def message_notification(session_id: str, message: Mapping[str, Any]) -> Frame:
    return {"type": "message_notification", "session_id": session_id, "message": dict(message)}


def participant_status(session_id: str, status: AgentStatus) -> Frame:
    return {"type": "participant_status", "session_id": session_id, "message": {"status": status}}


def messages(session_id: str, listed: Sequence[Mapping[str, Any]], omitted: int = 0) -> Frame:
    """`omitted` is how many older ones there are."""
    frame: Frame = {"type": "get_messages", "session_id": session_id, "messages": list(listed)}
    return {**frame, "omitted": omitted} if omitted else frame


def pong(session_id: str) -> Frame:
    return {"type": "pong", "session_id": session_id}


def error(text: str, *, request_type: str = "", session_id: str = "") -> Frame:
    frame: Frame = {"type": "error", "error": text}
    if request_type:
        frame["request_type"] = request_type
    if session_id:
        frame["session_id"] = session_id
    return frame


def complete(text: str, usage: Mapping[str, int] | None = None) -> Frame:
    content: Frame = {"type": "data_type_message", "value": text, "status": "Complete"}
    return {**content, "usage": dict(usage)} if usage else content


def tool_call(
    tool_call_id: str,
    tool_id: str,
    tool_name: str,
    status: str,
    arguments: Mapping[str, Any],
    result: Any = None,
) -> Frame:
    content: Frame = {
        "type": "tool_call",
        "tool_name": tool_name,
        "tool_id": tool_id,
        "tool_call_id": tool_call_id,
        "status": status,
        "input": dict(arguments),
    }
    return content if result is None else {**content, "result": result}


def tool_result(tool_call_id: str, tool_name: str, result: Any) -> Frame:
    return {"type": "tool_result", "tool_call_id": tool_call_id, "tool_name": tool_name, "result": result}


def tool_call_approval(
    tool_call_id: str, tool_id: str, tool_name: str, arguments: Mapping[str, Any], why: str = ""
) -> Frame:
    content: Frame = {
        "type": "tool_call_approval",
        "tool_id": tool_id,
        "tool_name": tool_name,
        "tool_call_id": tool_call_id,
        "input": dict(arguments),
        "status": "pending",
    }
    return {**content, "metadata": {"why": why}} if why else content


def thinking(text: str) -> Frame:
    return {"type": "thinking", "content": text, "summary": ""}


def search_message(query: str, results: Any) -> Frame:
    return {"type": "search_message", "query": query, "results": results}


def error_message(text: str, *, interrupted: bool = False, resumable: bool = False) -> Frame:
    """`interrupted`: the server stopped or died. `resumable`: the same post, posted again, runs again."""
    content: Frame = {"type": "error_message", "error": text}
    return {**content, "code": INTERRUPTED, "resumable": resumable} if interrupted else content
