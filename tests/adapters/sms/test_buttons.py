"""What a button on WhatsApp says when it is pressed, and which are ours."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from adapters.sandbox import twilio_templates
from adapters.sms import buttons
from gateway.approvals.opening import new_id
from gateway.digests import digest_of
from gateway.events import AskApproval, Outbound, Pressed, Remind, Say, ShowOutcome, ThreadRef, Verdict
from tests.adapters.sms.test_inbound import ALICE, read
from tests.adapters.sms.test_render import VIEW

VERDICTS = st.sampled_from(Verdict)


@pytest.mark.parametrize(
    ("written", "pressed"),
    [
        ("apr_01:approve", Pressed(approval_id="apr_01", verdict=Verdict.APPROVE)),
        ("apr_01:deny", Pressed(approval_id="apr_01", verdict=Verdict.DENY)),
        (
            "a-B_1:approve:0123456789abcdef",
            Pressed(approval_id="a-B_1", verdict=Verdict.APPROVE, digest="0123456789abcdef"),
        ),
    ],
)
def test_a_button_of_ours_names_request_verdict_and_what_was_shown(written: str, pressed: Pressed) -> None:
    message = read(From=f"whatsapp:{ALICE}", Body="Approve", ButtonText="Approve", ButtonPayload=written)

    assert message.pressed == pressed
    assert message.text == "Approve"


@pytest.mark.parametrize(
    "written",
    [
        "", "approve", "YES", "track_order", "apr_01:", "apr_01:approved", "apr_01:APPROVE", "apr_01:approve:",
        ":approve", "apr_01:approve:xyz", "apr_01:approve:0123", "apr_01 :approve", "apr_01:approve\n", "ä:approve",
        "a:b:approve", "apr_01:approve:" + "0" * 65, "a" * 65 + ":approve",
    ],
)  # fmt: skip
def test_any_other_button_is_a_message_with_its_words(written: str) -> None:
    message = read(From=f"whatsapp:{ALICE}", Body="Track my order", ButtonPayload=written)

    assert message.pressed is None
    assert message.text == "Track my order"


@pytest.mark.parametrize("address", [ALICE, f"rcs:{ALICE}"])
def test_only_on_whatsapp_have_we_buttons(address: str) -> None:
    assert read(From=address, Body="Approve", ButtonPayload="apr_01:approve:0123456789abcdef").pressed is None


@given(verdict=VERDICTS, amount=st.integers())
def test_what_we_put_on_a_button_is_what_we_read(verdict: Verdict, amount: int) -> None:
    asked = replace(VIEW, id=new_id(), digest=digest_of("issue_refund", {"amount": amount}))

    pressed = buttons.read(buttons.payload(asked, verdict))

    assert pressed is not None
    assert (pressed.approval_id, pressed.verdict) == (asked.id, verdict)
    assert asked.digest.startswith(pressed.digest)
    assert len(pressed.digest) == buttons.SHOWN


@given(st.text())
def test_nothing_that_comes_breaks_the_reading(written: str) -> None:
    pressed = buttons.read(written)

    assert pressed is None or written.startswith(f"{pressed.approval_id}:{pressed.verdict.value}")


# --- with a request ----------------------------------------------------------------------------------------

ANA = ThreadRef("sms", "", "whatsapp:+15005550177")
ASKED = replace(VIEW, arguments={"amount": 40, "order_id": "A-1001"}, digest=digest_of("issue_refund", {"amount": 40}))
ASK = AskApproval(to=ANA, approval=ASKED, code_for="sms:whatsapp:+15005550177", code_n=1, code="482913")


def changed(**words: Any) -> AskApproval:
    return replace(ASK, approval=replace(ASKED, **words))


def test_a_request_fills_the_template_with_its_words_and_two_buttons() -> None:
    assert buttons.variables(ASK) == {
        "1": "issue_refund: amount=40, order_id=A-1001 Expires 21 Nov 00:00 UTC.",
        "2": f"apr_1:approve:{ASKED.digest[:16]}",
        "3": f"apr_1:deny:{ASKED.digest[:16]}",
    }


def test_a_reminder_brings_the_buttons_again() -> None:
    filled = buttons.variables(Remind(to=ANA, approval=ASKED, code="482913"))

    assert filled is not None
    assert filled["1"].startswith("Reminder: issue_refund: ")


@pytest.mark.parametrize(
    "message",
    [
        replace(ASK, code="", code_n=0),
        changed(arguments=None),
        changed(arguments={"amount": 40, "iban": "(hidden)"}, hidden=("iban",)),
        changed(arguments={"reason": "it broke " * 30}),
        changed(arguments={"reason": "it broke " * 200}),
        changed(reason_required=True),
        changed(destructive=True),
        changed(arguments={"reason": "so     wide"}),
        changed(arguments={"reason": "{{2}}"}),
        changed(arguments={"reason": "next\u2028line"}),
        ShowOutcome(to=ANA, approval=ASKED),
        Say(to=ANA, text="Hello"),
    ],
    ids=[
        "not theirs to approve here", "unknown arguments", "a hidden argument", "more than a variable holds",
        "more than a text holds", "a denial needs a reason", "asked once more", "white space", "a variable in it",
        "another line", "an outcome", "words",
    ],
)  # fmt: skip
def test_what_a_press_should_not_decide_goes_out_in_words(message: Outbound) -> None:
    assert buttons.variables(message) is None


@given(arguments=st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=4))
def test_twilio_takes_whatever_a_template_is_filled_with(arguments: dict[str, str]) -> None:
    filled = buttons.variables(changed(arguments=arguments))

    if filled is not None:
        fields = {"ContentSid": twilio_templates.SID, "ContentVariables": json.dumps(filled)}
        assert twilio_templates.refusal(fields) is None
        assert twilio_templates.shown(fields)[0].count(filled["1"]) == 1
