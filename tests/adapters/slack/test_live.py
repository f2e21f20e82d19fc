"""A reply that grows in Slack: one message, changed within Slack's limits, and then ended."""

import json
from datetime import timedelta

import pytest

from adapters.sandbox.blocks import check_blocks
from adapters.slack.channel import SlackChannel
from adapters.slack.live import SHARE
from gateway.errors import KeyRefused, TryLater, Uncertain, WillNeverArrive
from gateway.events import Receipt, Say, ThreadRef
from tests.adapters.doors import HangsUp
from tests.adapters.slack.conftest import Clock, FakeSlack, slack_at

THREAD = ThreadRef("slack", "T0TEAM", "D0ALICE:1.0001")
HALF = "D0ALICE:5.0001"
END = Say(to=THREAD, text="a < b", replaces=HALF, ref="out-7")


def cannot_stream(slack: FakeSlack) -> None:
    slack.refuses("chat.startStream", "not_allowed_token_type")


# --- it grows ----------------------------------------------------------------------------------------------


async def test_the_beginning_is_a_message_in_the_thread_that_says_more_is_to_come(
    channel: SlackChannel, slack: FakeSlack
) -> None:
    cannot_stream(slack)
    handle = await channel.live.open(THREAD, "on <!channel> its")

    told = await slack.gets("api/chat.postMessage")
    assert handle == "D0ALICE:7.0001"
    assert (told["channel"], told["thread_ts"]) == ("D0ALICE", "1.0001")
    assert told["text"] == "on &lt;!channel&gt; its …"
    assert told["parse"] == "none"


async def test_more_of_it_changes_that_message(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.live.grow(THREAD, HALF, "on its < way")

    told = await slack.gets("api/chat.update")
    assert (told["channel"], told["ts"], told["text"]) == ("D0ALICE", "5.0001", "on its &lt; way …")


async def test_it_never_grows_over_what_slack_takes(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.live.grow(THREAD, HALF, "<!here> " * 3_000)

    told = await slack.gets("api/chat.update")
    check_blocks(json.loads(told["blocks"]) if isinstance(told["blocks"], str) else told["blocks"])
    assert len(told["text"]) <= 4_000


async def test_all_conversations_together_keep_to_a_share_of_what_slack_bears(
    channel: SlackChannel, slack: FakeSlack, standing: Clock
) -> None:
    for number in range(3 * SHARE.burst):
        await channel.live.grow(THREAD, HALF, str(number))
    assert len(slack.calls) == SHARE.burst
    cannot_stream(slack)
    assert await channel.live.open(THREAD, "one more") is None

    standing.now += SHARE.every
    await channel.live.grow(THREAD, HALF, "the newest")

    assert slack.told("api/chat.update")[-1]["text"] == "the newest …"


async def test_after_slack_asked_for_silence_nothing_grows_until_then(
    channel: SlackChannel, slack: FakeSlack, standing: Clock
) -> None:
    slack.refuses("chat.update", "ratelimited", 429, **{"Retry-After": "20"})

    await channel.live.grow(THREAD, HALF, "on")
    standing.now += timedelta(seconds=20)
    await channel.live.grow(THREAD, HALF, "on its")
    assert len(slack.calls) == 1

    standing.now += timedelta(seconds=3)
    await channel.live.grow(THREAD, HALF, "on its way")
    assert len(slack.calls) == 2


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "channel_not_found"])
async def test_a_message_that_cannot_be_changed_ends_the_growth(
    error: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.refuses("chat.update", error)

    with pytest.raises(WillNeverArrive):
        await channel.live.grow(THREAD, HALF, "on")


async def test_a_beginning_that_slack_refuses_for_now_is_not_shown(channel: SlackChannel, slack: FakeSlack) -> None:
    cannot_stream(slack)
    slack.refuses("chat.postMessage", "ratelimited", 429)

    assert await channel.live.open(THREAD, "on") is None


async def test_a_lost_answer_ends_the_growth() -> None:
    slack = HangsUp()

    async with slack.open(), slack_at(slack.base) as channel:
        with pytest.raises(TryLater):
            await channel.live.open(THREAD, "on")
        with pytest.raises(TryLater):
            await channel.live.grow(THREAD, HALF, "on")


# --- it ends -----------------------------------------------------------------------------------------------


async def test_the_whole_reply_takes_the_place_of_its_beginning(channel: SlackChannel, slack: FakeSlack) -> None:
    receipt = await channel.send(END)

    told = await slack.gets("api/chat.update")
    assert receipt == Receipt(provider_id=HALF)
    assert (told["channel"], told["ts"], told["text"]) == ("D0ALICE", "5.0001", "a &lt; b")
    assert told["metadata"] == {"event_type": "gatehouse", "event_payload": {"ref": "out-7"}}
    assert slack.methods() == ["chat.update"]


@pytest.mark.parametrize("error", ["message_not_found", "cant_update_message", "edit_window_closed", "msg_too_long"])
async def test_where_the_beginning_cannot_be_changed_the_reply_is_posted_and_the_beginning_goes(
    error: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.refuses("chat.update", error)
    slack.refuses("chat.delete", "message_not_found")

    receipt = await channel.send(END)

    told = await slack.gets("api/chat.postMessage")
    assert receipt == Receipt(provider_id="D0ALICE:7.0001")
    assert (told["channel"], told["thread_ts"], told["text"]) == ("D0ALICE", "1.0001", "a &lt; b")
    assert slack.methods() == ["chat.update", "chat.delete", "chat.postMessage"]


def test_a_reply_that_is_too_long_for_one_message_is_several(channel: SlackChannel) -> None:
    parts = channel.parts(END.to, "A sentence about kites. " * 1_000)

    assert len(parts) == 4
    assert [channel.parts(END.to, part) for part in parts] == [[part] for part in parts]


@pytest.mark.parametrize(
    ("error", "status", "meaning"),
    [("ratelimited", 429, TryLater), ("invalid_auth", 200, KeyRefused), ("internal_error", 200, Uncertain)],
)
@pytest.mark.parametrize("method", ["chat.update", "chat.delete", "chat.postMessage"])
async def test_what_may_pass_is_left_to_the_outbox(
    error: str, status: int, meaning: type[Exception], method: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    if method != "chat.update":
        slack.refuses("chat.update", "message_not_found")
    slack.refuses(method, error, status)

    with pytest.raises(meaning):
        await channel.send(END)

    assert slack.methods()[-1] == method


async def test_an_uncertain_end_is_looked_for_like_any_reply(channel: SlackChannel, slack: FakeSlack) -> None:
    ended = {"ts": "5.0001", "metadata": {"event_type": "gatehouse", "event_payload": {"ref": "out-7"}}}
    growing = {"ts": "4.0", "metadata": {"event_type": "gatehouse", "event_payload": {"ref": "live"}}}
    slack.will_answer("api/conversations.replies", {"ok": True, "messages": [growing, ended]})

    assert await channel.find(END) == Receipt(provider_id=HALF)
