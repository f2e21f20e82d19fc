"""The audit as operations and an auditor see it: a customer's refund, decided, exported and verified."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import cases
from tests.helpers.cli import says
from tests.helpers.clock import Clock
from tests.helpers.meddling import spoil
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40. <b>Now</b>"


@pytest.fixture
async def decided(town: Town) -> Town:
    """Alice asked for a refund, Ana denied it, and the audit is sealed."""
    await town.alice.texts(REFUND)
    await town.ana.denies(await town.card(), "=Too old\u202e")
    await town.alice.gets(2)
    await town.card_says("Denied by ana")
    await sealed(town)
    return town


async def sealed(town: Town) -> None:
    await town.live.parts.work.sweep()
    while len(await rows(town.store, "audit_seals")) < len(await rows(town.store, "audit")):
        await town.live.parts.work.sweep()


async def request(town: Town) -> str:
    return str((await rows(town.store, "approvals"))[-1]["id"])


async def run(town: Town, *words: str, code: int = 0) -> str:
    return await says(town.settings.database_url, "audit", *words, code=code)


async def test_the_trail_goes_from_the_message_to_the_reply_without_anybodys_words(decided: Town) -> None:
    trail = await rows(decided.store, "audit")
    facts = {row["what"]: json.loads(row["facts"]) for row in trail}

    assert [row["what"] for row in trail] == ["requested", "shown", "voted", "decided", "applied", "finished"]
    assert facts["requested"]["event"] == "in-1"
    assert len(facts["requested"]["event_digest"]) == 64
    assert facts["shown"]["to"].startswith("slack:")
    assert (facts["finished"]["state"], len(facts["finished"]["reply_digest"])) == ("done", 64)
    for words in (decided.alice.number, "C0OPS:", "Too old", "refund order"):
        assert words not in str([row["facts"] for row in trail if row["what"] != "shown"])


async def test_verify_says_that_it_is_whole_and_names_what_is_not(decided: Town) -> None:
    whole = await run(decided, "verify")
    head = (await rows(decided.store, "audit_seals"))[-1]

    assert whole.splitlines()[0] == f"whole: {head['n']} links hold; head {head['n']} {head['hash']}"
    told = json.loads(await run(decided, "verify", "--head", f"{head['n']}:{head['hash']}", "--json"))
    assert (told["whole"], told["links"], told["heads"], told["unsealed"]) == (True, head["n"], 1, 0)
    assert "cut off" in await run(decided, "verify", "--head", f"99:{'a' * 64}", code=1)

    await spoil(decided.store, "UPDATE audit SET who = 'slack:somebody' WHERE what = 'decided'")
    broken = await run(decided, "verify", code=1)
    assert broken.startswith("broken at place 4: changed: audit row 4")
    assert json.loads(await run(decided, "verify", "--json", code=1))["broken"]["n"] == 4


@pytest.mark.parametrize(("words", "heads"), [("", 1), ("heads = false", 0)])
async def test_the_head_goes_to_operations_unless_the_policy_says_no(
    words: str, heads: int, under: Under, clock: Clock
) -> None:
    async with under(POLICY + words) as town:
        await town.alice.texts(REFUND)
        await town.card()
        await sealed(town)

        clock.passes(timedelta(days=1))
        for _ in range(3):
            await town.live.parts.work.sweep()

        assert len(await rows(town.store, "audit_heads")) == heads
        queued = [row["dedupe_key"] for row in await rows(town.store, "outbox")]
        assert sum(":audit-head:" in key for key in queued) == heads


async def test_one_case_is_exported_whole(decided: Town) -> None:
    case = json.loads(await run(decided, "export", await request(decided)))

    assert (case["request"]["arguments"]["order_id"], case["request"]["arguments"]["amount"]) == ("A-1001", 40)
    assert (case["request"]["state"], case["request"]["decided_by"], case["request"]["reason"]) == (
        "denied",
        "ana",
        "=Too old\u202e",
    )
    assert case["request"]["view"]["message"] == REFUND
    assert [(one["to"], one["status"]) for one in case["shown"]] == [("C0OPS", "sent")]
    assert [(one["person"], one["verdict"]) for one in case["votes"]] == [("ana", "deny")]
    assert "outcome" in [one["kind"] for one in case["told"]]
    assert decided.alice.number in [one["to"] for one in case["told"]], "the reply to the customer"
    assert case["turn"]["state"] == "done"
    assert {row["seal"] for row in case["audit"]} == {"holds"}
    assert case["audit_holds"]


async def test_a_row_of_the_case_that_was_changed_is_shown_as_broken(decided: Town) -> None:
    await spoil(decided.store, "UPDATE audit SET facts = '{}' WHERE what = 'shown'")

    case = json.loads(await run(decided, "export", await request(decided)))
    assert [row["what"] for row in case["audit"] if row["seal"] == "broken"] == ["shown"]
    assert not case["audit_holds"]
    assert "does not fit its seal" in await run(decided, "export", await request(decided), "--format", "html")


@pytest.mark.parametrize(
    ("database_url", "written"),
    [
        ("sqlite", "at = 'yesterday'"),
        ("sqlite", "who = CAST(x'ff' AS TEXT)"),
        ("sqlite", "facts = x'ff'"),
        ("postgres", "at = 'infinity'"),
    ],
    indirect=["database_url"],
)
async def test_a_row_of_the_case_that_nobody_can_read_is_shown_as_damaged(written: str, decided: Town) -> None:
    await spoil(decided.store, f"UPDATE audit SET {written} WHERE what = 'shown'")

    case = json.loads(await run(decided, "export", await request(decided)))

    assert [row["seal"] in ("damaged", "broken") for row in case["audit"]] == [False, True, False, False, False, False]
    assert [row["what"] for row in case["audit"][2:]] == ["voted", "decided", "applied", "finished"]
    assert not case["audit_holds"]
    page = await run(decided, "export", await request(decided), "--format", "html")
    assert "A row below is damaged" in page
    assert (await run(decided, "verify", code=1)).startswith("broken at place 2: changed: audit row 2")


async def test_the_page_is_complete_in_itself_and_runs_nothing(decided: Town, tmp_path: Path) -> None:
    file = tmp_path / "case.html"

    assert await run(decided, "export", await request(decided), "--format", "html", "--output", str(file)) == ""

    page = file.read_text(encoding="utf-8")
    assert "<h1>issue_refund: denied by ana</h1>" in page
    assert "&lt;b&gt;Now&lt;/b&gt;" in page
    assert "=Too old\\u202e" in page
    for never in ("<script", "<b>", "http://", "https://", " src=", " href=", "\u202e"):
        assert never not in page


async def test_the_decisions_of_a_time_are_a_table_that_no_spreadsheet_runs(decided: Town) -> None:
    today = f"{decided.clock():%Y-%m-%d}"
    written = await run(decided, "export", "--from", today, "--to", today)
    (row,) = csv.DictReader(io.StringIO(written))

    assert (row["tool"], row["state"], row["decided_by"], row["votes"]) == ("issue_refund", "denied", "ana", "ana deny")
    assert row["reason"] == "'=Too old\\u202e"
    found = json.loads(await run(decided, "export", "--from", today, "--to", today, "--format", "json"))
    assert [one["reason"] for one in found] == ["=Too old\u202e"]
    assert (
        json.loads(await run(decided, "export", "--from", today, "--to", today, "--tool", "x", "--format", "json"))
        == []
    )
    gone = ("--from", "2020-01-01", "--to", "2020-01-02")
    assert (await run(decided, "export", *gone)).count("\n") == 1, "the head alone"


async def test_what_is_not_there_or_cannot_be_written_is_one_line(decided: Town, tmp_path: Path) -> None:
    assert "there is no request 'nothing'" in await run(decided, "export", "nothing", code=1)
    said = await run(decided, "export", await request(decided), "--output", str(tmp_path / "no" / "x"), code=1)
    assert "cannot be written" in said


async def test_many_decisions_come_page_by_page_in_the_order_they_were_made(decided: Town) -> None:
    (one,) = await rows(decided.store, "approvals")
    names = [name for name in one if name not in ("id", "request_message_id", "decided_at")]
    at = datetime(2026, 11, 1, tzinfo=UTC)
    for number in range(cases.PAGE + 3):
        moment: Any = at + timedelta(seconds=number // 2)
        await spoil(
            decided.store,
            f"INSERT INTO approvals (id, request_message_id, decided_at, {', '.join(names)}) "
            f"SELECT :id, :id, :at, {', '.join(names)} FROM approvals WHERE id = :like",
            id=f"many-{number:04}",
            at=f"{moment:%Y-%m-%d %H:%M:%S.%f}" if decided.store.on_sqlite else moment,
            like=one["id"],
        )

    found = [row["id"] async for row in cases.decisions(decided.store, at, at + timedelta(days=1), None)]

    assert found == [f"many-{number:04}" for number in range(cases.PAGE + 3)]
