"""What a button on WhatsApp says when it is pressed, and which are ours."""

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from adapters.sms import buttons
from gateway.approvals.opening import new_id
from gateway.digests import digest_of
from gateway.events import Pressed, Verdict
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
