"""What people send beside their words in Slack reaches the agent, or it is told why not."""

from typing import Any

import pytest

from adapters.sandbox import cast
from adapters.sandbox.slack_files import Upload
from gateway import stop
from tests.helpers.rows import rows
from tests.helpers.town import Town

DM = cast.dm_of(cast.MAX)
KITES = Upload("kites.txt", b"Three kites for A-1001.")


async def test_what_is_in_a_text_file_is_answered_from_the_file(town: Town) -> None:
    await town.max.writes(DM, "What is in the attached file?", None, KITES)

    assert await _reply(town) == "The file says: Three kites for A-1001."
    (turn,) = await rows(town.store, "turns")
    assert turn["posted_text"].endswith("What is in the attached file?\n[attached: kites.txt]")


async def test_a_file_without_a_word_is_a_message_too(town: Town) -> None:
    await town.max.writes(DM, "", None, KITES)

    assert await _reply(town) == "The file says: Three kites for A-1001."


async def test_a_file_beside_a_mention_in_a_channel_is_the_agents(town: Town) -> None:
    await town.max.writes(cast.OPS, f"<@{cast.BOT_USER}> what is attached?", None, KITES)

    assert await _reply(town, cast.OPS) == "The file says: Three kites for A-1001."


@pytest.mark.parametrize("emoji", [":wave:", "\N{WAVING HAND SIGN}"])
async def test_an_emoji_alone_is_a_message(town: Town, emoji: str) -> None:
    await town.max.writes(DM, emoji)

    assert emoji in await _reply(town)


async def test_of_a_file_that_is_too_large_the_agent_is_told_so(town: Town) -> None:
    await town.max.writes(DM, "Look at both", None, Upload("plan.pdf", b"x" * 5_000_001, "application/pdf"), KITES)

    assert await _reply(town) == "The file says: Three kites for A-1001."
    (turn,) = await rows(town.store, "turns")
    assert turn["posted_text"].endswith(
        "Look at both\n[attached: plan.pdf, not passed on: larger than 5 MB]\n[attached: kites.txt]"
    )


async def test_a_file_that_was_taken_back_costs_only_itself(town: Town) -> None:
    scope = [stop.scope_of_channel("slack")]
    await town.store.write(lambda tx: stop.pause(tx, scope, by="ana", reason="", now=town.clock()))
    await town.max.writes(DM, "Where is order A-1001?", None, KITES)
    post = town.sandbox.state()["channels"][DM][0]
    town.sandbox.delete_file(post["files"][0]["id"])
    await _reply(town)  # it is paused

    await town.store.write(lambda tx: stop.resume(tx, scope, by="ana", now=town.clock()))

    assert "A-1001" in await _reply(town, number=2)
    (turn,) = await rows(town.store, "turns")
    assert turn["posted_text"].endswith("[attached: kites.txt, not passed on: it is gone from Slack]")


async def _reply(town: Town, channel: str = DM, number: int = 1) -> str:
    def replies() -> list[dict[str, Any]]:
        return [post for post in town.sandbox.state()["channels"][channel] if "bot" in post and post.get("thread_ts")]

    return str((await town.until(lambda: replies()[number - 1 :], "the reply"))[0]["text"])
