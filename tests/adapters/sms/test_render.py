"""What goes out as a text."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.sms import render
from gateway.errors import WillNeverArrive
from gateway.events import ApprovalView, AskApproval, Identity, Outbound, Say, ShowOutcome, ThreadRef

ALICE = ThreadRef("sms", "+15005550199", "+15005550100")
VIEW = ApprovalView(
    id="apr_1",
    tool="issue_refund",
    arguments={},
    digest="d",
    requester=Identity(channel="sms", address="+15005550100"),
    asked_in="sms",
    agent="support",
    message="",
    required=1,
    approvers=("ana",),
    reason_required=False,
    expires_at=datetime(2026, 11, 21, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Order A-1001 is on its way.", "Order A-1001 is on its way."),
        ("  \npadded\n ", "padded"),
        ("a < b & c", "a < b & c"),
        ("x" * 1600, "x" * 1600),
        ("x" * 1601, "x" * 1599 + "…"),
    ],
)
def test_an_answer_is_sent_as_it_is_and_no_longer_than_twilio_takes(text: str, sent: str) -> None:
    assert render.text_for(Say(to=ALICE, text=text)) == sent


@settings(deadline=None)
@given(text=st.text(max_size=4000))
def test_no_answer_is_too_long(text: str) -> None:
    assert len(render.text_for(Say(to=ALICE, text=text))) <= 1600


@pytest.mark.parametrize(
    "message", [AskApproval(to=ALICE, approval=VIEW), ShowOutcome(to=ALICE, approval=replace(VIEW, id="apr_2"))]
)
def test_approvals_are_not_shown_by_text_yet(message: Outbound) -> None:
    with pytest.raises(WillNeverArrive):
        render.text_for(message)
