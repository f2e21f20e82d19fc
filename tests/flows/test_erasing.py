"""Somebody asks to be forgotten: the command line beside a running gateway, and what is left where."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from adapters.agent.server.database import Database
from adapters.agent.server.tables import metadata
from config.cli.rows import whoever
from tests.helpers.cli import ROOT, says
from tests.helpers.process import until
from tests.helpers.rows import rows
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40, for my red kite."
WORDS = "red kite"


async def gateway(town: Town, *words: str, code: int = 0, **variables: str) -> str:
    """The command line beside the running town."""
    agent = {"AGENT_SERVER__DATABASE_URL": town.settings.agent_server.database_url}
    url = town.settings.database_url
    return await says(url, "conversations", "erase", *words, code=code, **(agent | variables))


async def kept(town: Town) -> str:
    """All that stands in our rows but for the audit, and in those of the agent server."""
    ours = [await rows(town.store, name) for name in SQLModel.metadata.tables if name != "audit"]
    return str(ours) + await agents(town)


async def agents(town: Town) -> str:
    database, found = Database(town.settings.agent_server.database_url), []
    async with database.reading() as db:
        for table in metadata.sorted_tables:
            found += [str(row) for row in await db.execute(select(table))]
    await database.close()
    return str(found)


async def was_refunded(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.ana.approves(await town.card())
    await town.alice.gets(2)
    await town.card_says("went on")


@pytest.mark.long
async def test_a_customer_who_asks_for_it_is_forgotten_here_and_at_the_agent(town: Town) -> None:
    await was_refunded(town)
    await town.bob.texts("Where is order A-1003?")
    await town.bob.gets(1)

    said = await gateway(town, "--person", f"sms:{town.alice.number}", "--yes")

    everything = await kept(town)
    assert WORDS not in everything
    assert town.alice.number not in everything
    assert "A-1003" in everything
    assert "sessions at the agent  1" in said
    assert "Twilio" in said
    assert town.alice.number not in said
    await town.until(lambda: WORDS not in str(town.cards()), "the emptied card")
    note = (await rows(town.store, "audit"))[-1]
    assert (note["what"], note["who"]) == ("erased", whoever())
    again = await gateway(town, "--person", f"sms:{town.alice.number}", "--yes")
    assert again == "nothing of this person is kept: there is nothing to erase\n"


async def test_a_customer_who_comes_back_is_met_as_a_stranger(town: Town) -> None:
    await town.alice.texts("My name is Alice and I live in Boston.")
    await town.alice.gets(1)
    await gateway(town, "1", "--yes")

    await town.alice.texts("What is my name?")

    assert "Alice" not in (await town.alice.gets(2))[1]
    assert [row["thread_key"] for row in await rows(town.store, "conversations")] == ["erased:1", town.alice.number]


@pytest.mark.long
async def test_a_request_that_is_open_is_withdrawn_in_sight_of_those_who_were_asked(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.alice.gets(1)

    erased = json.loads(await gateway(town, "1", "--yes", "--json"))

    shown = await town.card_says("its conversation was erased")
    assert WORDS not in str(shown)
    await town.ana.clicks_in_an_old_window(card, "approval_approve")
    assert "Withdrawn" in await town.ana.is_told()
    assert erased["erased"] == {
        "conversations": 1,
        "messages_in": 1,
        "messages_out": 1,
        "turns": 1,
        "approvals": 1,
        "sessions": 1,
    }
    assert [one["state"] for one in erased["sessions"]] == ["erased"]
    assert set(erased["remains"]) == {"Twilio", "opt-outs", "audit", "policy", "exports", "backups", "logs"}
    assert WORDS not in await agents(town)


@pytest.mark.long
async def test_a_turn_that_runs_says_nothing_more(town: Town) -> None:
    await town.alice.texts("Count slowly to 20.")
    while not await rows(town.store, "turns"):  # noqa: ASYNC110 - a row has no event to give us
        await asyncio.sleep(0.01)

    await gateway(town, "1", "--yes")
    await town.alice.texts("Where is order A-1001?")

    (said,) = await town.alice.gets(1)
    assert "A-1001" in said
    assert "slowly" not in await kept(town)


async def test_a_colleague_is_found_by_the_name_in_the_policy(town: Town, tmp_path: Path) -> None:
    await town.ana.writes("D0U0ANA", "Where is order A-1002?")
    await town.until(lambda: len(town.sandbox.state()["channels"]["D0U0ANA"]) == 2, "the answer")
    policy = tmp_path / "gateway.toml"
    policy.write_text(town.policy)

    said = await gateway(town, "--person", "ana", "--yes", GATEWAY_CONFIG=str(policy))
    unknown = await gateway(town, "--person", "zoe", "--yes", code=2, GATEWAY_CONFIG=str(policy))

    assert "conversations          1" in said
    assert "A-1002" not in await kept(town)
    assert "'zoe' is none of [people] in" in unknown
    assert "(there are: ana)" in unknown


@pytest.mark.long
async def test_an_agent_platform_that_is_away_is_asked_again_for_what_is_left(town: Town) -> None:
    await town.alice.texts("Where is my red kite?")
    await town.alice.gets(1)
    (session,) = {row["session_id"] for row in await rows(town.store, "turns")}
    away = {"AGENT__URL": "http://127.0.0.1:1/v1"}

    said = await gateway(town, "1", "--yes", code=1, **away)

    assert f"session {session} of conversation 1: the agent platform cannot be reached" in said
    assert "run `gateway conversations erase 1` again" in said
    assert WORDS in await agents(town)
    ours = [await rows(town.store, name) for name in SQLModel.metadata.tables if name != "audit"]
    assert WORDS not in str(ours)
    again = json.loads(await gateway(town, "--person", f"sms:{town.alice.number}", "--yes", "--json"))
    assert [(one["id"], one["state"]) for one in again["sessions"]] == [(session, "erased")]
    assert WORDS not in await agents(town)


@pytest.mark.parametrize("written", ["sms:", "fax:+1555", ":x", "slack:T0TEAM/"])
async def test_what_is_no_address_is_wrong_use(database_url: str, written: str) -> None:
    said = await says(database_url, "conversations", "erase", "--person", written, "--yes", code=2)

    assert "is no address: write sms:+15550001111, whatsapp:+15550001111 or slack:T0TEAM/U0ANA" in said


async def test_without_a_terminal_nobody_can_be_asked(town: Town) -> None:
    await town.alice.texts("Where is my red kite?")
    await town.alice.gets(1)

    said = await gateway(town, "1", code=2)

    assert "this is no terminal, so nobody can be asked: say --yes to erase" in said
    assert WORDS in await kept(town)


@pytest.mark.long
@pytest.mark.parametrize("word", ["n", "y"])
async def test_at_a_terminal_it_is_asked_first(town: Town, word: str) -> None:
    await town.alice.texts("Where is my red kite?")
    await town.alice.gets(1)
    await until(lambda: _is_quiet(town), "an end")

    code = await asyncio.to_thread(_at_a_terminal, town, word)

    assert code == (0 if word == "y" else 1)
    assert (WORDS in await kept(town)) is (word == "n")


async def _is_quiet(town: Town) -> Any:
    return {row["status"] for row in await rows(town.store, "outbox")} <= {"sent", "delivered"}


def _at_a_terminal(town: Town, word: str) -> int:
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{word}\n".encode())
        return subprocess.run(
            [sys.executable, "-m", "config", "conversations", "erase", "1"],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "DATABASE_URL": town.settings.database_url,
                "AGENT_SERVER__DATABASE_URL": town.settings.agent_server.database_url,
            },
            stdin=theirs,
            capture_output=True,
            timeout=60,
            check=False,
        ).returncode
    finally:
        os.close(ours)
        os.close(theirs)
