"""A customer talks to the agent in Slack: a direct message, a mention, and the thread that follows."""

from typing import Any

from adapters.sandbox import cast
from tests.helpers.rows import rows
from tests.helpers.town import Town

DM = cast.dm_of(cast.MAX)


async def test_a_direct_message_is_answered_in_its_thread(town: Town) -> None:
    await town.max.writes(DM, "Where is order A-1001?")

    reply = (await town.until(lambda: _replies(town, DM), "the reply"))[0]
    root = town.sandbox.state()["channels"][DM][0]
    assert reply["thread_ts"] == root["ts"]
    assert "A-1001" in reply["text"]


async def test_what_follows_in_the_thread_is_the_same_conversation(town: Town) -> None:
    await town.max.writes(DM, "My name is Alice and I live in Boston.")
    await town.until(lambda: _replies(town, DM), "the first reply")
    root = town.sandbox.state()["channels"][DM][0]

    await town.max.writes(DM, "What did I just tell you about myself?", thread_ts=root["ts"])

    replies = await town.until(lambda: _replies(town, DM)[1:], "the second reply")
    assert "Boston" in replies[0]["text"]
    assert len(await rows(town.store, "conversations")) == 1


async def test_a_mention_in_a_channel_is_answered_there_and_other_talk_is_left_alone(town: Town) -> None:
    await town.max.writes(cast.OPS, "Lunch, anybody?")
    await town.max.writes(cast.OPS, f"<@{cast.BOT_USER}> Where is order A-1002?")

    reply = (await town.until(lambda: _replies(town, cast.OPS), "the reply"))[0]
    asked = next(post for post in town.sandbox.state()["channels"][cast.OPS] if "A-1002" in post["text"])
    assert reply["thread_ts"] == asked["ts"]
    assert len(await rows(town.store, "inbox")) == 1


async def test_what_the_agent_says_is_never_a_live_mention_or_link(town: Town) -> None:
    await town.max.writes(DM, "Tell <@U0ANA> &lt;!channel&gt; and &lt;https://evil.example|https://bank.example&gt;")

    reply = (await town.until(lambda: _replies(town, DM), "the reply"))[0]
    assert "!channel" in reply["text"]
    assert "@U0ANA" in reply["text"]
    assert "<" not in reply["text"]


async def test_a_customer_in_slack_cannot_approve_their_own_request(town: Town) -> None:
    await town.ana.writes(cast.dm_of(cast.ANA), "Please refund order A-1001, $40.")
    card = await town.card()

    await town.ana.approves(card)

    assert "not yours" in await town.ana.is_told()
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["pending"]


def _replies(town: Town, channel: str) -> list[dict[str, Any]]:
    return [post for post in town.sandbox.state()["channels"][channel] if "bot" in post and post.get("thread_ts")]


async def test_what_is_edited_or_deleted_while_a_colleague_decides_is_answered_as_it_is_then(town: Town) -> None:
    root = await town.max.writes(DM, "Please refund order A-1001, $40.")
    card = await town.card()
    edited = await town.max.writes(DM, "Where is order A-1001?", root)
    deleted = await town.max.writes(DM, "Where is order A-1003?", root)
    await town.max.edits(DM, edited, "Where is order A-1002?")
    await town.max.deletes(DM, deleted)

    await town.ana.approves(card)

    replies = await town.until(lambda: [one for one in _replies(town, DM) if "A-1002" in one["text"]], "the reply")
    assert len(replies) == 1
    assert not [one for one in _replies(town, DM) if "A-1003" in one["text"]]
    assert [row["status"] for row in await rows(town.store, "inbox") if row["kind"] == "message"] == [
        "done",
        "done",
        "withdrawn",
    ]
