"""A request on its card and in its form: what is shown of its life, and where it may be approved."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from adapters.sandbox.blocks import check_blocks, check_view
from adapters.slack import card, forms
from gateway.events import ApprovalState, Spoken
from tests.adapters.slack.test_render import VIEW, buttons, card_of, outcome_card, shown

AT = datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
LONG = {"note": "x" * 20_000, "amount": 900}


def reads(message: dict[str, Any]) -> str:
    return "\n".join(shown(message["blocks"]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"required": 2, "votes": ("ana",)}, "1 of 2: ana"),
        ({"required": 3, "votes": ("ana", "ben")}, "2 of 3: ana, ben"),
        ({"difference": ("amount: 40 -> 35", "note: (none) -> 1")}, "amount: 40 -> 35\nnote: (none) -> 1"),
        ({"reminded_at": AT}, "Reminded 21 Nov 09:05 UTC."),
        ({"escalated_at": AT}, "Escalated 21 Nov 09:05 UTC: more people may decide."),
        ({"held_at": AT}, "Nobody decided by 21 Nov 09:05 UTC: it is held open."),
    ],
)
def test_a_card_tells_its_life_and_keeps_its_buttons(changes: dict[str, Any], told: str) -> None:
    message = outcome_card(replace(VIEW, **changes))

    check_blocks(message["blocks"])
    assert told in reads(message)
    assert [*buttons(message)] == [card.APPROVE, card.DENY, card.OPEN]


def test_one_approval_that_is_enough_is_not_counted() -> None:
    assert "of 1" not in reads(outcome_card(replace(VIEW, votes=("ana",)))).replace("Needs 1 of", "")


def test_another_digest_stands_beside_other_arguments() -> None:
    before, after = card_of(VIEW), card_of(replace(VIEW, digest="f" * 64))

    assert before["blocks"][-1]["block_id"] == "decide:0123456789abcdef"
    assert after["blocks"][-1]["block_id"] == "decide:" + "f" * 16


def test_what_cannot_be_undone_is_asked_once_more() -> None:
    message = card_of(replace(VIEW, destructive=True, tool="t" * 140))

    check_blocks(message["blocks"])
    assert buttons(message)[card.APPROVE]["confirm"]["style"] == "danger"
    assert "confirm" not in buttons(message)[card.DENY]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"arguments": LONG}, [card.OPEN, card.DENY]),
        ({"arguments": LONG, "approve_unseen": True}, [card.APPROVE, card.OPEN, card.DENY]),
        ({"arguments": {"iban": "(hidden)"}, "hidden": ("iban",)}, [card.OPEN, card.DENY]),
        ({"hidden": ("iban",)}, [card.APPROVE, card.DENY, card.OPEN]),
        ({"arguments": None}, [card.DENY, card.OPEN]),
        ({"arguments": None, "approve_unseen": True}, [card.APPROVE, card.DENY, card.OPEN]),
    ],
    ids=["long", "long, allowed", "hidden", "hides nothing of it", "never told", "never told, allowed"],
)
def test_it_is_approved_where_all_of_it_is_seen_or_the_policy_says_otherwise(
    changes: dict[str, Any], found: list[str]
) -> None:
    assert [*buttons(card_of(replace(VIEW, **changes)))] == found


# --- the whole request -------------------------------------------------------------------------------------


def in_full(arguments: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    form = forms.whole(replace(VIEW, arguments=arguments, **changes))
    check_view(form)
    return form


def pages(form: dict[str, Any]) -> list[str]:
    rich = [block["elements"][0] for block in form["blocks"] if block["type"] == "rich_text"]
    return [one["elements"][0]["text"] for one in rich if one["type"] == "rich_text_preformatted"]


def test_a_form_shows_what_the_card_cuts_off_and_can_be_approved() -> None:
    form = in_full(LONG)

    assert "".join(pages(form)).count("x") == 20_000
    assert pages(form)[-1].endswith("amount: 900")
    assert [*buttons(form)] == [card.APPROVE]
    assert form["blocks"][-1]["block_id"] == card_of(VIEW)["blocks"][-1]["block_id"]


def test_a_form_shows_what_is_hidden_elsewhere() -> None:
    form = in_full({"iban": "DE00"}, hidden=("iban",))

    assert pages(form) == ["iban: DE00"]
    assert [*buttons(form)] == [card.APPROVE]


@pytest.mark.parametrize("arguments", [{"note": "x" * 300_000}, {"note": "\u202e" * 40_000}, None])
def test_what_even_a_form_cannot_show_is_not_approved_in_it(arguments: dict[str, Any] | None) -> None:
    form = in_full(arguments)

    assert not buttons(form)
    why_not = forms.NOT_TOLD if arguments is None else forms.TOO_LONG
    assert any(why_not in line for line in shown(form["blocks"]))


def test_a_form_has_room_for_all_that_may_be_around_the_longest_request() -> None:
    said = tuple(Spoken(by=f"{n}" * 200, at=AT, text="line\n" * 5_000) for n in range(6))
    longest = "\n".join("y" * 1_500 for _ in range(forms.MAX_PAGES))

    form = in_full({"note": longest}, recent=said, notes=said * 3)

    assert ([*buttons(form)], len(form["blocks"])) == ([card.APPROVE], 100)
    assert "(12 earlier: see `gateway approvals show`)" in json.dumps(form)
    talks = [block for block in form["blocks"] if "line" in json.dumps(block)]
    assert [len("".join(shown([talk]))) <= 3_000 for talk in talks] == [True, True]


@settings(deadline=None, max_examples=50)
@given(
    before=st.integers(0, forms.MAX_PAGE * 2),
    lie=st.sampled_from(["amount: 1", "\namount: 1", "x\namount: 1"]),
)
@example(before=forms.MAX_PAGE - 4 - len("note: "), lie="amount: 1")  # where a page ends
def test_no_page_begins_with_a_lie_about_another_argument(before: int, lie: str) -> None:
    form = in_full({"note": "x" * before + lie, "amount": 900})

    lines = [line for page in pages(form) for line in page.split("\n")]
    assert [line for line in lines if line.startswith("amount: ")] == ["amount: 900"]


@settings(deadline=None, max_examples=50)
@given(text=st.text(max_size=200), times=st.integers(1, 100))
def test_a_form_leaves_nothing_out(text: str, times: int) -> None:
    view = replace(VIEW, arguments={"note": text * times})

    joined = "".join("".join(pages(forms.whole(view))).split())

    expected = "".join(card.arguments(view).split())
    assert joined.replace("…", "") == expected.replace("…", "")


def test_a_form_says_what_came_of_its_button() -> None:
    check_view(forms.told("Approved: issue_refund."))
    assert "Approved: issue_refund." in json.dumps(forms.told("Approved: issue_refund."))


def test_a_settled_request_has_no_buttons() -> None:
    for state in set(ApprovalState) - {ApprovalState.PENDING}:
        message = outcome_card(replace(VIEW, state=state))
        assert not buttons(message)
        assert "Approve issue_refund?" not in reads(message)
        assert "Expires" not in reads(message)
