"""What Slack says of edited and deleted messages."""

from typing import Any

import pytest

from adapters.slack import changes, inbound
from gateway.errors import DatabaseAway
from tests.adapters.doors import RecordingDoor
from tests.adapters.slack.conftest import SlackSide
from tests.helpers import slack

WAS = {"type": "message", "user": "U0MAX", "ts": "1.0", "text": "Where is A-1001?", "team": "T0TEAM"}
IS = {**WAS, "text": "Where is A-1002?", "edited": {"user": "U0MAX", "ts": "2.0"}}


def event(subtype: str, **more: Any) -> dict[str, Any]:
    body = slack.message("", ts="9.0", channel="D0MAX")
    body["event"] = {"type": "message", "subtype": subtype, "channel": "D0MAX", "ts": "9.0", "hidden": True, **more}
    return body


def changed(**message: Any) -> dict[str, Any]:
    return event("message_changed", message={**IS, **message}, previous_message=WAS)


DELETED = event("message_deleted", deleted_ts="1.0", previous_message=WAS)
TOMBSTONE = event(
    "message_changed",
    message={"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "ts": "1.0", "text": "Deleted."},
    previous_message=WAS,
)


def test_an_edit_names_the_message_and_its_author() -> None:
    found, first = changes.edited(changed()), inbound.read(slack.message("", user="U0MAX", channel="D0MAX", ts="1.0"))

    assert found is not None
    assert first is not None
    assert (found.message_id, found.sender) == (first.message_id, first.sender)
    assert (found.text, found.version) == ("Where is A-1002?", "2.0")


@pytest.mark.parametrize(
    "body",
    [
        changed(edited=None),  # a link was unfurled
        changed(edited={"user": "U0ANA", "ts": "2.0"}),
        changed(edited={"user": "U0MAX", "ts": 2}),
        changed(edited="2.0"),
        changed(bot_id="B0BOT"),
        changed(subtype="bot_message"),
        changed(user=None),
        event("message_changed"),
        event("message_changed", message=["a"]),
        TOMBSTONE,
        DELETED,
        slack.message("Hello", ts="1.0"),
        {"type": "event_callback", "event": None},
        {},
    ],
)
def test_not_every_change_is_an_edit(body: dict[str, Any]) -> None:
    assert changes.edited(body) is None


@pytest.mark.parametrize("body", [DELETED, TOMBSTONE])
def test_a_deletion_names_the_message_and_its_author(body: dict[str, Any]) -> None:
    found = changes.deleted(body)

    assert found is not None
    assert (found.message_id, found.sender.address) == ("T0TEAM:D0MAX:1.0", "U0MAX")


@pytest.mark.parametrize("body", [changed(), event("message_deleted", deleted_ts="1.0"), slack.message("x", ts="1.0")])
def test_other_events_delete_nothing(body: dict[str, Any]) -> None:
    assert changes.deleted(body) is None


async def test_both_are_handed_in_at_the_door(gate: SlackSide, door: RecordingDoor) -> None:
    for body in (changed(), DELETED):
        assert (await gate.sends(body)).status_code == 200

    assert [message.text for message in door.inbox.edits] == ["Where is A-1002?"]
    assert [message.message_id for message in door.inbox.withdrawals] == ["T0TEAM:D0MAX:1.0"]
    assert door.inbox.kept == []


async def test_while_the_database_is_away_slack_sends_an_edit_again(gate: SlackSide, door: RecordingDoor) -> None:
    door.inbox.fails = DatabaseAway("away")

    assert (await gate.sends(changed())).status_code == 503
    assert (await gate.sends(DELETED)).status_code == 503


@pytest.mark.parametrize(
    "subtype",
    ["bot_message", "message_replied", "channel_join", "channel_leave", "channel_topic", "assistant_app_thread"],
)
async def test_what_nobody_wrote_is_acknowledged_and_left_alone(
    gate: SlackSide, door: RecordingDoor, subtype: str
) -> None:
    assert (await gate.sends(event(subtype, user="U0MAX", text="has joined"))).status_code == 200
    assert (door.inbox.kept, door.inbox.edits, door.inbox.withdrawals) == ([], [], [])


async def test_opening_the_messages_tab_does_nothing(gate: SlackSide, door: RecordingDoor) -> None:
    body = slack.message("", ts="9.0")
    body["event"] = {"type": "app_home_opened", "tab": "messages", "user": "U0MAX", "channel": "D0MAX"}

    assert (await gate.sends(body)).status_code == 200
    assert (door.inbox.kept, door.approvals.asked) == ([], [])


def test_a_direct_message_in_the_agent_view_belongs_to_its_thread() -> None:
    found = inbound.read(slack.message("Hello", ts="2.0", channel="D0MAX", thread_ts="1.0"))

    assert found is not None
    assert (found.thread.key, found.addressed) == ("D0MAX:1.0", True)
