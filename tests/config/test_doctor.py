"""`gateway doctor`: a line for each thing looked at, beside a running gateway and without one; it changes nothing."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from starlette.responses import JSONResponse, Response

from config import doctor
from gateway import stop
from gateway.events import ThreadRef
from gateway.store import Store, Tx, arrivals, lanes, marks
from gateway.work.local import only_engine
from tests.adapters.doors import Call, OutsideSystem, nobody_listens
from tests.helpers.cli import ROOT, asks, says
from tests.helpers.databases import scratch
from tests.helpers.process import until
from tests.helpers.proxy import proxied
from tests.helpers.rows import rows
from tests.helpers.town import Town

TABLES = ("conversations", "inbox", "turns", "approvals", "outbox", "pauses", "timers", "audit")
SLACK = {"SLACK__SIGNING_SECRET": "s1gning-s3cret", "SLACK__BOT_TOKEN": "xoxb-s3cret"}
WORLD = {"SECRET_KEY": "k3y-s3cret-0123456789", "PUBLIC_URL": "https://gateway.example"}


def set_up(folder: Path) -> Path:
    """A folder as the project's: with a policy and agents."""
    (folder / "config").symlink_to(ROOT / "config")
    return folder


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


async def a_message(store: Store) -> None:
    async def deed(tx: Tx) -> None:
        conversation = await lanes.open_thread(tx, ThreadRef("sms", "+1", "+2"), "support", doctor.wiring.now())
        kept: dict[str, Any] = {"kind": "message", "event_key": "sms:1", "payload": "{}", "now": doctor.wiring.now()}
        await arrivals.append(tx, conversation, **kept)

    await store.write(deed)


def line(said: str, name: str) -> str:
    """The one line about it."""
    (found,) = [one for one in said.splitlines() if one[8:].startswith(f"{name}:")]
    return found


async def answered(town: Town) -> bool:
    return [row["status"] for row in await rows(town.store, "outbox")] == ["sent"]


async def test_beside_a_gateway_at_work_all_is_well_and_nothing_changes(town: Town) -> None:
    async def everything() -> list[Any]:
        return [await rows(town.store, table) for table in TABLES]

    await town.ana.writes("D0U0ANA", "Where is order A-1001?")
    await until(lambda: answered(town), "an answer")
    before = await everything()

    said = await says(town.settings.database_url, "doctor")

    assert all(one.startswith("ok ") for one in said.splitlines()), said
    for name in ("settings", "policy", "database", "migrations", "commits", "workers", "dead letters", "pauses"):
        assert line(said, name)
    assert "embedded, with support" in line(said, "agent platform")
    assert await everything() == before


def test_before_the_first_start_it_says_what_is_not_there_and_makes_nothing(tmp_path: Path) -> None:
    done = asks(set_up(tmp_path), "doctor")

    assert (done.returncode, done.stderr) == (0, "")
    assert line(done.stdout, "database").startswith("look ")
    assert [one.name for one in tmp_path.iterdir()] == ["config"]


def test_a_wrong_setting_is_the_one_line_there_is(tmp_path: Path) -> None:
    done = asks(tmp_path, "doctor", SLACK__BOT_TOKEN="xoxb-s3cret")

    assert (done.returncode, done.stderr) == (1, "")
    (said,) = done.stdout.splitlines()
    assert said.startswith("not ok  settings: SLACK__SIGNING_SECRET is not set: set it")
    assert "s3cret" not in said


def test_a_script_reads_it_as_json(tmp_path: Path) -> None:
    done = asks(set_up(tmp_path), "doctor", "--json", GATEWAY_CONFIG="nowhere.toml")

    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert [set(one) for one in found] == [{"ok", "what", "advice"}] * len(found)
    assert [one["what"].partition(":")[0] for one in found if not one["ok"]] == ["policy"]


async def test_a_database_that_is_away_stops_no_other_check(tmp_path: Path) -> None:
    said = await says("postgresql://me:s3cret@127.0.0.1:1/none", "doctor", code=1)

    assert line(said, "database").startswith("not ok")
    assert "DATABASE_URL" in line(said, "database")
    assert line(said, "policy").startswith("ok")
    assert line(said, "agent platform").startswith("ok")
    assert "s3cret" not in said


@pytest.mark.long
async def test_a_database_that_does_not_answer_is_waited_for_five_seconds(postgres: str, template: str) -> None:
    with scratch(postgres, template=template) as url:
        parsed = make_url(url)
        async with proxied(parsed.host or "", parsed.port or 5432) as proxy:
            proxy.stall()
            began = time.monotonic()
            said = await says(parsed.set(port=proxy.port).render_as_string(hide_password=False), "doctor", code=1)

    assert "no answer within 5 s" in line(said, "database") or "timeout" in line(said, "database")
    assert time.monotonic() - began < 12
    assert line(said, "policy").startswith("ok")


async def test_a_database_of_another_release_is_told_with_the_command_to_run(postgres: str, tmp_path: Path) -> None:
    with scratch(postgres) as url:
        said = await says(url, "doctor", code=1)

    assert line(said, "migrations").startswith("not ok")
    assert "run `gateway migrate`" in line(said, "migrations")
    assert " workers:" not in said


async def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_text("nothing of the kind" * 99)

    said = await says(f"sqlite:///{tmp_path}/gateway.db", "doctor", code=1)

    assert "file is not a database" in line(said, "database")


async def test_while_nothing_runs_it_is_worth_a_look_and_a_failure_once_somebody_waits(
    store: Store, database_url: str
) -> None:
    assert line(await says(database_url, "doctor"), "workers").startswith("look    workers: none runs")

    await a_message(store)

    said = line(await says(database_url, "doctor", code=1), "workers")
    assert said.startswith("not ok  workers: none runs, and a message waits since")
    assert "start `gateway " in said


async def test_an_engine_that_gives_no_sign_of_life_is_no_engine(store: Store, database_url: str) -> None:
    with contextlib.ExitStack() as stack:
        if store.on_sqlite:
            stack.enter_context(only_engine(Path(store.url.database or "")))
        else:
            await store.write(a_worker_registers)
        silent = line(await says(database_url, "doctor", code=1), "workers")
        await store.write(lambda tx: marks.put(tx, marks.ALIVE, doctor.wiring.now() - timedelta(minutes=2)))
        long_silent = line(await says(database_url, "doctor", code=1), "workers")
        await store.write(lambda tx: marks.put(tx, marks.ALIVE, doctor.wiring.now()))
        lives = line(await says(database_url, "doctor"), "workers")

    assert "no sign of life yet" in silent
    assert "no sign of life since" in long_silent
    assert lives.startswith("ok")


async def a_worker_registers(tx: Tx) -> None:
    connection = await tx.db.connection()
    await connection.exec_driver_sql("INSERT INTO procrastinate_workers DEFAULT VALUES")


async def test_what_is_paused_or_dead_is_worth_a_look_and_no_failure(store: Store, database_url: str) -> None:
    async def deed(tx: Tx) -> None:
        await arrivals.finish(tx, 1, doctor.wiring.now(), status="dead", error="no")
        await stop.pause(tx, ["channel:sms"], by="cli:opal", reason="", now=doctor.wiring.now())

    await a_message(store)
    await store.write(deed)

    said = await says(database_url, "doctor")
    assert (
        line(said, "dead letters") == "look    dead letters: 1 in the inbox, 0 in the outbox -> see `gateway dead list`"
    )
    assert line(said, "pauses").startswith("look    pauses: channel:sms")


async def test_a_clock_that_differs_from_postgresqls_is_not_fine(
    postgres: str, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with scratch(postgres, template=template) as url:
        monkeypatch.setenv("DATABASE_URL", url)

        found = await doctor.examine(lambda: datetime.now(UTC) + timedelta(minutes=2))

    (clock,) = [one for one in found if one.what.startswith("clock:")]
    assert (clock.ok, clock.what) == (False, "clock: PostgreSQL: its clock and ours are 120 s apart")


async def test_an_agent_platform_that_is_away_is_not_fine(tmp_path: Path) -> None:
    there = {"AGENT__URL": "http://127.0.0.1:1/v1", "AGENT__API_KEY": "agent-s3cret"}
    said = await says(f"sqlite:///{tmp_path}/none.db", "doctor", code=1, **there)

    assert line(said, "agent platform").startswith("not ok  agent platform: no answer")
    assert "s3cret" not in said


async def test_a_policy_by_which_nobody_may_approve_is_worth_a_look(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[[routes]]\nchannel = "*"\nagent = "far"\n[approvals.tools.issue_refund]\n')
    async with an_agent_platform() as url:
        there = {"AGENT__URL": url, "GATEWAY_CONFIG": str(tmp_path / "my.toml")}
        said = await says(f"sqlite:///{tmp_path}/none.db", "doctor", **there)

    assert "[approvals.default] has no ask and no approvers" in said
    assert "[approvals.issue_refund]" in said
    assert line(said, "agent platform") == "ok      agent platform: answers"


async def test_texting_every_country_is_worth_a_look_until_the_countries_are_named(tmp_path: Path) -> None:
    policy = tmp_path / "my.toml"
    texting = {"SMS__ACCOUNT_SID": "AC1", "SMS__AUTH_TOKEN": "t0ken-s3cret", "SMS__FROM": "+15550000000"}
    there = {**texting, **WORLD, "SMS__API_URL": nobody_listens(), "GATEWAY_CONFIG": str(policy)}
    told = []
    for words in ("", 'countries = ["US", "CA"]\n'):
        approvals = '[approvals.default]\nask = ["sms:+15550002222"]\napprovers = ["sms:+15550002222"]\n'
        policy.write_text(f'[[routes]]\nchannel = "sms"\nagent = "support"\n{words}{approvals}')
        told.append(await says(f"sqlite:///{tmp_path}/none.db", "doctor", code=1, **there))

    said = "look    policy: numbers of every country are answered by text"
    assert [said in one for one in told] == [True, False]
    assert all("sms: Twilio cannot be reached" in one and "s3cret" not in one for one in told)


async def test_each_channel_is_asked_and_none_of_its_secrets_is_told(tmp_path: Path) -> None:
    slack = OutsideSystem()
    async with slack.open():
        slack.will_answer("api/auth.test", {"ok": False, "error": "invalid_auth"})
        there = {**SLACK, **WORLD, "SLACK__API_URL": f"{slack.base}/api/"}
        said = await says(f"sqlite:///{tmp_path}/none.db", "doctor", code=1, **there)

    assert "slack is on" in line(said, "settings")
    assert line(said, "slack").startswith("not ok  slack: Slack said invalid_auth")
    assert "s3cret" not in said


@pytest.mark.parametrize("file", ["", "none.db"])
async def test_with_many_workspaces_it_says_where_the_app_is_and_makes_nothing(
    file: str, tmp_path: Path, template_file: Path
) -> None:
    database = tmp_path / file if file else template_file
    (tmp_path / "my.toml").write_text('[people.ana]\nslack = "T0ACME/U0ANA"\n')
    many = {"SLACK__BOT_TOKEN": "", "SLACK__CLIENT_ID": "1.2", "SLACK__CLIENT_SECRET": "s3cret"}
    there = {**SLACK, **WORLD, **many, "GATEWAY_CONFIG": str(tmp_path / "my.toml")}

    said = await says(f"sqlite:///{database}", "doctor", code=0, **there)

    assert line(said, "slack").startswith("look    slack: installed in no workspace yet")
    assert "1 not looked up" in line(said, "people")
    assert not (tmp_path / "none.db").exists()


async def test_each_place_where_requests_are_shown_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(
        '[people.ana]\nslack = "U0ANA"\n[approvals.default]\nask = ["slack:C0OPS", "requester"]\n'
        'approvers = ["ana"]\nescalate_after = "2h"\nescalate_to = ["slack:ana"]\n'
        '[operations]\nalerts = ["slack:C0OPS", "slack:C0OLD"]\n'
    )
    slack = OutsideSystem()
    async with slack.open():
        slack.usual = of_channels  # type: ignore[method-assign]
        there = {**SLACK, **WORLD, "SLACK__API_URL": f"{slack.base}/api/", "GATEWAY_CONFIG": str(tmp_path / "my.toml")}
        said = await says(f"sqlite:///{tmp_path}/none.db", "doctor", code=1, **there)

    ops, head, old = [one for one in said.splitlines() if " places: " in one]
    assert ops.startswith(
        "not ok  places: slack:C0OPS (approvals.default.ask, operations.alerts): the bot is not in #ops"
    )
    assert "/invite @Gatehouse" in ops
    assert head == "ok      places: slack:ana (approvals.default.escalate_to): somebody is there"
    assert old.startswith("not ok  places: slack:C0OLD (operations.alerts): #old is archived")


def of_channels(call: Call) -> Response:
    """Slack with an operations channel in which the bot is not, and one that is archived."""
    channels = {"C0OPS": {"name": "ops", "is_member": False}, "C0OLD": {"name": "old", "is_archived": True}}
    user = {"id": "U0ANA", "team_id": "T0TEAM"}
    return JSONResponse({"ok": True, "channel": channels.get(str(call.told.get("channel"))), "user": user})


@pytest.mark.long
async def test_a_channel_that_does_not_answer_is_waited_for_five_seconds(tmp_path: Path) -> None:
    taken = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        there = {**SLACK, **WORLD, "SLACK__API_URL": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/"}
        said = await says(f"sqlite:///{tmp_path}/none.db", "doctor", code=1, **there)

    assert taken.is_set()
    assert line(said, "slack") == "not ok  slack: no answer within 5 s"


@contextlib.asynccontextmanager
async def an_agent_platform() -> AsyncIterator[str]:
    platform = OutsideSystem()
    async with platform.open():
        yield f"{platform.base}/v1"
