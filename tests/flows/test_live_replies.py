"""In Slack a customer sees a long reply grow; whatever happens meanwhile, one whole reply is there at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapters.agent.server.phrases import NUMBERS
from adapters.sandbox import cast
from tests.helpers.house import House, opened
from tests.helpers.process import until
from tests.helpers.town import Town

DM, CUSTOMER = cast.dm_of(cast.MAX), "D0CUSTOMER"
TWENTY = " ".join(NUMBERS[:20])
SIXTY = " ".join([*NUMBERS, *(str(number) for number in range(len(NUMBERS) + 1, 61))])


async def test_a_customer_sees_the_reply_grow_in_one_message(town: Town) -> None:
    await town.max.writes(DM, "Count slowly to 20.")

    half = (await town.until(lambda: _replies(town), "the beginning"))[0]
    assert half["text"].endswith(" …")
    assert TWENTY.startswith(half["text"].removesuffix(" …"))
    whole = await town.until(lambda: [one for one in _replies(town) if one["text"] == TWENTY], "the whole reply")
    assert [one["ts"] for one in whole] == [half["ts"]]
    assert len(_replies(town)) == 1
    assert half["thread_ts"] == whole[0]["thread_ts"]


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
        house.carriers.refuses = {"chat.update": "cant_update_message"}
        assert await house.direct_message("Count slowly to 60.", ts="1700000001.000100") == 200

        assert await _all_is_said(house, SIXTY) == [SIXTY]
        assert house.carriers.called("chat.delete")


async def _grown(house: House) -> bool:
    return any(one["text"].endswith(" …") for one in house.carriers.called("chat.update"))


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


def _replies(town: Town) -> list[Mapping[str, Any]]:
    return [post for post in town.sandbox.state()["channels"][DM] if "bot" in post]
