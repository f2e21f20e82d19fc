"""A thread in Slack over time: several people write in it, and after a long silence it begins anew."""

from datetime import timedelta
from typing import Any

from adapters.sandbox import cast
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

DM = cast.dm_of(cast.MAX)
MENTION = f"<@{cast.BOT_USER}>"
REQUESTER_ALONE = POLICY.replace('approvers = ["ana"]', 'approvers = ["requester"]')
AN_HOUR = POLICY.replace('agent = "support"', 'agent = "support"\nsession_idle = "1h"')


async def test_of_two_people_in_a_thread_whoever_asked_is_the_requester(under: Under) -> None:
    async with under(REQUESTER_ALONE) as town:
        root = await town.ana.writes(cast.OPS, f"{MENTION} Where is order A-1002?")
        await town.until(lambda: _replies(town, cast.OPS), "the first reply")
        await town.max.writes(cast.OPS, "Please refund order A-1001, $40.", root)
        card = (await town.until(lambda: _cards(town), "the card"))[0]

        await town.ana.approves(card)
        assert "not yours" in await town.ana.is_told()
        await town.max.approves(card)

        await town.until(lambda: [one for one in _replies(town, cast.OPS) if "$40" in one["text"]], "the refund")
        assert cast.MAX in str(card["blocks"])
        assert cast.ANA not in str(card["blocks"])
        assert [row["state"] for row in await rows(town.store, "approvals")] == ["approved"]


async def test_each_post_of_a_thread_names_its_author_and_the_agent_remembers_both(town: Town) -> None:
    root = await town.ana.writes(cast.OPS, f"{MENTION} My name is Alice and I live in Boston.")
    await town.until(lambda: _replies(town, cast.OPS), "the first reply")
    await town.max.writes(cast.OPS, "What did I just tell you about myself?", root)

    replies = await town.until(lambda: _replies(town, cast.OPS)[1:], "the second reply")
    assert "Boston" in replies[0]["text"], "one memory for the thread"
    posts = [turn["posted_text"] for turn in await rows(town.store, "turns")]
    assert [f'address="{user}"' in post for user, post in zip((cast.ANA, cast.MAX), posts, strict=True)] == [True, True]


async def test_after_a_long_silence_a_thread_goes_on_in_a_new_session(under: Under) -> None:
    async with under(AN_HOUR) as town:
        root = await town.max.writes(DM, "My name is Alice and I live in Boston.")
        await town.until(lambda: _replies(town, DM), "the first reply")
        town.clock.passes(timedelta(minutes=59))
        await town.max.writes(DM, "What did I just tell you about myself?", root)
        known = (await town.until(lambda: _replies(town, DM)[1:], "the second reply"))[0]

        town.clock.passes(timedelta(minutes=61))
        await town.max.writes(DM, "What did I just tell you about myself?", root)

        forgotten = (await town.until(lambda: _replies(town, DM)[2:], "the third reply"))[0]
        assert ["Boston" in one["text"] for one in (known, forgotten)] == [True, False]
        first, second, third = [turn["session_id"] for turn in await rows(town.store, "turns")]
        assert (first == second, second == third) == (True, False), "the old one stays with its turns"
        (conversation,) = await rows(town.store, "conversations")
        assert conversation["session_id"] == third


def _cards(town: Town) -> list[dict[str, Any]]:
    return [post for post in town.cards() if any(block["type"] == "actions" for block in post["blocks"])]


def _replies(town: Town, channel: str) -> list[dict[str, Any]]:
    posts = town.sandbox.state()["channels"][channel]
    return [post for post in posts if "bot" in post and post.get("thread_ts")]
