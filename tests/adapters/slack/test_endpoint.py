"""Slack's endpoint, by signed requests: what is kept, decided and answered, and what never becomes a 500."""

import asyncio
import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from adapters.sandbox.blocks import check_view
from adapters.slack import card, forms, strangers, trial
from gateway import sentences
from gateway.doors import Seen
from gateway.events import ApprovalState, Identity, Proof, Verdict
from gateway.ports import Added, Decision
from tests.adapters.doors import RecordingApprovals, RecordingDoor, nobody_listens
from tests.adapters.slack.conftest import FakeSlack, SlackSide, side_of, slack_at
from tests.adapters.slack.test_render import VIEW
from tests.helpers.core import seen

PAYLOADS = Path(__file__).parents[4] / "shared/data/slack/payloads"
ANA = Identity(channel="slack", account="T0TEAM", address="U0ANA", name="ana", proof=Proof.PLATFORM)
FORM = "application/x-www-form-urlencoded"
SHOWN = "decide:" + VIEW.digest[:16]

MESSAGE: dict[str, Any] = {
    "type": "event_callback",
    "team_id": "T0TEAM",
    "api_app_id": "A0",
    "event_id": "Ev1",
    "event": {
        "type": "message",
        "channel": "D0ALICE",
        "channel_type": "im",
        "user": "U0ALICE",
        "text": "hello",
        "ts": "1.0001",
    },
}


def click(action: str, slack: FakeSlack, **changes: Any) -> dict[str, Any]:
    """Ana's click on a card in C0OPS."""
    return {
        "type": "block_actions",
        "api_app_id": "A0",
        "team": {"id": "T0TEAM"},
        "user": {"id": "U0ANA", "team_id": "T0TEAM", "name": "ana"},
        "channel": {"id": "C0OPS"},
        "container": {"type": "message", "channel_id": "C0OPS", "message_ts": "5.0001"},
        "trigger_id": "trigger-1",
        "response_url": f"{slack.base}/click/1",
        "actions": [{"type": "button", "action_id": action, "block_id": SHOWN, "value": "apr_4f6c"}],
    } | changes


def submitted(reason: str | None, **changes: Any) -> dict[str, Any]:
    """Ana's form with the reason of a denial."""
    values = {forms.REASON: {forms.REASON: {"type": "plain_text_input", "value": reason}}}
    return {
        "type": "view_submission",
        "api_app_id": "A0",
        "team": {"id": "T0TEAM"},
        "user": {"id": "U0ANA", "team_id": "T0TEAM", "name": "ana"},
        "view": {
            "type": "modal",
            "id": "V1",
            "callback_id": forms.DENY_FORM,
            "private_metadata": f"apr_4f6c {VIEW.digest[:16]}",
            "state": {"values": values},
        },
    } | changes


# --- who is believed ---------------------------------------------------------------------------------------

ODD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "words": b"hello",
    "a list": b"[1, 2]",
    "a number": b"7",
    "a string": b'"x"',
    "null": b"null",
    "an empty object": b"{}",
    "not UTF-8": b"\xff\xfe{}",
    "very deep": b"[" * 100_000,
    "a deep object": b'{"a":' * 100_000,
    "an event of words": b'{"type": "event_callback", "event": "text"}',
    "an event of a list": b'{"type": "event_callback", "event": []}',
    "a user of words": b'{"type": "block_actions", "user": "U1", "actions": []}',
    "a payload of words": b"payload=hello",
    "a payload of a list": b"payload=%5B1%5D",
    "an empty payload": b"payload=",
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
@pytest.mark.parametrize("kind", ["application/json", FORM, ""])
async def test_an_unsigned_body_is_refused_whatever_it_is(
    body: bytes, kind: str, gate: SlackSide, door: RecordingDoor
) -> None:
    answer = await gate.posts(body, kind, signed=False)

    assert answer.status_code == 401
    assert door.inbox.kept == []


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
@pytest.mark.parametrize("kind", ["application/json", FORM, ""])
async def test_a_signed_body_that_slack_does_not_send_is_never_our_fault(
    body: bytes, kind: str, gate: SlackSide, door: RecordingDoor
) -> None:
    answer = await gate.posts(body, kind)

    assert answer.status_code in (200, 400, 404)
    assert door.inbox.kept == []
    assert door.approvals.decided == []


@pytest.mark.parametrize("name", ["a list", "not UTF-8", "very deep", "no JSON", "an event of words"])
async def test_signed_garbage_is_unreadable(name: str, gate: SlackSide) -> None:
    assert (await gate.posts(ODD_BODIES[name])).status_code == 400


@pytest.mark.parametrize("signed", [True, False])
async def test_a_huge_body_is_too_large(signed: bool, gate: SlackSide) -> None:
    assert (await gate.posts(b"x" * (1024 * 1024 + 1), signed=signed)).status_code == 413


@pytest.mark.parametrize("body", [b'{"ssl_check": 1}', b"ssl_check=1&token=x"])
async def test_even_slacks_certificate_check_must_be_signed(body: bytes, gate: SlackSide) -> None:
    kind = FORM if body.startswith(b"ssl") else "application/json"

    assert (await gate.posts(body, kind, signed=False)).status_code == 401


async def test_a_stale_signature_is_refused(gate: SlackSide) -> None:
    headers = {"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature": "v0=" + "0" * 64}

    assert (await gate.posts(b"{}", signed=False, **headers)).status_code == 401


# --- events ------------------------------------------------------------------------------------------------


async def test_slack_gets_its_challenge_back(gate: SlackSide, door: RecordingDoor) -> None:
    answer = await gate.sends({"type": "url_verification", "token": "t", "challenge": "3eZbrw1aB"})

    assert answer.status_code == 200
    assert "3eZbrw1aB" in answer.text
    assert door.inbox.kept == []


async def test_a_message_is_kept_before_slack_is_told_200(gate: SlackSide, door: RecordingDoor) -> None:
    answer = await gate.sends(MESSAGE)

    assert answer.status_code == 200
    assert [(event.event_id, event.text) for event in door.inbox.kept] == [("Ev1", "hello")]


async def test_a_message_that_cannot_be_kept_is_asked_for_again(gate: SlackSide, door: RecordingDoor) -> None:
    door.inbox.fails = RuntimeError("the disk is full")

    answer = await gate.sends(MESSAGE)

    assert answer.status_code == 500
    assert "disk" not in answer.text


@pytest.mark.parametrize("added", Added)
async def test_whatever_became_of_it_slack_is_told_200(added: Added, gate: SlackSide, door: RecordingDoor) -> None:
    door.inbox.says = added

    assert (await gate.sends(MESSAGE)).status_code == 200


async def test_a_retry_is_handed_on_like_any_delivery(gate: SlackSide, door: RecordingDoor) -> None:
    body = json.dumps(MESSAGE).encode()
    retry = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}

    await gate.posts(body)
    answer = await gate.posts(body, **retry)

    assert answer.status_code == 200
    assert [event.event_id for event in door.inbox.kept] == ["Ev1", "Ev1"]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "reaction_added", "user": "U0ALICE", "item": {}, "reaction": "eyes"},
        {"type": "app_home_opened", "user": "U0ALICE", "channel": "D0ALICE", "tab": "messages"},
        {"type": "app_uninstalled"},
        {"type": "tokens_revoked", "tokens": {"bot": ["U0BOT"]}},
        {"type": "message", "subtype": "message_changed", "channel": "D0ALICE", "message": {}},
        {"type": "message", "subtype": "bot_message", "channel": "D0ALICE", "bot_id": "B1", "text": "beep"},
        {"type": "something_new"},
        {"type": "message"},
        {},
    ],
)
async def test_an_event_nobody_wrote_is_taken_and_left(
    event: dict[str, Any], gate: SlackSide, door: RecordingDoor
) -> None:
    answer = await gate.sends(MESSAGE | {"event": event})

    assert answer.status_code in ((200,) if event else (200, 404))
    assert door.inbox.kept == []


async def test_slacks_warning_about_too_many_events_is_taken(gate: SlackSide, door: RecordingDoor) -> None:
    body = {"type": "app_rate_limited", "team_id": "T0TEAM", "minute_rate_limited": 1518467820, "api_app_id": "A0"}

    assert (await gate.sends(body)).status_code == 200
    assert door.inbox.limited == [("slack", "T0TEAM", datetime.fromtimestamp(1518467820, UTC))]
    for odd in ("soon", -1, 10**40, None):
        assert (await gate.sends(body | {"minute_rate_limited": odd})).status_code == 200


STRANGERS: dict[str, dict[str, Any]] = {
    "event something_new": MESSAGE | {"event": {"type": "something_new", "text": "with s3cret words"}},
    "block_actions later": {"type": "block_actions", "actions": [{"action_id": "later", "block_id": "b"}]},
    "view_submission later": {"type": "view_submission", "view": {"type": "modal", "callback_id": "later"}},
    "shortcut later": {"type": "shortcut", "callback_id": "later"},
    "message_action later": {"type": "message_action", "callback_id": "later", "message": {"text": "s3cret"}},
    "block_suggestion later": {"type": "block_suggestion", "action_id": "later", "block_id": "b", "value": "s3cret"},
    "never_heard_of ": {"type": "never_heard_of"},
}


async def test_what_nobody_here_knows_is_named_once_and_without_its_words(
    gate: SlackSide, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "adapters.slack.strangers")
    for body in [*STRANGERS.values()] * 3:
        answer = await (gate.sends if "event" in body else gate.interacts)(body)
        assert (answer.status_code, answer.text) == (200, "")

    await seen(lambda: len(caplog.records) >= len(STRANGERS))  # bolt's listeners end after the answer
    assert sorted(str(line.args[0]) for line in caplog.records if line.args) == sorted(STRANGERS)
    assert "s3cret" not in caplog.text


async def test_the_names_of_strangers_do_not_fill_the_memory(gate: SlackSide, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "adapters.slack.strangers")
    for number in range(strangers.MOST + 5):
        await gate.sends(MESSAGE | {"event": {"type": f"new-{number}-{'x' * 500}"}})

    await seen(lambda: len(caplog.records) >= strangers.MOST)
    await gate.sends(MESSAGE)
    assert len(caplog.records) == strangers.MOST
    assert max(len(line.getMessage()) for line in caplog.records) < 200


# --- decisions ---------------------------------------------------------------------------------------------


async def test_ana_clicks_approve(slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor) -> None:
    answer = await slack_side.interacts(click(card.APPROVE, slack))

    assert answer.status_code == 200
    assert door.approvals.decided == [("apr_4f6c", ANA, Verdict.APPROVE, "", "slack")]
    assert slack.calls == [], "the card itself says it"


@pytest.mark.parametrize(("block", "digest"), [(SHOWN, VIEW.digest[:16]), ("b", "unknown"), ("decide:", "unknown")])
async def test_a_click_says_what_was_shown(
    block: str, digest: str, gate: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    button = {"type": "button", "action_id": card.APPROVE, "block_id": block, "value": "apr_4f6c"}

    await gate.interacts(click(card.APPROVE, slack, actions=[button]))

    assert door.approvals.digests == [digest]


async def test_a_click_whose_decision_cannot_be_kept_is_not_acknowledged(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.fails = RuntimeError("the database is away")

    answer = await slack_side.interacts(click(card.APPROVE, slack))

    assert answer.status_code == 500


async def test_a_stranger_is_told_so_and_nobody_else_sees_it(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.decides = Decision(result="not_allowed")

    answer = await slack_side.interacts(click(card.APPROVE, slack))

    assert answer.status_code == 200
    told = await slack.gets("click/1")
    assert told == {"text": sentences.NOT_YOURS, "response_type": "ephemeral", "replace_original": False}
    assert slack.told("api/chat.postEphemeral") == []


@pytest.mark.parametrize("said", ["seen", "not_yours", "over"])
async def test_who_presses_a_test_cards_button_is_answered_and_nobody_else_sees_it(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor, said: Seen
) -> None:
    door.reaching.says = said

    answer = await slack_side.interacts(click(trial.SEEN, slack, actions=[{"action_id": trial.SEEN, "value": "7"}]))

    assert answer.status_code == 200
    assert [(check, who.address) for check, who in door.reaching.pressed] == [("7", "U0ANA")]
    told = await slack.gets("click/1")
    assert told == {"text": sentences.SEEN[said], "response_type": "ephemeral", "replace_original": False}
    assert door.approvals.decided == []


async def test_a_click_that_came_too_late_is_told_who_was_first(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    first = replace(VIEW, state=ApprovalState.DENIED, decided_by="ben", reason="no")
    door.approvals.decides = Decision(result="already", approval=first)

    await slack_side.interacts(click(card.APPROVE, slack))

    told = await slack.gets("click/1")
    assert told["text"] == "Already decided. Denied by ben. Reason: no"


@pytest.mark.parametrize("dead", ["refused", "expired", "absent", "no address"])
async def test_where_the_clicks_own_address_is_dead_the_web_api_tells_them(
    dead: str, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.decides = Decision(result="not_allowed")
    addresses = {"refused": f"{nobody_listens()}/x", "absent": None, "no address": "ftp:/nowhere"}
    if dead == "expired":
        slack.will_answer("click/1", {"ok": False, "error": "used_url"}, status=404)
        body = click(card.APPROVE, slack)
    else:
        body = click(card.APPROVE, slack, response_url=addresses[dead])

    answer = await slack_side.interacts(body)

    assert answer.status_code == 200
    told = await slack.gets("api/chat.postEphemeral")
    assert (told["channel"], told["user"], told["text"]) == ("C0OPS", "U0ANA", sentences.NOT_YOURS)


async def test_where_nobody_can_be_told_the_click_is_still_acknowledged(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.decides = Decision(result="not_allowed")
    slack.will_answer("click/1", {}, status=500)
    slack.will_answer("api/chat.postEphemeral", {"ok": False, "error": "user_not_in_channel"})

    assert (await slack_side.interacts(click(card.APPROVE, slack))).status_code == 200
    assert await slack.gets("api/chat.postEphemeral")


async def test_deny_opens_the_form_with_the_clicks_trigger(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="decided", approval=VIEW)

    answer = await slack_side.interacts(click(card.DENY, slack))

    assert answer.status_code == 200
    assert door.approvals.asked == [("apr_4f6c", ANA)]
    assert door.approvals.decided == []
    opened = await slack.gets("api/views.open")
    assert opened["trigger_id"] == "trigger-1"
    view = opened["view"] if isinstance(opened["view"], dict) else json.loads(opened["view"])
    assert view == forms.deny(VIEW)


async def test_denying_what_was_changed_since_opens_no_form(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="decided", approval=replace(VIEW, digest="f" * 64))

    await slack_side.interacts(click(card.DENY, slack))

    assert (await slack.gets("click/1"))["text"] == sentences.FIXED["changed"]
    assert slack.told("api/views.open") == []


# --- the whole request -------------------------------------------------------------------------------------


def pressed(action: str, slack: FakeSlack) -> dict[str, Any]:
    """Ana's click on a button in a form."""
    inside = {"container": {"type": "view", "view_id": "V1"}, "view": {"id": "V1", "type": "modal"}}
    body = click(action, slack) | inside
    return {name: value for name, value in body.items() if name not in ("channel", "response_url")}


async def test_ana_opens_the_whole_request_and_that_is_kept_once_slack_has_taken_the_form(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="decided", approval=VIEW)

    answer = await slack_side.interacts(click(card.OPEN, slack))

    assert answer.status_code == 200
    async with asyncio.timeout(10):
        await door.approvals.has_opened.wait()
    (opened,) = slack.told("api/views.open")
    view = opened["view"] if isinstance(opened["view"], dict) else json.loads(opened["view"])
    assert (opened["trigger_id"], view) == ("trigger-1", forms.whole(VIEW))
    assert door.approvals.openings == [("apr_4f6c", ANA, "slack", VIEW.digest)]


@pytest.mark.parametrize(
    "refusal",
    [
        JSONResponse({"ok": False, "error": "expired_trigger_id"}),
        JSONResponse({"ok": False, "error": "internal_error"}, status_code=500),
        Response("<html>a proxy's page</html>", media_type="text/html"),
    ],
    ids=["too late", "broken", "a proxy"],
)
async def test_a_whole_request_that_slack_did_not_open_does_not_count_as_opened(
    refusal: Response, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="decided", approval=VIEW)
    slack.will_answer("api/views.open", refusal)

    answer = await slack_side.interacts(click(card.OPEN, slack))

    assert answer.status_code == 200
    assert "cannot be approved yet. Please press the button again" in (await slack.gets("click/1"))["text"]
    await slack_side.interacts(click(card.APPROVE, slack))  # whatever the first click left to do is done by now
    assert door.approvals.openings == []


LINES = "\n".join("y" * 1_500 for _ in range(110))  # less than 200 kB, and more blocks than Slack takes


@pytest.mark.parametrize(
    "cut",
    [
        {"arguments": {"note": "x" * 300_000}},
        {"arguments": {"iban": "x" * 300_000}, "hidden": ("iban",)},
        {"arguments": {"note": LINES}},
    ],
    ids=["long", "hidden elsewhere", "many blocks"],
)
async def test_what_no_form_can_show_does_not_count_as_opened(
    cut: dict[str, Any], slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    huge = replace(VIEW, **cut)
    door.approvals.reads = Decision(result="decided", approval=huge)

    await slack_side.interacts(click(card.OPEN, slack))
    opened = await slack.gets("api/views.open")
    await slack_side.interacts(click(card.APPROVE, slack))  # whatever the first click left to do is done by now

    check_view(opened["view"] if isinstance(opened["view"], dict) else json.loads(opened["view"]))
    assert door.approvals.openings == []


@pytest.mark.parametrize("decision", [Decision(result="not_allowed"), Decision(result="unsure")])
async def test_who_may_not_see_it_opens_nothing(
    decision: Decision, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = decision

    await slack_side.interacts(click(card.OPEN, slack))

    assert (await slack.gets("click/1"))["text"] == sentences.answer(decision)
    assert (door.approvals.openings, slack.told("api/views.open")) == ([], [])


@pytest.mark.parametrize("result", ["decided", "voted", "unseen", "elsewhere", "changed", "paused", "not_allowed"])
async def test_a_form_says_the_result_of_its_own_button(
    result: Any, slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    decision = Decision(result=result, approval=None if result == "not_allowed" else VIEW)
    door.approvals.decides = decision

    await slack_side.interacts(pressed(card.APPROVE, slack))

    told = await slack.gets("api/views.update")
    view = told["view"] if isinstance(told["view"], dict) else json.loads(told["view"])
    assert (told["view_id"], view) == ("V1", forms.told(sentences.answer(decision)))
    assert door.approvals.digests == [VIEW.digest[:16]]


async def test_a_form_that_was_closed_meanwhile_changes_nothing(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    slack.will_answer("api/views.update", {"ok": False, "error": "not_found"})

    assert (await slack_side.interacts(pressed(card.APPROVE, slack))).status_code == 200


async def test_a_form_that_did_not_open_is_asked_for_again(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.reads = Decision(result="decided", approval=VIEW)
    slack.will_answer("api/views.open", {"ok": False, "error": "expired_trigger_id"})

    answer = await slack_side.interacts(click(card.DENY, slack))

    assert answer.status_code == 200
    told = await slack.gets("click/1")
    assert "press Deny again" in told["text"]


async def test_a_stranger_who_denies_sees_no_form(slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor) -> None:
    door.approvals.reads = Decision(result="not_allowed")

    await slack_side.interacts(click(card.DENY, slack))

    assert (await slack.gets("click/1"))["text"] == sentences.NOT_YOURS
    assert slack.told("api/views.open") == []


async def test_ana_denies_with_a_reason(slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor) -> None:
    answer = await slack_side.interacts(submitted("too much"))

    assert (answer.status_code, answer.text) == (200, "")
    assert door.approvals.decided == [("apr_4f6c", ANA, Verdict.DENY, "too much", "slack")]


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(result="reason_required"), sentences.FIXED["reason_required"]),
        (Decision(result="not_allowed"), sentences.NOT_YOURS),
    ],
)
async def test_a_denial_that_is_not_taken_stays_in_the_form(
    decision: Decision, said: str, gate: SlackSide, door: RecordingDoor
) -> None:
    door.approvals.decides = decision

    answer = await gate.interacts(submitted(None))

    assert answer.status_code == 200
    assert answer.json() == {"response_action": "errors", "errors": {forms.REASON: said}}


@pytest.mark.parametrize(
    "changes",
    [{"actions": []}, {"actions": None}, {"actions": ["x"]}, {"channel": None}, {"user": {}}, {"response_url": 7}],
)
@pytest.mark.parametrize("action", [card.APPROVE, card.DENY, card.OPEN])
async def test_a_click_that_lacks_something_is_no_ones_fault(
    action: str, changes: dict[str, Any], slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.decides = Decision(result="unknown")

    answer = await slack_side.interacts(click(action, slack, **changes))

    assert answer.status_code < 500


def spoilt(body: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The body with one part after the other missing, or being something else."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in parts:
        for wrong in (GONE, None, [], [None], {}, "x", 7):
            changed = copy.copy(body)
            if wrong is GONE:
                del changed[name]
            else:
                changed[name] = wrong
            yield (*at, name, wrong), changed
        for inner, changed_value in spoilt(value, (*at, name)):
            changed = copy.copy(body)
            changed[name] = changed_value
            yield inner, changed


GONE = "gone"
BODIES: dict[str, dict[str, Any]] = {
    "event": MESSAGE | {"authorizations": [{"user_id": "U0BOT", "team_id": "T0TEAM", "is_bot": True}]},
    "unknown click": {"type": "block_actions", "user": {}, "actions": [{"action_id": "later", "block_id": "b"}]},
    "old click": {"type": "interactive_message", "callback_id": "later", "actions": [{"name": "a", "type": "button"}]},
    "closed form": {"type": "view_closed", "view": {"type": "modal", "callback_id": "later"}},
    "shortcut": {"type": "shortcut", "callback_id": "later", "user": {"id": "U0ANA"}},
    "suggestion": {"type": "block_suggestion", "action_id": "later", "block_id": "b", "value": "q", "view": {}},
    "dialog": {"type": "dialog_submission", "callback_id": "later", "state": "x", "submission": {}},
    "step": {"type": "workflow_step_edit", "callback_id": "later", "workflow_step": {}},
    "command": {"command": "/approvals", "text": "", "team_id": "T0TEAM", "user_id": "U0ANA"},
    "form": submitted("no"),
}


@pytest.mark.parametrize("name", BODIES)
async def test_no_spoilt_part_of_a_body_is_answered_500(name: str, gate: SlackSide) -> None:
    send = gate.sends if name == "event" else gate.interacts

    answers = {str(what): (await send(body)).status_code for what, body in spoilt(BODIES[name])}

    assert {what: status for what, status in answers.items() if status >= 500} == {}


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "block_actions", "actions": [{"type": "button", "action_id": "later", "block_id": "b", "value": "x"}]},
        {"type": "view_submission", "view": {"type": "modal", "callback_id": "later", "state": {"values": {}}}},
        {"type": "view_closed", "view": {"type": "modal", "callback_id": "later"}},
        {"type": "shortcut", "callback_id": "later"},
        {"type": "message_action", "callback_id": "later", "channel": {"id": "C1"}},
    ],
)
async def test_what_nobody_here_knows_is_acknowledged(payload: dict[str, Any], gate: SlackSide) -> None:
    whole = {"team": {"id": "T0TEAM"}, "user": {"id": "U0ANA", "team_id": "T0TEAM"}, "trigger_id": "t"} | payload

    assert (await gate.interacts(whole)).status_code == 200


async def test_an_unknown_command_is_acknowledged(gate: SlackSide) -> None:
    form = {"command": "/later", "text": "", "team_id": "T0TEAM", "user_id": "U0ANA", "channel_id": "C1"}

    assert (await gate.fills_in(form)).status_code == 200


# --- a larger population -----------------------------------------------------------------------------------


MENTIONS = ("34f258ad", "6aef4770", "7029a35c", "7a24aa6a", "e3fc5fd0", "ef6bcab9")
UNREADABLE = (  # excerpts without a part that Slack always sends, and an answer of the Web API
    "real/block_actions.1cf31dba.json",
    "real/block_actions.6d7f9627.json",
    "real/interactive_message.7a6c1fb8.json",
    "real/interactive_message.b764e01b.json",
    "real/workflow_step_edit.0190af5a.json",
    "real/workflow_step_edit.fd8c2b2c.json",
    "schema_java/api/auth.test.json",
)


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="shared test data not present: ../shared/data")
async def test_every_recorded_payload_is_answered_and_what_people_wrote_is_kept(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    index = json.loads((PAYLOADS / "index.json").read_text())["items"]
    answers, kept = {}, []

    for item in index:
        body = json.loads((PAYLOADS / item["file"]).read_text())
        before = len(door.inbox.kept)
        match item["transport"]:
            case "form payload=":
                answer = await slack_side.interacts(body)
            case "form" if isinstance(body, dict):
                answer = await slack_side.fills_in(body)
            case "websocket" if body["type"] == "slash_commands":
                answer = await slack_side.fills_in(body["payload"])
            case "websocket":
                answer = await slack_side.interacts(body["payload"])
            case _:
                answer = await slack_side.sends(body)
        answers[item["file"]] = answer.status_code
        kept += [item["file"]] * (len(door.inbox.kept) - before)

    assert len(answers) > 100
    assert {file: status for file, status in answers.items() if status != 200} == dict.fromkeys(UNREADABLE, 400)
    assert kept == [f"real/event.app_mention.{one}.json" for one in MENTIONS], "the others are excerpts without a time"
    assert door.approvals.decided == []
    assert slack.calls == []


# --- what waits --------------------------------------------------------------------------------------------


async def test_whoever_opens_the_home_tab_is_shown_what_waits_for_them(
    slack_side: SlackSide, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.waits = [VIEW]
    event = {"type": "app_home_opened", "user": "U0ANA", "channel": "D0ANA", "tab": "home", "event_ts": "1.0"}

    answer = await slack_side.sends({"type": "event_callback", "team_id": "T0TEAM", "event_id": "Ev1", "event": event})

    told = await slack.gets("api/views.publish")
    assert answer.status_code == 200
    assert told["user_id"] == "U0ANA"
    assert "issue_refund" in json.dumps(told["view"])
    assert [(who.account, who.address) for _, who in door.approvals.asked] == [("T0TEAM", "U0ANA")]
    assert door.inbox.kept == []


async def test_the_command_is_answered_with_what_waits_for_whoever_gave_it(
    slack_side: SlackSide, door: RecordingDoor
) -> None:
    door.approvals.waits = [VIEW]
    given = {"command": "/approvals", "text": "", "team_id": "T0TEAM", "user_id": "U0ANA", "channel_id": "C0OPS"}

    answer = await slack_side.fills_in(given)

    assert answer.status_code == 200
    assert answer.json()["text"] == "One request waits for you."
    assert answer.json().get("response_type", "ephemeral") == "ephemeral"
    assert [(who.account, who.address) for _, who in door.approvals.asked] == [("T0TEAM", "U0ANA")]


async def test_a_command_nobody_knows_is_acknowledged(slack_side: SlackSide) -> None:
    given = {"command": "/lunch", "text": "", "team_id": "T0TEAM", "user_id": "U0ANA"}

    answer = await slack_side.fills_in(given)

    assert answer.status_code == 200


@dataclass
class Busy(RecordingApprovals):
    """Decides when it is let."""

    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def decide(self, *args: Any, **words: Any) -> Decision:
        await self.let.wait()
        return await super().decide(*args, **words)


@pytest.mark.parametrize("surface", ["form", "card"])
async def test_what_is_not_decided_in_time_is_not_acknowledged_as_if_it_were(surface: str, slack: FakeSlack) -> None:
    busy = Busy()
    pressed = submitted("too old") if surface == "form" else click(card.APPROVE, slack)
    async with slack_at(f"{slack.base}/api") as channel, side_of(channel, RecordingDoor(approvals=busy)) as side:
        answer = await side.interacts(pressed)
        busy.let.set()

    assert answer.status_code == 503
