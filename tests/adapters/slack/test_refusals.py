"""What becomes of words that Slack refuses: another way, a sentence for operations, or one more try later."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.slack.channel import SlackChannel
from gateway.errors import KeyRefused, TryLater, Uncertain, WillNeverArrive
from gateway.events import ApprovalState, AskApproval, Outbound, Receipt, Remind, Say, ShowOutcome, ThreadRef
from tests.adapters.slack.conftest import FakeSlack
from tests.adapters.slack.test_render import VIEW

METHODS = Path(__file__).parents[4] / "shared/data/slack/methods.json"
THREAD = ThreadRef("slack", "T0TEAM", "D0ALICE:1.0001")
OPS = ThreadRef("slack", "", "C0OPS")
HELLO = Say(to=THREAD, text="**a** < b", ref="out-7")
DONE = replace(VIEW, state=ApprovalState.APPROVED, decided_by="ana")
OUTCOME = ShowOutcome(to=OPS, approval=DONE, receipt=Receipt(provider_id="C0OPS:5.0001"), ref="out-9")
REMINDER = Remind(to=OPS, approval=VIEW, receipt=Receipt(provider_id="C0OPS:5.0001"), ref="out-10")


def methods(slack: FakeSlack) -> list[str]:
    return [call.what.removeprefix("api/") for call in slack.calls]


def refuse(slack: FakeSlack, method: str, error: str, **more: str) -> None:
    slack.will_answer(f"api/{method}", {"ok": False, "error": error, **more})


async def test_a_missing_scope_is_named_to_operations_and_it_is_tried_again(
    channel: SlackChannel, slack: FakeSlack
) -> None:
    refuse(slack, "chat.postMessage", "missing_scope", needed="chat:write", provided="commands")

    with pytest.raises(KeyRefused, match="needs chat:write"):
        await channel.send(HELLO)


@pytest.mark.parametrize("error", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"])
async def test_where_slack_does_not_take_the_blocks_the_words_arrive(
    error: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    refuse(slack, "chat.postMessage", error)

    assert await channel.send(HELLO) == Receipt(provider_id="D0ALICE:7.0001")

    first, second = slack.told("api/chat.postMessage")
    assert first["blocks"]
    assert (second["text"], second["blocks"], second["thread_ts"]) == ("**a** &lt; b", [], "1.0001")
    assert second["metadata"] == first["metadata"]


async def test_the_end_of_a_half_message_too_and_in_its_place(channel: SlackChannel, slack: FakeSlack) -> None:
    refuse(slack, "chat.update", "invalid_blocks")

    assert await channel.send(replace(HELLO, replaces="D0ALICE:5.0")) == Receipt(provider_id="D0ALICE:5.0")

    assert methods(slack) == ["chat.update", "chat.update"]
    assert slack.told("api/chat.update")[1]["blocks"] == []


async def test_an_outcome_whose_blocks_are_refused_leaves_no_buttons(channel: SlackChannel, slack: FakeSlack) -> None:
    refuse(slack, "chat.update", "invalid_blocks")

    await channel.send(OUTCOME)

    told = slack.told("api/chat.update")[1]
    assert told["blocks"] == []
    assert "Approved" in told["text"]


async def test_a_request_without_its_buttons_is_of_no_use(channel: SlackChannel, slack: FakeSlack) -> None:
    refuse(slack, "chat.postMessage", "invalid_blocks")

    with pytest.raises(WillNeverArrive):
        await channel.send(AskApproval(to=OPS, approval=VIEW))
    assert methods(slack) == ["chat.postMessage"]


@pytest.mark.parametrize("error", ["thread_not_found", "cannot_reply_to_message"])
@pytest.mark.parametrize("message", [HELLO, REMINDER])
async def test_where_the_threads_first_message_was_deleted_it_is_said_beside_it(
    message: Outbound, error: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    refuse(slack, "chat.postMessage", error)

    await channel.send(message)

    told = slack.told("api/chat.postMessage")[1]
    assert told["channel"] == message.to.key.partition(":")[0]
    assert not told.get("thread_ts")
    assert not told.get("reply_broadcast")


async def test_and_looked_for_there(channel: SlackChannel, slack: FakeSlack) -> None:
    refuse(slack, "conversations.replies", "thread_not_found")
    found = {"ts": "8.0", "metadata": {"event_type": "gatehouse", "event_payload": {"ref": "out-7"}}}
    slack.will_answer("api/conversations.history", {"ok": True, "messages": [found]})

    assert await channel.find(HELLO) == Receipt(provider_id="D0ALICE:8.0")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("not_in_channel", "invite the app"),
        ("channel_not_found", "no such channel"),
        ("is_archived", "unarchive it"),
        ("restricted_action", "the workspace lets"),
        ("restricted_action_thread_locked", "the workspace lets"),
    ],
)
async def test_what_slack_refuses_for_good_is_said_with_what_to_do(
    error: str, advice: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    refuse(slack, "chat.postMessage", error)

    with pytest.raises(WillNeverArrive, match=f"{error}: .*{advice}"):
        await channel.send(HELLO)


def _listed() -> list[tuple[str, str]]:
    if not METHODS.is_file():
        return []
    listed: dict[str, Any] = json.loads(METHODS.read_text())["methods"]
    return [(method, error) for method in ("chat.postMessage", "chat.update") for error in listed[method]["errors"]]


@pytest.mark.skipif(not METHODS.is_file(), reason="shared test data not present: ../shared/data")
async def test_every_refusal_that_slack_lists_has_a_meaning(channel: SlackChannel, slack: FakeSlack) -> None:
    for method, error in _listed():
        slack.calls.clear()
        refuse(slack, method, error)
        try:
            await channel.send(HELLO if method == "chat.postMessage" else OUTCOME)
        except (TryLater, WillNeverArrive, Uncertain) as refused:
            assert error in str(refused)  # noqa: PT017 - it may as well have found another way
        assert len(slack.calls) <= 2, error
