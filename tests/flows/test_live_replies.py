"""In Slack a customer sees a long reply grow; whatever happens meanwhile, one whole reply is there at the end."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.agent.server.phrases import NUMBERS
from adapters.sandbox import cast
from tests.helpers.house import House, opened
from tests.helpers.process import until
from tests.helpers.town import Town

DM, ANAS, CUSTOMER = cast.dm_of(cast.MAX), cast.dm_of(cast.ANA), "D0CUSTOMER"
TWENTY = " ".join(NUMBERS[:20])
SIXTY = " ".join([*NUMBERS, *(str(number) for number in range(len(NUMBERS) + 1, 61))])


async def test_a_customer_sees_that_the_agent_thinks_and_then_the_reply_growing_in_one_message(town: Town) -> None:
    await town.max.writes(DM, "Count slowly to 20.")

    said = await town.until(lambda: town.sandbox.state()["statuses"], "the status")
    assert said == {DM: {town.sandbox.state()["channels"][DM][0]["ts"]: "is thinking…"}}
    half = await _half(town, DM)
    assert TWENTY.startswith(half["text"])
    assert town.sandbox.state()["statuses"] == {}
    whole = await _whole(town, DM)
    assert (whole["ts"], whole["thread_ts"]) == (half["ts"], half["thread_ts"])
    assert "streaming" not in whole


async def test_in_a_channel_too_and_the_whole_is_there_where_slack_refuses_and_where_somebody_stops_it(
    town: Town,
) -> None:
    town.sandbox.fault("chat.startStream", "channel_type_not_supported")
    await town.max.writes(DM, "Count slowly to 20.")
    await town.until(lambda: [one for one in _replies(town, DM) if one["text"].endswith(" …")], "the beginning")
    await town.ana.writes(ANAS, "Count slowly to 20.")
    await town.ana.writes(cast.OPS, f"<@{cast.BOT_USER}> Count slowly to 20.")

    assert TWENTY.startswith((await _half(town, cast.OPS))["text"])
    town.sandbox.stops_stream(ANAS, (await _half(town, ANAS))["ts"])

    for channel in (DM, ANAS, cast.OPS):
        await _whole(town, channel)


async def test_a_stream_that_slack_ends_after_five_minutes_loses_no_text(town: Town) -> None:
    await town.max.writes(DM, "Count slowly to 20.")
    half = await _half(town, DM)

    town.clock.passes(timedelta(minutes=5, seconds=1))

    assert (await _whole(town, DM))["ts"] == half["ts"]


async def test_a_process_that_stops_while_it_streams_leaves_one_message(town: Town) -> None:
    await town.max.writes(DM, "Count slowly to 20.")
    half = await _half(town, DM)

    await town.restart()

    assert (await _whole(town, DM))["ts"] == half["ts"]


async def test_an_interrupted_reply_streams_no_more(town: Town) -> None:
    await town.max.writes(DM, "Count slowly to 20.")
    await _half(town, DM)

    assert await town.live.parts.work.conversations.interrupt(1, by="ana")

    await town.until(lambda: "streaming" not in _replies(town, DM)[0], "the end of the stream")
    assert _replies(town, DM)[0]["text"] != TWENTY


async def test_a_reply_waits_as_long_as_slack_asks_and_others_do_not(town: Town) -> None:
    town.sandbox.fault("chat.postMessage", "ratelimited", retry_after_s=2)
    await town.max.writes(DM, "Where is order A-1001?")
    await town.until(lambda: not town.sandbox.state()["faults"], "the refusal")
    refused_at = town.clock()

    await town.ana.writes(ANAS, "Where is order A-1002?")
    await town.until(lambda: _replies(town, ANAS), "the answer in another channel")
    assert not _replies(town, DM)

    (reply,) = await town.until(lambda: _replies(town, DM), "the reply")
    assert "A-1001" in reply["text"]
    assert town.clock() - refused_at > timedelta(seconds=1.9)


async def test_a_short_reply_is_simply_said(town: Town) -> None:
    await town.max.writes(DM, "Where is order A-1001?")

    reply = (await town.until(lambda: _replies(town), "the reply"))[0]
    assert not reply["edited"]
    assert "…" not in reply["text"]


async def test_a_text_is_one_whole_text_as_ever(town: Town) -> None:
    await town.alice.texts("Count slowly to 20.")

    assert await town.alice.gets(1) == [TWENTY]


@pytest.mark.long
async def test_a_process_that_is_killed_while_it_grows_leaves_one_whole_reply(
    database_url: str, tmp_path: Path
) -> None:
    async with opened(tmp_path, database_url, workers=["one"]) as house:
        (worker,) = house.workers.values()
        assert await house.direct_message("Count slowly to 60.", ts="1700000001.000100") == 200
        await until(lambda: _grown(house), "a reply that has grown")

        await worker.kill()
        await worker.start()

        assert await _all_is_said(house, SIXTY) == [SIXTY]


@pytest.mark.long
async def test_where_slack_refuses_every_change_the_reply_arrives_once(database_url: str, tmp_path: Path) -> None:
    async with opened(tmp_path, database_url, workers=["one"]) as house:
        house.carriers.refuses = {"chat.update": "cant_update_message", "chat.startStream": "not_allowed_token_type"}
        assert await house.direct_message("Count slowly to 60.", ts="1700000001.000100") == 200

        assert await _all_is_said(house, SIXTY) == [SIXTY]
        assert house.carriers.called("chat.delete")


async def _grown(house: House) -> bool:
    return bool(house.carriers.called("chat.appendStream"))


async def _all_is_said(house: House, words: str) -> list[str]:
    """What stands in the customer's channel, once these words do and the answer to one more message."""

    async def standing() -> list[str]:
        texts = list(house.carriers.posts(CUSTOMER).values())
        return texts if words in texts else []

    await until(standing, "the whole reply")
    assert await house.direct_message("Tell me about kites.", ts="1700000002.000100") == 200

    async def answered() -> list[str]:
        texts = list(house.carriers.posts(CUSTOMER).values())
        return texts[:-1] if "kites" in texts[-1] else []

    return await until(answered, "the next answer")  # type: ignore[no-any-return]


async def _half(town: Town, channel: str) -> Mapping[str, Any]:
    """The beginning of a reply, while it streams."""
    found = await town.until(lambda: [one for one in _replies(town, channel) if "streaming" in one], "the beginning")
    return found[0]  # type: ignore[no-any-return]


async def _whole(town: Town, channel: str) -> Mapping[str, Any]:
    """The reply, and nothing beside it."""
    await town.until(lambda: [one for one in _replies(town, channel) if one["text"] == TWENTY], "the whole reply")
    (reply,) = _replies(town, channel)
    return reply


def _replies(town: Town, channel: str = DM) -> list[Mapping[str, Any]]:
    posts = town.sandbox.state()["channels"][channel]
    return [post for post in posts if "bot" in post and not post["text"].startswith("Gatehouse:")]
