"""On a route that shows it, a reply in Slack says what the agent used for it; a text never does."""

from typing import Any

from adapters.sandbox import cast
from tests.helpers.town import POLICY, Town, Under

DM = cast.dm_of(cast.MAX)
SHOWN = POLICY.replace('agent = "support"', 'agent = "support"\nshow_work = true', 1)


async def test_tools_and_sources_stand_below_the_reply(under: Under) -> None:
    async with under(SHOWN) as town:
        await town.max.writes(DM, "Where is order A-1001?")
        assert await _notes(town, 1) == ["Used lookup_order"]

        await town.max.writes(DM, "Search the web for kites.")
        assert await _notes(town, 2) == ["Used lookup_order", "Sources: example.com"]

        await town.alice.texts("Where is order A-1001?")
        (text,) = await town.alice.gets(1)
        assert "lookup_order" not in text


async def test_after_a_decision_what_was_decided_is_what_was_used(under: Under) -> None:
    async with under(SHOWN) as town:
        await town.max.writes(DM, "Please refund order A-1001, $40.")
        await town.ana.approves(await town.card())

        assert await _notes(town, 1) == ["Used issue_refund"]


async def test_where_the_route_does_not_say_so_nothing_is_shown(town: Town) -> None:
    await town.max.writes(DM, "Where is order A-1001?")

    await town.until(lambda: [one for one in _posts(town) if "A-1001" in one["text"]], "the reply")
    assert not [one for post in _posts(town) for one in post["blocks"] if one["type"] == "context"]


async def _notes(town: Town, count: int) -> list[str]:
    """What stands below replies, once it stands below this many."""

    def notes() -> list[str]:
        blocks = [one for post in _posts(town) for one in post["blocks"] or [] if one["type"] == "context"]
        return [block["elements"][0]["text"] for block in blocks]

    return await town.until(lambda: notes()[count - 1 :] and notes(), f"{count} notes")  # type: ignore[no-any-return]


def _posts(town: Town) -> list[dict[str, Any]]:
    return [post for post in town.sandbox.state()["channels"][DM] if "bot" in post]
