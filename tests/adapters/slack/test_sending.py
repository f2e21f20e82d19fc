"""What the real Slack client sends, and what each of Slack's refusals means for the outbox."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from slack_sdk.errors import SlackApiError
from starlette.responses import Response

from adapters.slack import render
from adapters.slack.channel import SlackChannel
from adapters.slack.settings import SlackSettings
from gateway.errors import GiveUp, KeyRefused, TryLater, Uncertain, Unknowable, WillNeverArrive
from gateway.events import ApprovalState, AskApproval, Outbound, Receipt, Remind, Say, ShowOutcome, ThreadRef
from tests.adapters.doors import HangsUp, nobody_listens
from tests.adapters.slack.conftest import FakeSlack, slack_at
from tests.adapters.slack.test_render import VIEW

THREAD = ThreadRef("slack", "T0TEAM", "D0ALICE:1.0001")
OPS = ThreadRef("slack", "", "C0OPS")
HELLO = Say(to=THREAD, text="a < b", ref="out-7")
DONE = replace(VIEW, state=ApprovalState.APPROVED, decided_by="ana")
OUTCOME = ShowOutcome(to=OPS, approval=DONE, receipt=Receipt(provider_id="C0OPS:5.0001"), ref="out-9")


async def test_an_answer_goes_into_its_thread_as_plain_text(channel: SlackChannel, slack: FakeSlack) -> None:
    receipt = await channel.send(HELLO)

    told = await slack.gets("api/chat.postMessage")
    assert receipt == Receipt(provider_id="D0ALICE:7.0001")
    assert told["channel"] == "D0ALICE"
    assert told["thread_ts"] == "1.0001"
    assert told["text"] == "a &lt; b"
    assert told["parse"] == "none"
    assert (told["unfurl_links"], told["unfurl_media"]) == (False, False)
    assert "link_names" not in told
    assert told["metadata"] == {"event_type": "gatehouse", "event_payload": {"ref": "out-7"}}
    assert slack.calls[0].authorization == "Bearer xoxb-test"


async def test_a_card_goes_to_its_channel(channel: SlackChannel, slack: FakeSlack) -> None:
    receipt = await channel.send(AskApproval(to=OPS, approval=VIEW, ref="out-8"))

    told = await slack.gets("api/chat.postMessage")
    assert receipt == Receipt(provider_id="C0OPS:7.0001")
    assert told["channel"] == "C0OPS"
    assert not told.get("thread_ts")
    assert told["blocks"] == render.message(AskApproval(to=OPS, approval=VIEW))["blocks"]
    assert VIEW.id not in str(told["metadata"])


async def test_an_outcome_changes_the_card(channel: SlackChannel, slack: FakeSlack) -> None:
    receipt = await channel.send(OUTCOME)

    told = await slack.gets("api/chat.update")
    assert receipt == OUTCOME.receipt
    assert (told["channel"], told["ts"]) == ("C0OPS", "5.0001")
    assert told["blocks"] == render.message(OUTCOME)["blocks"]
    assert slack.told("api/chat.postMessage") == []


@pytest.mark.parametrize("gone", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_where_the_card_is_gone_the_outcome_is_a_reply(
    gone: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.will_answer("api/chat.update", {"ok": False, "error": gone})

    receipt = await channel.send(OUTCOME)

    told = await slack.gets("api/chat.postMessage")
    assert receipt == Receipt(provider_id="C0OPS:7.0001")
    assert (told["channel"], told["thread_ts"]) == ("C0OPS", "5.0001")


async def test_an_outcome_without_a_card_is_a_message(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.send(replace(OUTCOME, receipt=None))

    assert (await slack.gets("api/chat.postMessage"))["channel"] == "C0OPS"


REMINDER = Remind(to=OPS, approval=VIEW, receipt=Receipt(provider_id="C0OPS:5.0001"), ref="out-10")


async def test_a_reminder_stands_below_its_card_and_in_the_channel(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.send(REMINDER)

    told = await slack.gets("api/chat.postMessage")
    assert (told["channel"], told["thread_ts"], told["reply_broadcast"]) == ("C0OPS", "5.0001", True)
    assert told["text"].startswith("Reminder: issue_refund still waits for a decision.")
    assert "<" not in told["text"]


async def test_an_uncertain_reminder_is_looked_for_below_its_card(channel: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/conversations.replies", {"ok": True, "messages": [posted("out-10", "9.0")]})

    assert await channel.find(REMINDER) == Receipt(provider_id="C0OPS:9.0")
    told = await slack.gets("api/conversations.replies")
    assert (told["channel"], told["ts"]) == ("C0OPS", "5.0001")


async def test_a_user_groups_members_are_asked_of_slack(channel: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/usergroups.users.list", {"ok": True, "users": ["U0ANA", "U0BEN"]})

    assert list(await channel.members("S0LEADS")) == ["U0ANA", "U0BEN"]
    assert (await slack.gets("api/usergroups.users.list"))["usergroup"] == "S0LEADS"


@pytest.mark.parametrize(
    "answer", [{"ok": False, "error": "plan_upgrade_required"}, {"ok": True}, {"ok": True, "users": 7}]
)
async def test_where_slack_does_not_say_who_is_in_a_group_nobody_is(
    answer: dict[str, Any], channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.will_answer("api/usergroups.users.list", answer)

    with pytest.raises((GiveUp, SlackApiError)):
        await channel.members("S0LEADS")


REFUSALS: list[tuple[dict[str, Any], int, dict[str, str], type[Exception]]] = [
    ({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": "12"}, TryLater),
    ({"ok": False, "error": "ratelimited"}, 429, {}, TryLater),
    ({"ok": False, "error": "rate_limited"}, 200, {}, TryLater),
    ({"ok": False, "error": "invalid_auth"}, 200, {}, KeyRefused),
    ({"ok": False, "error": "token_revoked"}, 200, {}, KeyRefused),
    ({"ok": False, "error": "account_inactive"}, 200, {}, KeyRefused),
    ({"ok": False, "error": "channel_not_found"}, 200, {}, WillNeverArrive),
    ({"ok": False, "error": "is_archived"}, 200, {}, WillNeverArrive),
    ({"ok": False, "error": "not_in_channel"}, 200, {}, WillNeverArrive),
    ({"ok": False, "error": "internal_error"}, 200, {}, Uncertain),
    ({"ok": False, "error": "fatal_error"}, 200, {}, Uncertain),
    ({}, 500, {}, Uncertain),
    ({}, 503, {}, Uncertain),
]


@pytest.mark.parametrize(("body", "status", "headers", "meaning"), REFUSALS)
@pytest.mark.parametrize(("message", "method"), [(HELLO, "chat.postMessage"), (OUTCOME, "chat.update")])
async def test_each_refusal_says_what_to_do_next(
    body: dict[str, Any],
    status: int,
    headers: dict[str, str],
    meaning: type[Exception],
    message: Outbound,
    method: str,
    channel: SlackChannel,
    slack: FakeSlack,
) -> None:
    slack.will_answer(f"api/{method}", body, status, headers)

    with pytest.raises(meaning) as caught:
        await channel.send(message)

    assert type(caught.value) is meaning
    assert len(slack.calls) == 1, "the outbox owns the retries"
    assert "xoxb" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 500, 502])
async def test_a_page_of_a_proxy_in_between_is_uncertain(status: int, channel: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/chat.postMessage", Response("<html>Bad gateway</html>", status_code=status))

    with pytest.raises(Uncertain):
        await channel.send(HELLO)


@pytest.mark.parametrize(("header", "seconds"), [("12", 12.0), ("1", 1.0), ("soon", None), ("-1", None)])
async def test_slack_says_how_long_to_wait(
    header: str, seconds: float | None, channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.will_answer("api/chat.postMessage", {"ok": False, "error": "ratelimited"}, 429, {"Retry-After": header})

    with pytest.raises(TryLater) as caught:
        await channel.send(HELLO)

    assert caught.value.retry_after == seconds


async def test_a_slack_that_cannot_be_reached_is_tried_later() -> None:
    async with slack_at(nobody_listens()) as channel:
        with pytest.raises(TryLater):
            await channel.send(HELLO)


@pytest.mark.parametrize("message", [HELLO, OUTCOME])
async def test_a_lost_answer_is_uncertain_and_not_sent_again(message: Outbound) -> None:
    slack = HangsUp()

    async with slack.open(), slack_at(slack.base) as channel:
        with pytest.raises(Uncertain):
            await channel.send(message)

    assert slack.requests == 1


def posted(ref: str, ts: str) -> dict[str, Any]:
    return {"ts": ts, "metadata": {"event_type": "gatehouse", "event_payload": {"ref": ref}}}


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([posted("out-6", "6.0"), posted("out-7", "7.0")], Receipt(provider_id="D0ALICE:7.0")),
        ([posted("out-6", "6.0"), {"ts": "7.0"}, {"ts": "8.0", "metadata": None}, {"ts": "9.0", "metadata": {}}], None),
        ([], None),
    ],
)
async def test_an_uncertain_answer_is_looked_for_in_its_thread(
    messages: list[dict[str, Any]], found: Receipt | None, channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.will_answer("api/conversations.replies", {"ok": True, "messages": messages})

    assert await channel.find(HELLO) == found
    told = await slack.gets("api/conversations.replies")
    assert (told["channel"], told["ts"]) == ("D0ALICE", "1.0001")
    assert told["include_all_metadata"] in ("1", "true")


async def test_an_uncertain_card_is_looked_for_in_its_channel(channel: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/conversations.history", {"ok": True, "messages": [posted("out-8", "8.0")]})

    assert await channel.find(AskApproval(to=OPS, approval=VIEW, ref="out-8")) == Receipt(provider_id="C0OPS:8.0")


async def test_an_outcome_is_simply_shown_again(channel: SlackChannel, slack: FakeSlack) -> None:
    assert await channel.find(OUTCOME) is None
    assert slack.calls == []


async def test_where_slack_does_not_show_the_channel_nobody_knows(channel: SlackChannel, slack: FakeSlack) -> None:
    slack.will_answer("api/conversations.replies", {"ok": False, "error": "missing_scope"})

    with pytest.raises(Unknowable):
        await channel.find(HELLO)


@pytest.mark.parametrize(
    ("to", "lane"),
    [
        (THREAD, "slack:T0TEAM:D0ALICE"),
        (ThreadRef("slack", "T0TEAM", "D0ALICE:2.0"), "slack:T0TEAM:D0ALICE"),
        (OPS, "slack::C0OPS"),
    ],
)
async def test_everything_for_one_channel_waits_in_one_lane(to: ThreadRef, lane: str, channel: SlackChannel) -> None:
    assert channel.lane(to) == lane


@pytest.mark.parametrize("secrets", ["", ",", " , "])
def test_a_signing_secret_of_nothing_but_commas_is_refused(secrets: str) -> None:
    with pytest.raises(ValueError, match="signing_secret"):
        SlackSettings(signing_secret=SecretStr(secrets), bot_token=SecretStr("xoxb-test"))
