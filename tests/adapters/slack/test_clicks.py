"""A click opens its form within three seconds, whatever the look-up takes; Slack takes none later."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.slack import card, clicks, decisions
from gateway.ports import Decision
from tests.adapters.doors import RecordingDoor
from tests.adapters.slack.conftest import FakeSlack, SlackSide
from tests.adapters.slack.test_endpoint import click
from tests.adapters.slack.test_render import VIEW

VIEWS = [(card.OPEN, "The whole request"), (card.DENY, "Deny this request"), (card.EDIT, "Change the arguments")]


@pytest.fixture
async def gate(door: RecordingDoor) -> AsyncIterator[asyncio.Event]:
    """Look-ups wait for it."""
    door.approvals.reads = Decision(result="decided", approval=replace(VIEW, can_edit=True, input_schema={}))
    door.approvals.gate = asyncio.Event()
    yield door.approvals.gate
    door.approvals.gate.set()


@pytest.mark.parametrize(("button", "title"), VIEWS)
async def test_while_the_database_is_slow_a_form_says_so_and_is_filled_later(
    button: str, title: str, gate: asyncio.Event, slack_side: SlackSide, slack: FakeSlack
) -> None:
    slack.will_answer("api/views.open", {"ok": True, "view": {"id": "V7"}})

    assert (await slack_side.interacts(click(button, slack))).status_code == 200
    waiting = await slack.gets("api/views.open")
    assert clicks.WAIT in str(waiting["view"])
    gate.set()

    filled = await slack.gets("api/views.update")
    assert filled["view_id"] == "V7"
    assert filled["view"]["title"]["text"] == title


async def test_fifty_slow_clicks_have_their_forms_before_any_look_up_is_done(
    gate: asyncio.Event, slack_side: SlackSide, slack: FakeSlack
) -> None:
    answers = await asyncio.gather(*(slack_side.interacts(click(card.OPEN, slack)) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}

    assert len(await slack.gets_all("api/views.open", 50)) == 50
    assert not gate.is_set()


async def test_a_slow_click_of_a_stranger_is_answered_in_the_form_that_opened(
    gate: asyncio.Event, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="not_allowed")
    slack.will_answer("api/views.open", {"ok": True, "view": {"id": "V7"}})

    await slack_side.interacts(click(card.OPEN, slack))
    await slack.gets("api/views.open")
    gate.set()

    assert "not yours" in str(await slack.gets("api/views.update"))
    assert VIEW.tool not in str(slack.calls)


@pytest.mark.parametrize("is_slow", [True, False])
async def test_a_form_that_slack_takes_no_more_is_told_privately(
    is_slow: bool, gate: asyncio.Event, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    slack.will_answer("api/views.open", {"ok": False, "error": "expired_trigger_id"})
    if not is_slow:
        gate.set()

    await slack_side.interacts(click(card.OPEN, slack))

    assert (await slack.gets("click/1"))["text"] == decisions.OPEN_AGAIN
    gate.set()
    await asyncio.sleep(0)
    assert len(slack.told("click/1")) == 1
    assert door.approvals.openings == []


async def test_whoever_cannot_be_shown_anything_is_told_to_press_again(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.fails = RuntimeError("the database is away")

    assert (await slack_side.interacts(click(card.EDIT, slack))).status_code == 200

    assert (await slack.gets("click/1"))["text"] == decisions.EDIT_AGAIN
