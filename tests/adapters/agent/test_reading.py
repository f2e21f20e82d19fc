import contextlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from adapters.agent import frames, reading
from gateway.errors import Unreadable
from gateway.events import (
    AgentStatus,
    ApprovalAsked,
    Confirm,
    Delta,
    Replied,
    Searched,
    StatusChanged,
    ToolUsed,
    TurnFailed,
    UserPosted,
)

USER = {"user_id": "u1"}
AGENT = {"object_id": "support", "object_type": "agent"}
ANSWERED = frames.approval_answer("s1", "m0", Confirm())["content"]
APPROVAL = frames.tool_call_approval("c1", "t1", "issue_refund", {"amount": 40})
ASKED = ApprovalAsked(
    message_id="m1", tool_call_id="c1", tool_id="t1", tool_name="issue_refund", arguments={"amount": 40}
)


def notified(content: Any, **more: Any) -> frames.Frame:
    return frames.message_notification("s1", {"id": "m1", "content": content, **more})


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (frames.message_delta("s1", "m1", 0, "He"), Delta(message_id="m1", text="He")),
        (notified(frames.complete("Done.")), Replied(message_id="m1", text="Done.")),
        (notified(APPROVAL), ASKED),
        (
            notified({"type": "tool_call_approval", "tool_name": "x"}),
            ApprovalAsked(message_id="m1", tool_call_id="", tool_id="", tool_name="x", arguments=None),
        ),
        (notified(frames.error_message("no model")), TurnFailed(message_id="m1", error="no model")),
        (
            notified(frames.error_message("stopped", interrupted=True, resumable=True)),
            TurnFailed(message_id="m1", error="stopped", resumable=True),
        ),
        (notified(frames.error_message("died", interrupted=True)), TurnFailed(message_id="m1", error="died")),
        (
            notified(frames.complete("Done.", {"input_tokens": 50, "output_tokens": 2})),
            Replied(message_id="m1", text="Done.", tokens=52),
        ),
        (frames.participant_status("s1", AgentStatus.IDLE), StatusChanged(status=AgentStatus.IDLE)),
        (
            notified(frames.tool_call("c1", "t1", "lookup_order", "in_progress", {"order_id": "A-1001"})),
            ToolUsed(name="lookup_order"),
        ),
        (
            notified(
                frames.search_message("kites", [{"url": "https://a.example/1"}, {"more": {"link": "http://B.example"}}])
            ),
            Searched(sources=("a.example", "b.example")),
        ),
        (
            notified(
                {"type": "search_message", "results": {"url": "javascript:x", "link": "https://<!x>", "source": 1}}
            ),
            Searched(sources=()),
        ),
    ],
)
def test_a_frame_that_matters_becomes_an_event(frame: frames.Frame, expected: object) -> None:
    assert reading.event(frame) == expected


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "pong"},
        {"type": "something_new"},
        {"type": "participant_status", "message": {"status": "Typing"}},
        notified({"type": "data_type_message", "value": "half", "status": "Streaming"}),
        notified(frames.thinking("hm")),
        notified({"type": "something_new"}),
        notified("plain"),
        notified(frames.complete("my own words"), sender=USER),
        notified(frames.tool_call("c1", "t1", "issue_refund", "denied", {})),
    ],
)
def test_what_says_nothing_about_the_turn_is_ignored(frame: frames.Frame) -> None:
    assert reading.event(frame) is None


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "message_delta", "message_id": "m1"},
        {"type": "message_delta", "message_id": 1, "value": "x"},
        {"type": "participant_status", "message": "Idle"},
        {"type": "message_notification"},
    ],
)
def test_a_malformed_frame_is_unreadable(frame: frames.Frame) -> None:
    with pytest.raises(Unreadable):
        reading.event(frame)


@pytest.mark.parametrize("message", [{}, {"id": None}, {"id": ""}, {"id": 7}])
def test_a_request_without_a_message_id_is_a_failure_since_nobody_can_answer_it(message: frames.Frame) -> None:
    failed = reading.event({"type": "message_notification", "message": {**message, "content": APPROVAL}})

    assert failed == TurnFailed(message_id="", error=reading.NO_ID, unanswerable=True)
    assert reading.history_entry({**message, "sender": AGENT, "content": APPROVAL}) == failed
    answered = {**APPROVAL, "status": "approved"}
    assert reading.history_entry({**message, "sender": AGENT, "content": answered}) is None


def test_a_reply_without_an_id_is_a_reply() -> None:
    frame = {"type": "message_notification", "message": {"content": frames.complete("x")}}

    assert reading.event(frame) == Replied(message_id="", text="x")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"amount": 40}, {"amount": 40}),
        ('{"amount": 40}', {"amount": 40}),
        ({}, {}),
        (None, None),
        ("all of it", None),
        ("[1]", None),
        ('{"amount": NaN}', None),
        ('{"amount": 1e999}', None),
        ([1], None),
        (7, None),
        ("[" * 100_000, None),
    ],
)
def test_arguments_in_a_form_nobody_knows_are_not_said(said: object, expected: object) -> None:
    asked = reading.event(notified({**APPROVAL, "input": said}))

    assert isinstance(asked, ApprovalAsked)
    assert asked.arguments == expected


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({}, "issue_refund"),
        ({"tool_name": ""}, "t1"),
        ({"tool_name": None}, "t1"),
        ({"tool_name": 7, "tool_id": None}, "c1"),
        ({"tool_name": "", "tool_id": "", "tool_call_id": ""}, reading.NO_NAME),
    ],
)
def test_a_tool_without_a_name_is_called_by_its_id(content: frames.Frame, name: str) -> None:
    asked = reading.event(notified({**APPROVAL, **content}))

    assert isinstance(asked, ApprovalAsked)
    assert asked.tool_name == name


def test_the_history_knows_the_arguments_of_a_request_from_its_call() -> None:
    bare = {"id": "m1", "sender": AGENT, "content": {**APPROVAL, "input": None}}
    call = {"id": "m2", "sender": AGENT, "content": frames.tool_call("c1", "t1", "issue_refund", "done", {"amount": 7})}
    other = {"id": "m3", "sender": AGENT, "content": frames.tool_call("c2", "t1", "issue_refund", "done", {})}

    (asked,) = reading.history({"messages": [bare, call, other]})
    (still_bare,) = reading.history({"messages": [bare, other]})

    assert isinstance(asked, ApprovalAsked)
    assert isinstance(still_bare, ApprovalAsked)
    assert (asked.arguments, still_bare.arguments) == ({"amount": 7}, None)


@pytest.mark.parametrize(
    ("content", "which"),
    [
        ({"integration_name": "Gmail"}, "Gmail"),
        ({"tool_id": "t1"}, "t1"),
        ({"x": 1}, "does not say"),
        ({"tool_id": "y" * 9999}, "y"),
    ],
)
def test_a_connection_to_renew_is_a_failure_that_names_it(content: frames.Frame, which: str) -> None:
    failed = reading.event(notified({"type": "reauthorization_request", **content}))

    assert isinstance(failed, TurnFailed)
    assert failed.reauthorize
    assert which in failed.error
    assert len(failed.error) < 400


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"id": "m1", "sender": USER, "content": "Hi"}, UserPosted(message_id="m1", text="Hi")),
        (
            {"id": "m1", "sender": USER, "content": {"type_string": "text/plain", "value": "Hi"}},
            UserPosted(message_id="m1", text="Hi"),
        ),
        (
            {"id": "m1", "sender": USER, "content": {"type_string": "file", "value": {"metadata": {}}}},
            UserPosted(message_id="m1", text="", is_file=True),
        ),
        ({"id": "m1", "sender": USER, "content": ANSWERED}, None),
        ({"id": "m1", "sender": AGENT, "content": frames.complete("Yes.")}, Replied(message_id="m1", text="Yes.")),
        (
            {"id": "m1", "sender": AGENT, "content": {**frames.complete("Yes."), "status": "complete"}},
            Replied(message_id="m1", text="Yes."),
        ),
        ({"id": "m1", "sender": AGENT, "content": APPROVAL}, ASKED),
        ({"id": "m1", "sender": AGENT, "content": frames.thinking("hm")}, None),
        ({"id": "m1", "sender": AGENT, "content": frames.error_message("x")}, TurnFailed(message_id="m1", error="x")),
    ],
)
def test_a_message_of_the_history_becomes_an_entry(message: frames.Frame, expected: object) -> None:
    assert reading.history_entry(message) == expected


def test_an_interruption_is_read_from_the_history_too() -> None:
    content = frames.error_message("stopped", interrupted=True, resumable=True)

    entry = reading.history_entry({"id": "m1", "sender": AGENT, "content": content})

    assert entry == TurnFailed(message_id="m1", error="stopped", resumable=True)


@pytest.mark.parametrize(("code", "resumable"), [(None, True), ("other", True), ("interrupted", "true"), (["x"], 1)])
def test_a_failure_is_resumable_only_where_it_says_so_plainly(code: object, resumable: object) -> None:
    failed = reading.event(notified({**frames.error_message("x"), "code": code, "resumable": resumable}))

    assert failed == TurnFailed(message_id="m1", error="x")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, 0),
        ("many", 0),
        ([1, 2], 0),
        ({}, 0),
        ({"input_tokens": 7}, 7),
        ({"input_tokens": "7", "output_tokens": 1.5}, 0),
        ({"input_tokens": True, "output_tokens": -3}, 0),
        ({"input_tokens": 10**30, "output_tokens": 2}, 2),
    ],
)
def test_tokens_that_make_no_sense_count_as_none(usage: object, tokens: int) -> None:
    replied = reading.event(notified({**frames.complete("x"), "usage": usage}))

    assert replied == Replied(message_id="m1", text="x", tokens=tokens)


@pytest.mark.parametrize("status", ["approved", "denied", "expired", None, 7])
def test_a_request_of_the_history_is_open_only_while_it_is_pending(status: object) -> None:
    entry = reading.history_entry({"id": "m1", "sender": AGENT, "content": {**APPROVAL, "status": status}})

    assert isinstance(entry, ApprovalAsked)
    assert not entry.open


@pytest.mark.parametrize("frame", [{}, {"messages": "x"}, {"messages": ["x"]}])
def test_a_malformed_history_is_unreadable(frame: frames.Frame) -> None:
    with pytest.raises(Unreadable):
        reading.history(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["id", "content", "type", "value", "status"]), inner)
    ),
    max_leaves=8,
)


@given(st.sampled_from(["message_delta", "message_notification", "participant_status"]), json_values, json_values)
def test_no_frame_makes_the_reader_fall_over(kind: str, message: object, value: object) -> None:
    with contextlib.suppress(Unreadable):
        reading.event({"type": kind, "message": message, "value": value, "message_id": value})
