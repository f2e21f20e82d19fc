"""What the policy hides: no value of it is in anything that goes out, whatever the argument is called."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings, strategies as st

from adapters.slack import forms, render as slack
from adapters.sms import render as sms
from gateway import sentences
from gateway.approvals.views import for_surfaces
from gateway.events import (
    ApprovalState,
    ApprovalView,
    AskApproval,
    Identity,
    Remind,
    ShowOutcome,
    ThreadRef,
    outbounds,
)
from gateway.ports import Decision

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
OPS = ThreadRef("slack", "", "C0OPS")
BEFORE, AFTER = "s3cret-before", "s3cret-after"
NAMES = st.text(alphabet="ab:.-> \n\"'", min_size=1, max_size=8)
SECRETS = (
    lambda mark: mark,
    lambda mark: [mark],
    lambda mark: {"deep": {mark: mark}},
    lambda mark: f"{mark}\n: {mark}",
)

VIEW = ApprovalView(
    id="a-request",
    tool="issue_refund",
    arguments={},
    digest="0" * 64,
    requester=Identity(channel="sms", address="+15550001111"),
    asked_in="sms",
    agent="support",
    message="please",
    required=1,
    approvers=("ana",),
    reason_required=False,
    expires_at=NOW,
    decided_by="ana",
    decided_at=NOW,
)


def all_that_goes_out(asked: ApprovalView) -> str:
    """On every surface, in every state of the request, and what is kept to be sent."""
    found: list[Any] = [forms.deny(asked), sentences.outcome(asked)]
    for state in ApprovalState:
        view = replace(asked, state=state)
        found += [sentences.answer(Decision(result="already", approval=view)), sentences.outcome(view)]
        for out in (
            AskApproval(to=OPS, approval=view),
            Remind(to=OPS, approval=view),
            ShowOutcome(to=OPS, approval=view),
        ):
            found += [slack.message(out), sms.text_for(out), outbounds.dump_json(out).decode()]
    return json.dumps(found, ensure_ascii=False)


@settings(deadline=None, max_examples=100)
@given(
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    hides=st.integers(1, 4),
    kind=st.sampled_from(SECRETS),
    seen=st.sampled_from(["40", 40, None]),
)
@example(names=["card: number", "card"], hides=1, kind=SECRETS[0], seen=40)
def test_no_value_of_a_hidden_argument_is_in_anything_that_goes_out(
    names: list[str], hides: int, kind: Any, seen: Any
) -> None:
    hidden = tuple(names[:hides])
    first = {name: kind(BEFORE) if name in hidden else 1 for name in names}
    now = {name: kind(AFTER) if name in hidden else seen for name in names}

    asked = for_surfaces(replace(VIEW, arguments=now, hidden=hidden, input_schema={"const": AFTER}), first)

    out = all_that_goes_out(asked)
    assert BEFORE not in out
    assert AFTER not in out
    assert len(asked.difference) == len(names), "that it was changed is said, without the value"
