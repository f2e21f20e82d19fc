"""A hundred people decide at once, on every surface: one wins, the agent gets one answer, all others hear who won."""

import asyncio
import json
from collections import Counter
from dataclasses import astuple
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from config.cli import app
from config.wiring import now
from gateway.events import ApprovalView
from tests.helpers.agents import Call
from tests.helpers.approvers import CROWD, PHONES, Ballot, Team, crowd, decide_all, policy
from tests.helpers.cli import says
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, KEY, Core, Ends, Start
from tests.helpers.coreproc import running
from tests.helpers.process import until

SURFACES = ("sms", "slack", "api")
VERDICTS = ("approve", "deny")


@pytest.fixture
async def team(start: Start, ends: Ends) -> Team:
    return Team(await start(at_work=False, policy=crowd()), ends, now)  # type: ignore[arg-type]  # nothing is late here


async def request(team: Team) -> tuple[ApprovalView, list[Ballot]]:
    """What the agent asks, and a hundred ballots on it, every third a text with that person's code."""
    (card,) = await team.asked(seen_by=CROWD[0])
    ballots = [Ballot(*_ballot(team, card, n, name)) for n, name in enumerate(CROWD)]
    return card, ballots


def _ballot(team: Team, card: ApprovalView, n: int, name: str) -> tuple[str, ...]:
    via, verdict = SURFACES[n % 3], VERDICTS[n % 2]
    words = f"{'YES' if verdict == 'approve' else 'NO'} {team.code(name, card)}" if via == "sms" else ""
    return name, card.id, via, verdict, card.digest, words


async def one_has_won(team: Team, told: list[tuple[str, str, str]]) -> str:
    """And nobody else: what everybody was told, what is in the rows, and what the agent got."""
    await team.works()
    (row,) = await team.core.rows("approvals")
    winner = str(row["decided_by"])
    assert winner in CROWD
    for name, result, decided_by in told:
        assert (result, decided_by) == ("decided" if name == winner else "already", winner)
    for name in CROWD[::3]:
        (answer,) = team.ends.sms.told(PHONES[name])
        assert name == winner or f"ed by {winner}" in answer
    assert [await team.audited(what) for what in ("voted", "decided", "applied", "finished")] == [1] * 4
    assert len(await team.core.rows("votes")) == 1
    assert len(team.answers) == 1
    assert team.ends.steps.passed.count("answered") == 1
    return winner


@pytest.mark.long
async def test_of_a_hundred_who_decide_at_once_one_wins_and_all_others_hear_who(team: Team) -> None:
    _, ballots = await request(team)

    told = await decide_all(team.core, ballots)

    assert Counter(result for _, result, _ in told) in ({"decided": 1, "already": 65}, {"already": 66})
    await one_has_won(team, told)


@pytest.mark.long
async def test_of_a_hundred_before_two_processes_one_wins(team: Team, database_url: str, tmp_path: Path) -> None:
    _, ballots = await request(team)
    async with (
        running("decide", database_url, tmp_path / "one.log") as one,
        running("decide", database_url, tmp_path / "other.log") as other,
    ):
        await asyncio.gather(
            one.tell([astuple(ballot) for ballot in ballots[::2]]),
            other.tell([astuple(ballot) for ballot in ballots[1::2]]),
        )
        told = [tuple(found) for process in (one, other) for found in await process.says("done")]

    winner = await one_has_won(team, told)  # type: ignore[arg-type]
    print(f"\nthe {'first' if winner in [ballot.name for ballot in ballots[::2]] else 'second'} process won")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_of_a_process_and_the_command_line_one_wins(team: Team, database_url: str, tmp_path: Path) -> None:
    card, ballots = await request(team)
    (tmp_path / "gateway.toml").write_text(crowd())
    variables = {"SECRET_KEY": KEY, "GATEWAY_CONFIG": str(tmp_path / "gateway.toml")}
    typed = [ballot for ballot in ballots if ballot.via == "api"][:3]
    tokens = [(await says(database_url, "people", "token", one.name, **variables)).strip() for one in typed]

    async def at_the_command_line() -> list[tuple[str, str]]:
        said = []
        for ballot, token in zip(typed, tokens, strict=True):
            words = ["approvals", ballot.verdict, card.id, *(["--digest", card.digest] * (ballot.verdict == "approve"))]
            runner = CliRunner(env=variables | {"DATABASE_URL": database_url, "GATEHOUSE_TOKEN": token})
            said.append((ballot.name, (await asyncio.to_thread(runner.invoke, app, words)).output))
        return said

    said, told = await asyncio.gather(
        at_the_command_line(), decide_all(team.core, [ballot for ballot in ballots if ballot not in typed])
    )

    winner = await one_has_won(team, told)
    for name, line in said:
        assert name == winner or f"ed by {winner}" in line
    print(f"\n{'the command line' if winner in dict(said) else 'the process'} won: {json.dumps(said[0][1])}")


ALERT = """
INSERT INTO outbox (dedupe_key, channel, lane, kind, payload, status, attempts, unsure, created_at)
VALUES (%s, 'slack', 'x', 'say', '{}', 'sent', 0, 0, now())
"""
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_who_waits_for_their_turn_to_show_a_request_keeps_no_alert_from_others(
    start: Start, ends: Ends, clock: Clock, database_url: str
) -> None:
    core = await start(at_work=False, policy=policy(more="[approvals.tools.wipe]\napprovers = []"))
    Team(core, ends, clock).asks(Call("wipe"), Call("issue_refund"))
    await core.receives(ALICE, "refund")
    hours = [f"{at:%Y-%m-%dT%H}" for at in (clock(), clock() + timedelta(minutes=5))]

    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SET LOCAL lock_timeout = '0.5s'")  # sooner than PostgreSQL looks for a deadlock
        await other.execute("INSERT INTO marks (name, at) VALUES ('shown', now())")
        opening = asyncio.create_task(core.drain())
        await until(lambda: _waits(core), "its turn")
        for hour in dict.fromkeys(hours):
            await other.execute(ALERT, [f"alert:slack::C0ALERTS:nobody:wipe:{hour}"])
        await other.rollback()
        await opening

    assert [row["state"] for row in await core.rows("approvals")] == ["expired", "pending"]
    assert "alert" in str([row["dedupe_key"] for row in await core.rows("outbox")])


async def _waits(core: Core) -> Any:
    return await core.store.read(lambda db: _first(db, text(WAITS)))


async def _first(db: Any, question: Any) -> Any:
    return (await (await db.connection()).execute(question)).first()
