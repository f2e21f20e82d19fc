"""Somebody asks what is kept of them: the command line beside a running gateway, and what it hands over."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import says
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40. <b>Now</b>\u202e"


@pytest.fixture
async def refunded(town: Town) -> Town:
    """Alice asked for a refund, and Ana approved it."""
    await town.alice.texts(REFUND)
    await town.ana.approves(await town.card())
    await town.alice.gets(2)
    await town.card_says("Approved by ana")
    return town


async def export(town: Town, *words: str, code: int = 0, **variables: str) -> str:
    agent = {"AGENT_SERVER__DATABASE_URL": town.settings.agent_server.database_url}
    url = town.settings.database_url
    return await says(url, "conversations", "export", *words, code=code, **(agent | variables))


async def exported(town: Town, *words: str) -> dict[str, Any]:
    return json.loads(await export(town, *words))  # type: ignore[no-any-return]


async def test_a_customer_is_handed_all_that_is_kept_of_them(refunded: Town) -> None:
    found = await exported(refunded, "--person", f"sms:{refunded.alice.number}")

    (one,) = found["conversations"]
    assert (one["channel"], one["thread"], one["state"]) == ("sms", refunded.alice.number, "bot")
    came, *went = one["messages"]
    assert (came["direction"], came["by"], came["text"], came["status"]) == (
        "in",
        refunded.alice.number,
        REFUND,
        "done",
    )
    assert [message["text"] for message in went] == refunded.alice.got()
    assert all(message["sent"] and message["carrier_id"] for message in went)
    (request,) = one["approvals"]
    assert (request["tool"], request["state"], request["decided_by"]) == ("issue_refund", "approved", "ana")
    assert request["arguments"]["order_id"] == "A-1001"
    assert [(vote["by"], vote["verdict"]) for vote in request["votes"]] == [("ana", "approve")]
    assert {shown["what"] for shown in request["shown"]} == {"ask", "outcome"}
    (turn,) = one["turns"]
    assert (turn["state"], turn["for"]) == ("done", came["id"])
    (session,) = one["sessions"]
    assert session["state"] == "read"
    assert [entry["by"] for entry in session["history"]] == ["customer", "agent", "agent"]
    assert session["history"][-1]["text"] == refunded.alice.got()[-1]
    assert found["not_reached"] == []
    assert "U0ANA" not in str(found), "a colleague's address is not the customer's"


async def test_one_conversation_is_handed_over_by_its_number(refunded: Town) -> None:
    await refunded.bob.texts("Where is order A-1003?")
    await refunded.bob.gets(1)

    found = await exported(refunded, "1")

    assert [one["id"] for one in found["conversations"]] == [1]
    assert "A-1003" not in str(found)


async def test_the_page_is_complete_in_itself_runs_nothing_and_is_for_its_owner_alone(
    refunded: Town, tmp_path: Path
) -> None:
    file = tmp_path / "alice.html"

    assert await export(refunded, "1", "--format", "html", "--output", str(file)) == ""

    page = file.read_text(encoding="utf-8")
    assert "&lt;b&gt;Now&lt;/b&gt;\\u202e" in page
    assert "request issue_refund" in page
    assert refunded.alice.got()[-1].split(".")[0] in page
    for never in ("<script", "<b>", "http://", "https://", " src=", " href=", "\u202e"):
        assert never not in page
    assert file.stat().st_mode & 0o777 == 0o600


async def test_what_the_agent_platform_does_not_tell_is_named(refunded: Town) -> None:
    away = {"AGENT__URL": "http://127.0.0.1:1/v1"}

    said = await export(refunded, "1", code=1, **away)

    assert "the agent platform cannot be reached" in said
    assert "was not read" in said
    found = json.loads(said[: said.rindex("}") + 1])
    assert [one["session"] for one in found["not_reached"]] == [found["conversations"][0]["sessions"][0]["id"]]
    assert found["conversations"][0]["messages"]
    page = await export(refunded, "1", "--format", "html", code=1, **away)
    assert "What could not be read" in page


async def test_of_an_erased_conversation_nothing_is_left_to_hand_over(refunded: Town) -> None:
    agent = {"AGENT_SERVER__DATABASE_URL": refunded.settings.agent_server.database_url}
    await says(refunded.settings.database_url, "conversations", "erase", "1", "--yes", **agent)

    found = await exported(refunded, "1")
    nobody = await exported(refunded, "--person", f"sms:{refunded.alice.number}")

    assert "A-1001" not in str(found)
    assert refunded.alice.number not in str(found)
    assert {message["text"] for message in found["conversations"][0]["messages"]} == {"(not kept any more)"}
    assert [session["state"] for session in found["conversations"][0]["sessions"]] == ["gone"]
    assert (nobody["conversations"], nobody["elsewhere"]) == ([], [])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 2, "name one conversation, or a person"),
        (("1", "--person", "sms:+1555"), 2, "name one conversation, or a person"),
        (("--person", "fax:1"), 2, "is no address"),
        (("99",), 1, "there is no conversation 99"),
    ],
)
async def test_what_cannot_be_is_one_line(database_url: str, words: tuple[str, ...], code: int, told: str) -> None:
    assert told in await says(database_url, "conversations", "export", *words, code=code)


async def test_a_file_that_cannot_be_written_is_one_line(refunded: Town, tmp_path: Path) -> None:
    said = await export(refunded, "1", "--output", str(tmp_path / "no" / "x"), code=1)

    assert "cannot be written" in said
