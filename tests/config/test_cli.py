"""The command line as a person meets it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.cli import asks, gateway, says
from tests.helpers.databases import scratch

COMMANDS = [
    *(("run",), ("web",), ("worker",), ("migrate",), ("demo",), ("doctor",), ("pause",), ("resume",)),
    *(("agents", "serve"), ("agents", "check"), ("agents", "list"), ("agents", "push")),
    *(("conversations", "list"), ("conversations", "show"), ("conversations", "interrupt"), ("conversations", "erase")),
    *(("conversations", "take"), ("conversations", "release")),
    *(("dead", "list"), ("dead", "show"), ("dead", "replay"), ("dead", "drop")),
    *(("audit", "verify"), ("audit", "export")),
    *(("approvals", "list"), ("approvals", "show"), ("approvals", "explain"), ("approvals", "approve")),
    *(("approvals", "deny"), ("people", "list"), ("people", "check"), ("people", "token")),
    ("people", "optouts"),
]
STARTS = [("run",), ("web",), ("worker",), ("migrate",), ("agents", "serve")]
OVER_THE_ROWS = [
    *(("pause",), ("pause", "--list"), ("resume",), ("conversations", "list"), ("conversations", "show", "1")),
    *(("conversations", "interrupt", "1"), ("dead", "list"), ("dead", "show", "in-1"), ("dead", "replay", "--all")),
    *(("dead", "drop", "out-1"), ("audit", "verify"), ("audit", "export", "x")),
    *(("conversations", "erase", "1", "--yes"), ("approvals", "list"), ("approvals", "show", "x")),
    *(("approvals", "approve", "x", "--token", "x"), ("approvals", "deny", "x", "--token", "x")),
    *(("people", "token", "ana"), ("conversations", "take", "1"), ("conversations", "release", "1")),
    ("people", "optouts"),
]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_help_names_every_command(tmp_path: Path) -> None:
    done = gateway(tmp_path, "--help")

    assert done.returncode == 0
    for command in COMMANDS:
        assert command[0] in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example(command: tuple[str, ...], tmp_path: Path) -> None:
    done = asks(tmp_path, *command, "--help")

    assert done.returncode == 0
    assert "Example:" in done.stdout
    assert f"gateway {' '.join(command)}" in done.stdout
    assert list(tmp_path.iterdir()) == [], "asking for help makes nothing"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("fly",),
        ("run", "--fast"),
        ("run", "now"),
        ("agents",),
        ("agents", "fly"),
        ("agents", "serve", "--port", "x"),
        ("agents", "serve", "--port", "70000"),
        ("agents", "check", "one", "two"),
        ("agents", "list", "one", "two"),
        ("agents", "push", "--at", "here"),
        ("dead",),
        ("dead", "show"),
        ("dead", "show", "12"),
        ("dead", "show", "in-1", "in-2"),
        ("dead", "replay"),
        ("dead", "replay", "in-1", "--all"),
        ("dead", "replay", "in-1", "at-2"),
        ("dead", "drop"),
        ("dead", "drop", "--all"),
        ("pause", "--channel", "fax"),
        ("pause", "--list", "--approvals"),
        ("resume", "--list"),
        ("conversations",),
        ("conversations", "show"),
        ("conversations", "show", "alice"),
        ("conversations", "show", "0"),
        ("conversations", "list", "--limit", "0"),
        ("conversations", "interrupt", "9" * 30),
        ("conversations", "take"),
        ("conversations", "release", "alice"),
        ("conversations", "erase"),
        ("conversations", "erase", "1"),
        ("conversations", "erase", "alice", "--yes"),
        ("conversations", "erase", "1", "--person", "sms:+15550001111", "--yes"),
        ("doctor", "now"),
        ("audit",),
        ("audit", "verify", "--head", "12"),
        ("audit", "verify", "--head", "12:abc"),
        ("audit", "export"),
        ("audit", "export", "--from", "2026-11-01"),
        ("audit", "export", "--from", "2026-11-02", "--to", "2026-11-01"),
        ("audit", "export", "--from", "yesterday", "--to", "2026-11-01"),
        ("audit", "export", "x", "--from", "2026-11-01", "--to", "2026-11-02"),
        ("audit", "export", "x", "--tool", "issue_refund"),
        ("audit", "export", "x", "--format", "csv"),
        ("audit", "export", "--from", "2026-11-01", "--to", "2026-11-02", "--format", "html"),
        ("approvals",),
        ("approvals", "show"),
        ("approvals", "explain"),
        ("approvals", "explain", "issue_refund", "40"),
        ("approvals", "approve", "abcdefgh"),
        ("approvals", "approve", "abcdefgh", "--token", "x", "--set", "amount"),
        ("approvals", "approve", "abcdefgh", "--token", "x", "--digest", "xyz"),
        ("approvals", "deny", "--token", "x"),
        ("approvals", "deny", "abcdefgh", "--conversation", "1", "--token", "x"),
        ("approvals", "deny", "abcdefgh"),
        ("people",),
        ("people", "token"),
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_usage_exits_with_2(words: tuple[str, ...], tmp_path: Path) -> None:
    done = asks(tmp_path, *words)

    assert done.returncode == 2
    assert "Usage" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", STARTS, ids=" ".join)
def test_half_a_configuration_stops_with_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    said = one_line(asks(tmp_path, *command, SLACK__BOT_TOKEN="xoxb-s3cret"))

    assert said.startswith("gateway: SLACK__SIGNING_SECRET is not set: set it")
    assert "s3cret" not in said


@pytest.mark.parametrize("command", STARTS, ids=" ".join)
def test_a_group_that_is_set_as_a_variable_stops_with_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    assert one_line(asks(tmp_path, *command, SLACK="on")).startswith("gateway: SLACK")


@pytest.mark.parametrize("command", OVER_THE_ROWS, ids=" ".join)
async def test_without_a_database_an_operation_is_one_line_and_makes_none(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    said = await says(f"sqlite:///{tmp_path}/var/gateway.db", *command, code=1)

    assert said.startswith("gateway: DATABASE_URL: there is no ")
    assert len(said.splitlines()) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("command", OVER_THE_ROWS, ids=" ".join)
async def test_an_operation_on_a_database_of_another_release_is_one_line(
    command: tuple[str, ...], postgres: str, tmp_path: Path
) -> None:
    with scratch(postgres) as url:
        said = await says(url, *command, code=1)

    assert said.startswith("gateway: DATABASE_URL: the database is at revision none, not ")
    assert said.endswith("run `gateway migrate`\n")
    assert len(said.splitlines()) == 1


async def test_an_operation_on_a_database_that_is_away_is_one_line_without_its_password() -> None:
    said = await says("postgresql://me:s3cret@127.0.0.1:1/none", "dead", "list", code=1)

    assert len(said.splitlines()) == 1
    assert "cannot be opened" in said
    assert "s3cret" not in said


async def test_a_conversation_or_a_letter_that_is_not_there_is_one_line(database_url: str) -> None:
    for words in (("show", "4"), ("interrupt", "4"), ("erase", "4", "--yes"), ("take", "4"), ("release", "4")):
        said = await says(database_url, "conversations", *words, code=1)
        assert said.startswith("gateway: there is no conversation 4")
    for words in (("dead", "show", "in-4"), ("dead", "replay", "in-4"), ("dead", "drop", "in-4")):
        assert await says(database_url, *words, code=1) == "gateway: there is no in-4\n"


async def test_where_there_is_nothing_that_is_said_and_no_failure(database_url: str) -> None:
    assert await says(database_url, "dead", "list") == "there are no dead letters\n"
    assert await says(database_url, "dead", "replay", "--all") == "there are no dead letters\n"
    assert await says(database_url, "conversations", "list") == "there are no conversations yet\n"
    assert await says(database_url, "resume") == "nothing is paused\n"
    assert await says(database_url, "people", "optouts") == "nobody has opted out\n"
    for words in (("dead", "list", "--json"), ("conversations", "list", "--json"), ("pause", "--list", "--json")):
        assert await says(database_url, *words) == "[]\n"


async def test_a_pause_of_an_agent_nobody_knows_is_wrong_use_and_pauses_nothing(database_url: str) -> None:
    said = await says(database_url, "pause", "--channel", "sms", "--agent", "suport", code=2)

    assert "no route leads to an agent 'suport' (there are: support)" in said
    assert await says(database_url, "pause", "--list") == "nothing is paused\n"


async def test_a_broken_policy_does_not_keep_anybody_from_stopping_an_agent(database_url: str, tmp_path: Path) -> None:
    said = await says(database_url, "pause", "--agent", "support", GATEWAY_CONFIG=str(tmp_path / "none.toml"))

    assert "paused: agent support" in said


@pytest.mark.parametrize("command", [("web",), ("worker",)], ids=" ".join)
def test_web_and_worker_need_a_server(command: tuple[str, ...], tmp_path: Path) -> None:
    said = one_line(asks(tmp_path, *command))

    assert "DATABASE_URL" in said
    assert "gateway run" in said


@pytest.mark.parametrize("address", ["mysql://h/n", "postgresql://me:s3cret@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_is_one_line(address: str, tmp_path: Path) -> None:
    said = one_line(asks(tmp_path, "migrate", DATABASE_URL=address))

    assert "DATABASE_URL" in said
    assert "s3cret" not in said


def test_a_policy_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    said = one_line(asks(tmp_path, "run", GATEWAY_CONFIG="nowhere.toml", PORT="0"))

    assert said.startswith("gateway: GATEWAY_CONFIG: nowhere.toml cannot be read")


def test_migrate_makes_the_database_and_twice_is_safe(tmp_path: Path) -> None:
    for _ in range(2):
        done = gateway(tmp_path, "migrate")

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the database is at revision 0010\n"
    assert (tmp_path / "var/gateway.db").is_file()


def test_who_reads_only_the_beginning_is_not_told_of_a_broken_database(tmp_path: Path) -> None:
    asks(tmp_path, "migrate")
    unread, written = os.pipe()
    os.close(unread)
    try:
        done = gateway(tmp_path, "pause", stdout=written)
    finally:
        os.close(written)

    assert done.stderr == ""
    assert "everything" in asks(tmp_path, "pause", "--list").stdout
