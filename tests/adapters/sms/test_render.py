"""What goes out as a text."""

import json
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sms import render, segments
from gateway.events import (
    ApprovalState,
    ApprovalView,
    AskApproval,
    AskSeen,
    Identity,
    Remind,
    Say,
    ShowOutcome,
    ThreadRef,
)

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


# --- approvals ---------------------------------------------------------------------------------------------

REFUND = replace(VIEW, arguments={"order_id": "A-1001", "amount": 40})
AT = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)


def asking(view: ApprovalView) -> str:
    return render.text_for(AskApproval(to=ALICE, approval=view, code="482913"))


def test_a_request_says_what_it_is_and_how_to_decide_in_one_segment() -> None:
    text = asking(replace(REFUND, expires_at=AT))

    assert text == (
        "issue_refund: amount=40, order_id=A-1001\nReply YES 482913 to approve or NO 482913. Expires 21 Nov 14:30 UTC."
    )
    assert segments.count(text) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"amount": 40, "order_id": "A-1001", "reason": "arrived broken"},
        {"order_id": "A-1001", "reason": "the customer changed their mind", "amount": 1250.5},
        {"customer": "J. Smith", "currency": "EUR", "amount": 40},
        {"new_address": "5 Main St., Springfield"},
        {},
    ],
)
def test_an_ordinary_request_is_one_segment_without_a_link(arguments: dict[str, Any]) -> None:
    text = asking(replace(VIEW, arguments=arguments, expires_at=AT))

    assert segments.count(text) == 1
    assert "://" not in text
    assert "www." not in text
    assert all(str(value) in text for value in arguments.values())
    assert text.startswith("issue_refund: amount=" if "amount" in arguments else "issue_refund: ")


def test_a_request_that_just_fits_one_segment_loses_its_fine_words_first() -> None:
    text = asking(replace(REFUND, arguments={"note": "x" * 85}))

    assert "YES 482913 or NO 482913?" in text
    assert segments.count(text) == 1


def test_a_reminder_brings_a_new_code_and_what_it_is_about() -> None:
    text = render.text_for(Remind(to=ALICE, approval=REFUND, code="111111"))

    assert text.startswith("Reminder: issue_refund: amount=40, order_id=A-1001\n")
    assert "YES 111111" in text


def test_a_request_that_was_changed_says_so() -> None:
    changed = replace(REFUND, difference=("amount: 40 -> 35",))

    assert render.text_for(Remind(to=ALICE, approval=changed, code="1")).startswith("Changed: issue_refund: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"arguments": {"note": "x" * 500}},
        {"arguments": None},
        {"arguments": {"iban": "(hidden here)"}, "hidden": ("iban",)},
    ],
    ids=["too long", "never told", "hidden"],
)
def test_what_is_not_shown_whole_can_only_be_denied(changes: dict[str, Any]) -> None:
    view = replace(VIEW, **changes)

    assert not render.shows_whole(view)
    assert "YES" not in asking(view)
    assert "NO 482913" in asking(view)
    assert "YES 482913" in asking(replace(view, approve_unseen=True)), "the policy may say otherwise"


def test_the_longest_request_is_shown_whole_in_a_reminder_too() -> None:
    view = replace(VIEW, arguments={"note": "x" * (render.MAX_REQUEST - len("issue_refund: note="))})

    assert render.shows_whole(view)
    assert "x" * 461 in render.text_for(Remind(to=ALICE, approval=view, code="1"))


def test_a_late_answer_is_told_so_before_the_request_comes_again() -> None:
    text = render.text_for(Remind(to=ALICE, approval=REFUND, code="111111", late=True))

    assert text.startswith("That code ran out and decided nothing.\nissue_refund: amount=40, order_id=A-1001\n")
    assert "YES 111111" in text


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [
        (("slack", "api"), "It cannot be decided by text. Decide it in Slack or with gateway approvals. Expires "),
        (("slack",), "It cannot be decided by text. Decide it in Slack. Expires "),
        ((), "It cannot be decided by text. Expires "),
    ],
)
@pytest.mark.parametrize("kind", [AskApproval, Remind])
def test_without_a_code_a_text_says_where_to_decide_instead(
    kind: type[AskApproval | Remind], elsewhere: tuple[str, ...], said: str
) -> None:
    text = render.text_for(kind(to=ALICE, approval=REFUND, elsewhere=elsewhere))

    assert "issue_refund: amount=40, order_id=A-1001\n" + said in text
    assert "YES" not in text
    assert "NO " not in text
    assert segments.count(text) == 1


def test_what_can_be_neither_approved_nor_denied_by_text_says_where_it_can() -> None:
    view = replace(VIEW, arguments={"note": "x" * 500}, reason_required=True)
    text = render.text_for(AskApproval(to=ALICE, approval=view, code="482913", elsewhere=("slack",)))

    assert "it cannot be decided by text. Decide it in Slack." in text
    assert "482913" not in text


def test_a_test_message_says_how_to_answer_it() -> None:
    text = render.text_for(AskSeen(to=ALICE, check_id=1, code="482913"))

    assert "decides nothing. Please reply YES 482913" in text
    assert segments.count(text) == 1


def test_where_a_denial_needs_a_reason_a_text_offers_none() -> None:
    text = asking(replace(REFUND, reason_required=True))

    assert "YES 482913" in text
    assert "NO 482913" not in text


@pytest.mark.parametrize("note", ["thanks, amount=1", "thanks=1", '"', " x"])
def test_an_argument_cannot_pass_for_another_one(note: str) -> None:
    text = asking(replace(VIEW, arguments={"note": note, "amount": 900}))

    assert f"amount=900, note={json.dumps(note)}\n" in text


@settings(deadline=None)
@given(value=st.text(max_size=600), tool=st.text(min_size=1, max_size=600))
def test_no_request_is_too_long_or_hides_what_it_says(value: str, tool: str) -> None:
    text = asking(replace(VIEW, tool=tool, arguments={"note": value}))

    assert len(text) <= render.MAX_CHARS
    assert not [one for one in text if unicodedata.category(one)[0] == "C" and one != "\n"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "approved", "decided_by": "ana, ben"}, "issue_refund: approved by ana, ben."),
        ({"state": "denied", "decided_by": "ana", "reason": "for her eyes"}, "issue_refund: denied by ana."),
        ({"state": "expired", "reason": "nobody decided"}, "issue_refund: not decided: nobody decided."),
        ({"state": "cancelled", "reason": "a fault"}, "issue_refund: withdrawn."),
        ({}, "issue_refund: still open."),
    ],
)
def test_what_became_of_it_is_one_short_text(changes: dict[str, Any], said: str) -> None:
    view = replace(REFUND, **{**changes, "state": ApprovalState(changes.get("state", "pending"))})

    assert render.text_for(ShowOutcome(to=ALICE, approval=view)) == said


@pytest.mark.parametrize(
    ("text", "many"),
    [
        ("", 1),
        ("x" * 160, 1),
        ("x" * 161, 2),
        ("x" * 306, 2),
        ("x" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("’" + "x" * 69, 1),
        ("’" + "x" * 70, 2),
        ("\U0001f44d" * 35, 1),
        ("\U0001f44d" * 36, 2),
        ("a_b\n@ç", 1),
        ("ç" * 161, 3),
    ],
)
def test_segments_are_counted_as_carriers_do(text: str, many: int) -> None:
    assert segments.count(text) == many
