"""A reply that streams in Slack: only what is settled is appended; its end is whole whatever became of the stream."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from adapters.slack.channel import SlackChannel
from adapters.slack.markdown import LABEL_ENDS, LINK, LIVE, neutral, settled
from adapters.slack.streams import APPENDS, MARK, STARTS
from gateway.errors import TryLater, WillNeverArrive
from gateway.events import Identity, Receipt, Say, ThreadRef
from tests.adapters.doors import HangsUp
from tests.adapters.slack.conftest import Clock, FakeSlack, slack_at

THREAD = ThreadRef("slack", "T0TEAM", "C0SHOP:1.0001")
ALICE = Identity(channel="slack", account="T0TEAM", address="U0ALICE")
HALF = f"C0SHOP:7.0001{MARK}"
END = Say(to=THREAD, text="On its way.", replaces=HALF, ref="out-7")


# --- what is settled ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("On its way", "On its "),
        ("word", ""),
        ("see <!chan", "see "),
        ("see <!channel> or", "see <!channel> "),
        ("a &lt;", "a "),
        ("go [to the bank](https://evil", "go "),
        ("go [to the bank](https://evil.example) now", "go [to the bank](https://evil.example) "),
        ("go ![to the", "go "),
        ("go x[ open\nand on", "go x[ open\nand "),
        ("[1] and [2] or [three", "[1] and [2] or "),
        ("[[a b", ""),
    ],
)
def test_nothing_is_settled_that_later_text_could_change(text: str, beginning: str) -> None:
    assert settled(text) == beginning


PIECES = [*"<[]()!\\|\n x", "!channel", "@U1", "&lt;", "&#60;", "https:", "//a.b", "[x](", "[a b](https://c.d", "![y"]
TEXTS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=30)


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_whatever_a_reply_says_what_was_appended_is_the_beginning_of_its_neutral_form(chunks: Sequence[str]) -> None:
    text, shown = "", ""
    for chunk in chunks:
        text += chunk
        now = neutral(settled(text))
        assert now.startswith(shown)
        assert not any(pattern.search(now) for pattern in (LIVE, LABEL_ENDS, LINK))
        shown = now
    assert neutral(text).startswith(shown)


# --- it grows ----------------------------------------------------------------------------------------------


async def test_the_pieces_of_a_stream_are_the_neutral_text(channel: SlackChannel, slack: FakeSlack) -> None:
    handle = await channel.live.open(THREAD, "On <!channel> its w", ALICE)
    assert handle == HALF
    await channel.live.grow(THREAD, HALF, "On <!channel> its way to [the ba")
    await channel.live.grow(THREAD, HALF, "On <!channel> its way to [the bank](https://evil.example) or")

    began = await slack.gets("api/chat.startStream")
    assert (began["channel"], began["thread_ts"]) == ("C0SHOP", "1.0001")
    assert (began["recipient_user_id"], began["recipient_team_id"]) == ("U0ALICE", "T0TEAM")
    appended = [told["markdown_text"] for told in slack.told("api/chat.appendStream")]
    whole = neutral("On <!channel> its way to [the bank](https://evil.example) ")
    assert "".join([began["markdown_text"], *appended]) == whole
    assert all(told["ts"] == "7.0001" for told in slack.told("api/chat.appendStream"))


async def test_what_does_not_go_on_from_what_stands_there_waits_for_the_end(
    channel: SlackChannel, slack: FakeSlack
) -> None:
    await channel.live.open(THREAD, "On its way", ALICE)

    await channel.live.grow(THREAD, HALF, "Another message of the agent")
    await channel.live.grow(THREAD, f"C0SHOP:9.0{MARK}", "A stream that another process opened")

    assert slack.methods() == ["chat.startStream"]


@pytest.mark.parametrize(
    "error",
    ["not_allowed_token_type", "missing_scope", "unknown_method", "missing_recipient_user_id", "restricted_action"],
)
async def test_where_slack_does_not_let_it_stream_it_is_changed_instead_and_slack_is_not_asked_again(
    error: str, channel: SlackChannel, slack: FakeSlack, standing: Clock
) -> None:
    slack.refuses("chat.startStream", error)

    assert await channel.live.open(THREAD, "On its way", ALICE) == "C0SHOP:7.0001"
    assert await channel.live.open(THREAD, "On its way", ALICE) == "C0SHOP:7.0001"
    assert slack.methods() == ["chat.startStream", "chat.postMessage", "chat.postMessage"]

    standing.now += timedelta(hours=1)
    assert await channel.live.open(THREAD, "On its way", ALICE) == HALF


async def test_streams_keep_to_a_share_of_what_slack_bears_and_what_is_over_it_is_changed_instead(
    channel: SlackChannel, slack: FakeSlack
) -> None:
    for _ in range(STARTS.burst):
        assert await channel.live.open(THREAD, "On its way", ALICE) == HALF
    assert await channel.live.open(THREAD, "On its way", ALICE) == "C0SHOP:7.0001"

    for number in range(APPENDS.burst + 5):
        await channel.live.grow(THREAD, HALF, "On its way" + " on" * number + " and")
    assert slack.methods().count("chat.appendStream") == APPENDS.burst


async def test_after_slack_asked_for_silence_nothing_is_started_until_then(
    channel: SlackChannel, slack: FakeSlack, standing: Clock
) -> None:
    slack.refuses("chat.startStream", "ratelimited", 429, **{"Retry-After": "20"})

    assert await channel.live.open(THREAD, "On its way", ALICE) == "C0SHOP:7.0001"
    standing.now += timedelta(seconds=20)
    assert await channel.live.open(THREAD, "On its way", ALICE) == "C0SHOP:7.0001"

    standing.now += timedelta(seconds=7)
    assert await channel.live.open(THREAD, "On its way", ALICE) == HALF


@pytest.mark.parametrize("error", ["message_not_in_streaming_state", "stopped_by_user", "message_not_found"])
async def test_a_stream_that_is_over_grows_no_more(error: str, channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.live.open(THREAD, "On its way", ALICE)
    slack.refuses("chat.appendStream", error)

    with pytest.raises(WillNeverArrive):
        await channel.live.grow(THREAD, HALF, "On its way to you")


async def test_a_lost_answer_opens_no_second_message() -> None:
    slack = HangsUp()

    async with slack.open(), slack_at(slack.base) as channel:
        with pytest.raises(TryLater):
            await channel.live.open(THREAD, "On its way", ALICE)
    assert slack.requests == 1


# --- it ends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stopping",
    ["", "message_not_in_streaming_state", "stopped_by_user", "message_not_found", "internal_error", "ratelimited"],
)
async def test_the_whole_reply_takes_its_place_whatever_became_of_the_stream(
    stopping: str, channel: SlackChannel, slack: FakeSlack
) -> None:
    if stopping:
        slack.refuses("chat.stopStream", stopping)

    assert await channel.send(END) == Receipt(provider_id="C0SHOP:7.0001")

    assert slack.methods() == ["chat.stopStream", "chat.update"]
    told = await slack.gets("api/chat.update")
    assert (told["ts"], told["text"]) == ("7.0001", "On its way.")
    assert told["metadata"]["event_payload"] == {"ref": "out-7"}


async def test_where_the_message_is_gone_the_reply_is_posted(channel: SlackChannel, slack: FakeSlack) -> None:
    for method in ("chat.stopStream", "chat.update", "chat.delete"):
        slack.refuses(method, "message_not_found")

    await channel.send(END)

    assert slack.methods()[-2:] == ["chat.delete", "chat.postMessage"]


async def test_a_message_that_still_streams_is_tried_again_and_nothing_is_posted_beside_it(
    channel: SlackChannel, slack: FakeSlack
) -> None:
    slack.refuses("chat.stopStream", "ratelimited", 429)
    slack.refuses("chat.update", "streaming_state_conflict")

    with pytest.raises(TryLater):
        await channel.send(END)
    assert await channel.send(END) == Receipt(provider_id="C0SHOP:7.0001")

    assert "chat.postMessage" not in slack.methods()


async def test_what_rests_streams_no_more(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.live.open(THREAD, "On its way", ALICE)

    await channel.live.rest(THREAD, HALF)
    await channel.live.rest(THREAD, "C0SHOP:8.0")
    await channel.live.grow(THREAD, HALF, "On its way to you")

    assert slack.methods() == ["chat.startStream", "chat.stopStream"]


# --- at work -----------------------------------------------------------------------------------------------


async def test_it_is_said_that_the_agent_is_at_work_and_no_more(channel: SlackChannel, slack: FakeSlack) -> None:
    await channel.live.working(THREAD, True)
    await channel.live.working(THREAD, False)

    said = slack.told("api/assistant.threads.setStatus")
    assert [(told["channel_id"], told["thread_ts"]) for told in said] == [("C0SHOP", "1.0001")] * 2
    assert [told["status"] for told in said] == ["is thinking…", ""]


@pytest.mark.parametrize("error", ["missing_scope", "channel_not_found", "token_revoked"])
async def test_where_it_is_refused_slack_is_not_asked_again_for_a_while(
    error: str, channel: SlackChannel, slack: FakeSlack, standing: Clock
) -> None:
    slack.refuses("assistant.threads.setStatus", error)

    for _ in range(3):
        await channel.live.working(THREAD, True)
    assert len(slack.calls) == 1

    standing.now += timedelta(hours=1)
    await channel.live.working(THREAD, True)
    assert len(slack.calls) == 2


async def test_that_slack_is_away_stops_nobody() -> None:
    slack = HangsUp()
    async with slack.open(), slack_at(slack.base) as channel:
        await channel.live.working(THREAD, True)
