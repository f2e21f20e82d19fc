"""What waits for somebody in Slack: Slack takes it, and every button knows its request."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.sandbox.blocks import check_blocks, check_home
from adapters.slack import card, home
from gateway.events import ApprovalView
from tests.adapters.slack.test_render import VIEW


def waiting(many: int, **more: Any) -> list[ApprovalView]:
    """Of the same arguments, so that all have the same digest."""
    return [replace(VIEW, id=f"apr_{number:04d}", **more) for number in range(many)]


def values(shown: dict[str, Any], action: str) -> list[str]:
    rows = [block["elements"] for block in shown["blocks"] if block["type"] == "actions"]
    return [one["value"] for row in rows for one in row if one["action_id"] == action]


@pytest.mark.parametrize("many", [0, 1, 2, 17, 18, 19, 36, 37, 100])
def test_slack_takes_the_tab_and_the_answer_however_much_waits(many: int) -> None:
    asked = waiting(many, can_edit=True)

    for first in range(0, many + 1, home.A_PAGE):
        check_home(home.view(asked, first))
    check_blocks(home.listed(asked)["blocks"])


def test_page_after_page_shows_each_request_once() -> None:
    asked, seen, first = waiting(40), [], 0
    while True:
        shown = home.view(asked, first)
        seen += values(shown, card.OPEN)
        more = values(shown, f"{home.TURN}:More")
        if not more:
            break
        first = int(more[0])

    assert seen == [one.id for one in asked]


@pytest.mark.parametrize("first", [-1, 40, 10_000])
def test_a_page_that_is_no_more_is_the_first_one(first: int) -> None:
    assert home.view(waiting(3), first) == home.view(waiting(3))


def test_nothing_is_approved_where_not_all_of_it_is_seen() -> None:
    assert card.APPROVE not in json.dumps([home.view(waiting(2)), home.listed(waiting(2))])


def test_a_very_long_argument_is_cut_and_says_so() -> None:
    shown = home.view(waiting(18, arguments={"note": "x" * 50_000}))

    check_home(shown)
    assert "more characters" in json.dumps(shown)


@pytest.mark.parametrize(("many", "words"), [(0, "Nothing waits"), (1, "One request waits"), (2, "2 requests wait")])
def test_how_many_wait_is_said_first(many: int, words: str) -> None:
    assert home.listed(waiting(many))["text"].startswith(words)
