"""What people see in Slack: nothing in it is live, nothing is hidden, and Slack takes it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sandbox.blocks import check_blocks, check_view
from adapters.slack import card, forms, parts, render, trial
from gateway import sentences
from gateway.events import (
    ApprovalState,
    ApprovalView,
    AskApproval,
    AskSeen,
    Identity,
    Proof,
    Remind,
    Say,
    ShowOutcome,
    ThreadRef,
)
from gateway.ports import Decision

OPS = ThreadRef("slack", "", "C0OPS")
BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"
ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
CONTROL = "\x00\x07\x08\x1b\x7f\x85\r"
LINES = "\u2028\u2029"

VIEW = ApprovalView(
    id="apr_4f6c",
    tool="issue_refund",
    arguments={"order_id": "A-1001", "amount": 40},
    digest="0123456789abcdef" * 4,
    requester=Identity(channel="sms", address="+15550001111", name="Alice", proof=Proof.CARRIER),
    asked_in="sms",
    agent="support",
    message="Please refund order A-1001, $40.",
    required=1,
    approvers=("ana",),
    reason_required=False,
    expires_at=datetime(2026, 11, 21, 14, 30, tzinfo=UTC),
)


def card_of(view: ApprovalView) -> dict[str, Any]:
    return render.message(AskApproval(to=OPS, approval=view))


def outcome_card(view: ApprovalView) -> dict[str, Any]:
    return render.message(ShowOutcome(to=OPS, approval=view))


def strings(node: Any) -> Iterator[str]:
    """Every string that is in it, names and values."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield name
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def shown(node: Any) -> list[str]:
    """What a person reads in it."""
    if isinstance(node, list):
        return [text for one in node for text in shown(one)]
    if not isinstance(node, dict):
        return []
    own = [node["text"]] if isinstance(node.get("text"), str) else []
    return own + [text for value in node.values() for text in shown(value)]


def kinds(node: Any) -> set[str]:
    if isinstance(node, list):
        return {kind for one in node for kind in kinds(one)}
    if not isinstance(node, dict):
        return set()
    return {str(node.get("type"))} | {kind for value in node.values() for kind in kinds(value)}


def buttons(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [one for block in message["blocks"] if block["type"] == "actions" for one in block["elements"]]
    return {button["action_id"]: button for button in found}


# --- text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("plain", "plain"),
        ("a & b < c > d", "a &amp; b &lt; c &gt; d"),
        (
            "<!channel> <!here> <@U0ANA> <!subteam^S1>",
            "&lt;!channel&gt; &lt;!here&gt; &lt;@U0ANA&gt; &lt;!subteam^S1&gt;",
        ),
        ("&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"),
        ("<https://evil.example|https://bank.example>", "&lt;https://evil.example|https://bank.example&gt;"),
        ("*bold* _it_ `code`", "*bold* _it_ `code`"),
        ("\n padded \n", "padded"),
    ],
)
def test_a_notification_of_an_answer_is_text_alone(text: str, sent: str) -> None:
    assert render.message(Say(to=OPS, text=text))["text"] == sent


hostile = st.text(
    alphabet=st.sampled_from([*"<>!@&;#|abc \n*`", *BIDI, *ZERO_WIDTH]) | st.characters(), max_size=60
) | st.sampled_from(["<!channel>", "<!here|x>", "<@U0ANA>", "&lt;!channel&gt;", "<https://a|b>", "<!subteam^S1>"])


@settings(deadline=None)
@given(text=hostile)
def test_nothing_in_an_answer_is_live(text: str) -> None:
    sent = render.message(Say(to=OPS, text=text))["text"]

    assert "<" not in sent
    assert ">" not in sent
    assert re.sub(r"&(amp|lt|gt);", "", sent).count("&") == 0


@settings(deadline=None)
@given(text=hostile, state=st.sampled_from(ApprovalState))
def test_nothing_in_a_card_is_parsed_or_hidden(text: str, state: ApprovalState) -> None:
    view = replace(
        VIEW,
        tool=f"t{text}",
        arguments={text: text, "list": [text]},
        message=text,
        requester=replace(VIEW.requester, name=text, address=text),
        approvers=(text,),
        decided_by=text,
        reason=text,
        state=state,
    )

    for message in (card_of(view), outcome_card(view)):
        assert "<" not in message["text"]
        assert "mrkdwn" not in kinds(message["blocks"])
        assert not kinds(message["blocks"]) & {"link", "user", "usergroup", "broadcast", "markdown"}
        for line in shown(message["blocks"]):
            assert not set(line) & set(BIDI + ZERO_WIDTH + CONTROL + LINES)


@pytest.mark.parametrize("hidden", [*BIDI, *ZERO_WIDTH, *CONTROL, *LINES, "\ud800", "\U000e0041"])
def test_what_would_hide_or_reorder_is_spelled_out(hidden: str) -> None:
    assert parts.visible(f"a{hidden}b") == f"a\\u{ord(hidden):04x}b"


@pytest.mark.parametrize("text", ["plain", "two\nlines\tand a tab", "çé 漢字 العربية 👍", "back\\slash"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert parts.visible(text) == text


# --- the card ----------------------------------------------------------------------------------------------


def test_a_card_says_who_wants_what_and_who_may_decide() -> None:
    message = card_of(VIEW)
    read = "\n".join(shown(message["blocks"]))

    assert message["text"] == "Approve issue_refund?"
    for part in (
        "Approve issue_refund?",
        "Alice, +15550001111 on sms (as the carrier says), through the agent support",
        "Please refund order A-1001, $40.",
        "order_id: A-1001\namount: 40",
        "Needs 1 of: ana. Expires 21 Nov 14:30 UTC. Digest 0123456789ab",
    ):
        assert part in read
    assert [*buttons(message)] == [card.APPROVE, card.DENY, card.OPEN]


@pytest.mark.parametrize(
    ("proof", "words"),
    [(Proof.PLATFORM, "signed in there"), (Proof.CARRIER, "as the carrier says"), (Proof.NONE, "not proven")],
)
def test_a_card_says_how_far_the_asker_is_proven(proof: Proof, words: str) -> None:
    view = replace(VIEW, requester=replace(VIEW.requester, proof=proof, name=""))

    assert any(f"+15550001111 on sms ({words})" in line for line in shown(card_of(view)["blocks"]))


def test_a_long_name_does_not_push_its_proof_out_of_sight() -> None:
    view = replace(VIEW, requester=replace(VIEW.requester, name="Ana (signed in there) " * 100))

    assert any("…, +15550001111 on sms (as the carrier says)" in line for line in shown(card_of(view)["blocks"]))


def test_times_are_told_in_utc() -> None:
    view = replace(VIEW, expires_at=datetime(2026, 11, 21, 14, 30, tzinfo=timezone(timedelta(hours=-5))))

    assert any("Expires 21 Nov 19:30 UTC" in line for line in shown(card_of(view)["blocks"]))


def test_a_button_carries_the_approvals_id_and_its_block_what_was_shown() -> None:
    message = card_of(VIEW)

    for button in buttons(message).values():
        assert button["value"] == "apr_4f6c"
        assert set(button) - {"style"} == {"type", "action_id", "value", "text"}
    assert [text for text in strings(message) if "apr_4f6c" in text] == ["apr_4f6c"] * 3
    assert message["blocks"][-1]["block_id"] == "decide:0123456789abcdef"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "(no arguments)"),
        ({"a": True, "b": None, "c": 1.5, "d": [1, "x"]}, 'a: true\nb: null\nc: 1.5\nd: [\n  1,\n  "x"\n]'),
        ({"a": "``` <!channel>"}, "a: ``` <!channel>"),
        ({"a": "x\u202ey"}, "a: x\\u202ey"),
    ],
)
def test_arguments_are_shown_as_they_are(arguments: dict[str, Any], text: str) -> None:
    message = card_of(replace(VIEW, arguments=arguments))

    assert text in shown(message["blocks"])
    assert card.APPROVE in buttons(message)


@pytest.mark.parametrize(
    "arguments",
    [
        {"note": "thanks\namount: 1", "amount": 900},
        {"note": "thanks\r\namount: 1", "amount": 900},
        {"note\namount: 1\nx": "thanks", "amount": 900},
    ],
)
def test_an_argument_cannot_pass_for_another_one(arguments: dict[str, Any]) -> None:
    read = "\n".join(shown(card_of(replace(VIEW, arguments=arguments))["blocks"]))

    assert re.findall(r"(?m)^amount: .*", read) == ["amount: 900"]


def test_a_request_whose_arguments_are_unknown_cannot_be_approved() -> None:
    message = card_of(replace(VIEW, arguments=None))

    assert [*buttons(message)] == [card.DENY, card.OPEN]
    assert any("did not say" in line for line in shown(message["blocks"]))


@pytest.mark.parametrize(
    ("length", "rest"),
    [(card.MAX_ARGUMENTS - len("note: "), 0), (card.MAX_ARGUMENTS - len("note: ") + 1, 1), (30_000, 22_506)],
)
def test_a_request_too_long_to_show_says_how_much_more_there_is_and_cannot_be_approved(length: int, rest: int) -> None:
    view = replace(VIEW, arguments={"note": "x" * length})
    message = card_of(view)
    told = [line for line in shown(message["blocks"]) if "more characters" in line]

    assert (card.APPROVE in buttons(message)) is (rest == 0) is card.shows_whole(view)
    assert [line.rpartition("\n")[2] for line in told] == ([f"… {rest} more characters"] if rest else [])


def test_characters_that_are_spelled_out_count_as_they_are_shown() -> None:
    assert not card.shows_whole(replace(VIEW, arguments={"note": "\u202e" * 2000}))


def test_a_tool_whose_name_does_not_fit_is_opened_first() -> None:
    message = card_of(replace(VIEW, tool="refund_" * 30))

    assert [*buttons(message)] == [card.OPEN, card.DENY]


def test_a_message_without_words_still_makes_a_card_that_slack_takes() -> None:
    check_blocks(card_of(replace(VIEW, message=""))["blocks"])


# What a hostile text is made of, and how long it is: kept apart, so that a failing example stays readable.
long = st.tuples(
    st.sampled_from(["x", "\u202e", "&", "<!channel>", "\n", '"', "\U0001f44d"]),
    st.sampled_from([0, 1, 150, 600, 9000]),
)


@settings(deadline=None, max_examples=60)
@given(
    texts=st.lists(long, min_size=8, max_size=8),
    many=st.sampled_from([1, 30]),
    state=st.sampled_from(ApprovalState),
)
def test_slacks_limits_hold_whatever_is_asked(texts: list[tuple[str, int]], many: int, state: ApprovalState) -> None:
    tool, value, name, message, address, approver, reason, decided_by = (part * times for part, times in texts)
    view = replace(
        VIEW,
        tool=tool or "t",
        agent=name or "support",
        arguments={name: value},
        message=message,
        requester=replace(VIEW.requester, name=name, address=address),
        approvers=(approver,) * many,
        required=2,
        votes=(approver,) * many,
        difference=(f"{name}: {value}",) * many,
        destructive=True,
        reminded_at=VIEW.expires_at,
        escalated_at=VIEW.expires_at,
        held_at=VIEW.expires_at,
        state=state,
        reason=reason,
        decided_by=decided_by,
    )

    for sent in (card_of(view), outcome_card(view)):
        check_blocks(sent["blocks"])
        headers = [block["text"]["text"] for block in sent["blocks"] if block["type"] == "header"]
        sections = [block["text"]["text"] for block in sent["blocks"] if block["type"] == "section"]
        assert len(sent["blocks"]) <= 50
        assert all(len(text) <= 150 for text in headers)
        assert all(len(text) <= 3000 for text in sections)
        assert sum(map(len, shown(sent["blocks"]))) < 13_000
        assert len(sent["text"]) <= 4000, "chat.update refuses a longer one"
    for form in (forms.deny(view), forms.whole(view), forms.told(value or "x")):
        check_view(form)
    assert len(render.message(Remind(to=OPS, approval=view))["text"]) <= 4000


def test_however_many_may_decide_the_digest_stays_readable() -> None:
    read = shown(card_of(replace(VIEW, approvers=("somebody",) * 500))["blocks"])

    assert any(line.endswith("Digest 0123456789ab") for line in read)


def test_beside_the_blocks_of_an_answer_stands_its_beginning_for_notifications() -> None:
    sent = render.message(Say(to=OPS, text="<!here> " * 500))

    check_blocks(sent["blocks"])
    assert sent["text"].startswith("&lt;!here&gt; ")
    assert len(sent["text"]) <= 4_000


# --- denying -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("required", [True, False])
def test_the_form_asks_for_a_reason_as_the_policy_says(required: bool) -> None:
    form = forms.deny(replace(VIEW, reason_required=required))
    (field,) = [block for block in form["blocks"] if block["type"] == "input"]

    check_view(form)
    assert field["optional"] is not required
    assert (field["block_id"], field["element"]["action_id"]) == (forms.REASON, forms.REASON)
    assert (form["callback_id"], form["private_metadata"]) == (forms.DENY_FORM, "apr_4f6c 0123456789abcdef")
    assert any("issue_refund" in line for line in shown(form["blocks"]))


# --- what became of it -------------------------------------------------------------------------------------

AT = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "changes", "told"),
    [
        ("approved", {"decided_by": "ana"}, "Approved by ana, 21 Nov 09:05 UTC. It is being carried out."),
        (
            "approved",
            {"decided_by": "ana", "applied": True},
            "Approved by ana, 21 Nov 09:05 UTC. The agent went on with it.",
        ),
        (
            "approved",
            {"decided_by": "ana", "waiting": "the platform refused it; it is tried again"},
            "Approved by ana, 21 Nov 09:05 UTC, not yet applied: the platform refused it; it is tried again.",
        ),
        ("denied", {"decided_by": "ana"}, "Denied by ana, 21 Nov 09:05 UTC."),
        (
            "denied",
            {"decided_by": "ana", "reason": "too much"},
            "Denied by ana, 21 Nov 09:05 UTC. Reason: too much",
        ),
        (
            "expired",
            {"reason": "nobody decided in time"},
            "Not decided: nobody decided in time, 21 Nov 09:05 UTC. The agent was told that nobody decided.",
        ),
        ("cancelled", {"reason": "taken back"}, "Withdrawn, 21 Nov 09:05 UTC. taken back"),
        ("cancelled", {}, "Withdrawn, 21 Nov 09:05 UTC."),
    ],
)
def test_every_outcome_is_told_apart(state: str, changes: dict[str, Any], told: str) -> None:
    view = replace(VIEW, state=ApprovalState(state), decided_at=AT, **changes)
    message = outcome_card(view)

    assert sentences.outcome(view) == told
    assert message["text"] == f"issue_refund: {told}"
    assert told in shown(message["blocks"])
    assert not buttons(message)


def test_what_changed_while_it_is_open_keeps_its_buttons() -> None:
    assert outcome_card(VIEW) == card_of(VIEW)


@pytest.mark.parametrize("state", ApprovalState)
def test_an_outcome_keeps_what_was_asked(state: ApprovalState) -> None:
    view = replace(VIEW, state=state)

    assert outcome_card(view)["blocks"][:-1] == card_of(view)["blocks"][:-1]


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Decision(result="decided", approval=VIEW), ""),
        (Decision(result="not_allowed"), sentences.NOT_YOURS),
        (Decision(result="already"), sentences.NOT_YOURS),
        (
            Decision(result="already", approval=replace(VIEW, state=ApprovalState.APPROVED, decided_by="<!here>")),
            "Already decided. Approved by &lt;!here&gt;. It is being carried out.",
        ),
        (Decision(result="unknown"), "This request is not known here (any more). Nothing was changed."),
        (Decision(result="changed"), sentences.FIXED["changed"]),
        (Decision(result="reason_required"), sentences.FIXED["reason_required"]),
    ],
)
def test_whoever_tried_to_decide_is_told_why_not(decision: Decision, told: str) -> None:
    assert render.answer(decision) == told


def test_a_stranger_learns_nothing_about_the_request() -> None:
    told = render.answer(Decision(result="not_allowed"))

    assert "refund" not in told
    assert "A-1001" not in told


def test_a_test_card_is_one_that_slack_takes_with_one_button_and_no_code() -> None:
    message = render.message(AskSeen(to=OPS, check_id=7, code="482913"))

    check_blocks(message["blocks"])
    assert [(name, one["value"]) for name, one in buttons(message).items()] == [(trial.SEEN, "7")]
    assert "482913" not in "".join(strings(message))


def test_what_the_agent_used_stands_below_the_reply_and_nothing_in_it_is_live() -> None:
    used = "Used <!channel> · Sources: [x](https://evil.example), *bold* \u202e"
    said = Say(to=ThreadRef("slack", "T0TEAM", "D0ALICE:1.0"), text="On its way", note=used)
    shown = render.message(replace(said, note=used + "n" * 5_000))

    below = shown["blocks"][-1]
    assert (below["type"], [one["type"] for one in below["elements"]]) == ("context", ["plain_text"])
    assert below["elements"][0]["text"].startswith(used.replace("\u202e", "\\u202e"))
    check_blocks(shown["blocks"])
    assert render.plain(said) == {"text": "On its way", "blocks": []}
