import json

import pytest

from adapters.agent import frames
from gateway.errors import Unreadable
from gateway.events import AgentStatus, Confirm, Deny

NO_NUMBERS = [f'{{"type": "x", "value": {one}}}' for one in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999")]


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (frames.create_session("support"), {"type": "create_session", "object_type": "agent", "object_id": "support"}),
        (frames.connect_session("s1"), {"type": "connect_session", "session_id": "s1"}),
        (
            frames.post_message("s1", "Hi", client_message_id="c1"),
            {"type": "post_message", "session_id": "s1", "content": "Hi", "client_message_id": "c1"},
        ),
        (frames.post_message("s1", "Hi"), {"type": "post_message", "session_id": "s1", "content": "Hi"}),
        (
            frames.post_messages("s1", ["a", "b"]),
            {"type": "post_messages", "session_id": "s1", "messages": ["a", "b"]},
        ),
        (frames.get_messages("s1"), {"type": "get_messages", "session_id": "s1"}),
        (frames.ping_session("s1"), {"type": "ping_session", "session_id": "s1"}),
        (frames.disconnect_session("s1"), {"type": "disconnect_session", "session_id": "s1"}),
        (frames.terminate_session("s1"), {"type": "terminate_session", "session_id": "s1"}),
        (frames.session_created("s1"), {"type": "session_created", "session_id": "s1"}),
        (
            frames.connect_ack("s1", status=AgentStatus.IDLE),
            {"type": "connect_session", "session_id": "s1", "success": True, "status": "Idle"},
        ),
        (
            frames.connect_ack("s1", error="unknown session"),
            {"type": "connect_session", "session_id": "s1", "success": False, "error": "unknown session"},
        ),
        (
            frames.post_ack("post_message", "s1", message_ids=["m1"]),
            {"type": "post_message", "session_id": "s1", "success": True, "message_id": "m1"},
        ),
        (
            frames.post_ack("post_messages", "s1", message_ids=["m1", "m2"]),
            {"type": "post_messages", "session_id": "s1", "success": True, "message_ids": ["m1", "m2"]},
        ),
        (
            frames.participant_status("s1", AgentStatus.AWAITING_APPROVAL),
            {"type": "participant_status", "session_id": "s1", "message": {"status": "AwaitingApproval"}},
        ),
        (frames.complete("Done."), {"type": "data_type_message", "value": "Done.", "status": "Complete"}),
        (
            frames.tool_call_approval("c1", "t1", "issue_refund", {"amount": 40}),
            {
                "type": "tool_call_approval",
                "tool_id": "t1",
                "tool_name": "issue_refund",
                "tool_call_id": "c1",
                "input": {"amount": 40},
                "status": "pending",
            },
        ),
        (frames.error("no", request_type="x"), {"type": "error", "error": "no", "request_type": "x"}),
        (frames.pong("s1"), {"type": "pong", "session_id": "s1"}),
    ],
)
def test_a_frame_reads_on_the_wire_as_the_protocol_says(built: frames.Frame, expected: frames.Frame) -> None:
    assert json.loads(frames.encode(built)) == expected


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (Confirm(), {"confirm": {}}),
        (Confirm(arguments={"amount": 30}), {"confirm": {"amount": 30}}),
        (Deny(reason="Too late"), {"deny": "Too late"}),
    ],
)
def test_an_answer_names_the_request_it_answers(answer: Confirm | Deny, verdict: frames.Frame) -> None:
    built = frames.approval_answer("s1", "m1", answer)

    assert built["parent_message_id"] == "m1"
    assert built["content"] == {"type_string": "response_message", "value": {"tool_call_approval": verdict}}


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "{}", '{"type": 1}', "[" * 100_000, *NO_NUMBERS])
def test_what_is_not_a_frame_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        frames.decode(text)


def test_what_a_database_cannot_store_is_replaced() -> None:
    frame = frames.decode('{"type": "x", "content": {"a\\u0000": ["b\\ud800c", 1, null]}}')

    assert frame["content"]["a\ufffd"][1:] == [1, None]
    assert "\ud800" not in frame["content"]["a\ufffd"][0]
