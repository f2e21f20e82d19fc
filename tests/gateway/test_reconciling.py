"""Where a session's history and our rows differ. Pure."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.events import AgentStatus, ApprovalAsked, HistoryEntry, UserPosted
from gateway.history import Post
from gateway.reconciling import Differences, compare
from gateway.store.tables import ApprovalRow

TURN = 7
POSTED, OTHER = UserPosted(message_id="u-1", text="refund"), UserPosted(message_id="u-2", text="kites")
IDLE, PROCESSING, AWAITING = AgentStatus.IDLE, AgentStatus.PROCESSING, AgentStatus.AWAITING_APPROVAL


def asked(name: str, *, is_open: bool = True) -> ApprovalAsked:
    return ApprovalAsked(
        message_id=name, tool_call_id="c", tool_id="t", tool_name="issue_refund", arguments={}, open=is_open
    )


def row(name: str, *, turn: int = TURN, state: str = "pending") -> ApprovalRow:
    values: dict[str, Any] = {"id": f"row-{name}", "request_message_id": name, "turn_id": turn, "state": state}
    return ApprovalRow(**values)


def between(
    entries: Sequence[HistoryEntry], *rows: ApprovalRow, status: AgentStatus | None = AWAITING, **more: Any
) -> Differences:
    what = Post(text="refund", key="turn-7", alike=0, first_try=False, **more)
    return compare(entries, status, what, rows, TURN)


def named(found: Differences) -> dict[str, list[str]]:
    """What differs, and how."""
    told = {
        "unknown": [one.message_id for one in found.unknown],
        "nobodys": list(found.nobodys),
        "forgotten": [one.request_message_id for one in found.forgotten],
    }
    return {what: names for what, names in told.items() if names}


@pytest.mark.parametrize("status", [None, AWAITING, IDLE, PROCESSING])
def test_what_both_say_is_no_difference(status: AgentStatus | None) -> None:
    assert named(between([POSTED, asked("a")], row("a"), status=status)) == {}


def test_an_open_request_of_the_turn_that_has_no_row_is_unknown() -> None:
    assert named(between([POSTED, asked("a"), asked("b")], row("a"))) == {"unknown": ["b"]}


def test_one_that_was_dealt_with_is_not_unknown() -> None:
    assert "unknown" not in named(between([POSTED, asked("a")], known=frozenset({"a"})))


@pytest.mark.parametrize(
    "entries", [[asked("x"), POSTED, asked("a")], [POSTED, asked("a"), OTHER, asked("x")], [OTHER, asked("x")]]
)
def test_an_open_request_outside_of_the_turn_is_nobodys(entries: Sequence[HistoryEntry]) -> None:
    assert named(between(entries, row("a")))["nobodys"] == ["x"]


def test_an_open_request_of_another_turn_of_ours_is_somebodys() -> None:
    assert named(between([asked("x"), POSTED, asked("a")], row("a"), row("x", turn=3))) == {}


@pytest.mark.parametrize("status", [None, AWAITING, IDLE, PROCESSING])
def test_a_request_that_the_history_shows_as_closed_is_forgotten(status: AgentStatus | None) -> None:
    assert named(between([POSTED, asked("a", is_open=False)], row("a"), status=status)) == {"forgotten": ["a"]}


@pytest.mark.parametrize(("status", "forgotten"), [(None, False), (AWAITING, False), (IDLE, True), (PROCESSING, True)])
def test_one_that_the_history_does_not_show_is_forgotten_where_the_platform_does_not_wait(
    status: AgentStatus | None, forgotten: bool
) -> None:
    assert named(between([POSTED], row("a"), status=status)) == ({"forgotten": ["a"]} if forgotten else {})


@pytest.mark.parametrize("status", [None, AWAITING, IDLE, PROCESSING])
def test_with_the_post_itself_its_requests_are_forgotten(status: AgentStatus | None) -> None:
    assert named(between([OTHER], row("a"), status=status)) == {"forgotten": ["a"]}


def test_what_is_decided_is_left_to_its_decision() -> None:
    assert named(between([POSTED], row("a", state="approved"), status=IDLE)) == {}
