"""The command line as a person meets it: a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [("run",), ("web",), ("worker",), ("migrate",), ("demo",), ("agents", "serve")]
STARTS = [command for command in COMMANDS if command != ("demo",)]


def gateway(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "config", *words],
        cwd=folder,
        env={**kept, "HOME": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


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
    done = gateway(tmp_path, *command, "--help")

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
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_usage_exits_with_2(words: tuple[str, ...], tmp_path: Path) -> None:
    done = gateway(tmp_path, *words)

    assert done.returncode == 2
    assert "Usage" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", STARTS, ids=" ".join)
def test_half_a_configuration_stops_with_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    said = one_line(gateway(tmp_path, *command, SLACK__BOT_TOKEN="xoxb-s3cret"))

    assert said.startswith("gateway: SLACK__SIGNING_SECRET is not set: set it")
    assert "s3cret" not in said


@pytest.mark.parametrize("command", STARTS, ids=" ".join)
def test_a_group_that_is_set_as_a_variable_stops_with_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    assert one_line(gateway(tmp_path, *command, SLACK="on")).startswith("gateway: SLACK")


@pytest.mark.parametrize("command", [("web",), ("worker",)], ids=" ".join)
def test_web_and_worker_need_a_server(command: tuple[str, ...], tmp_path: Path) -> None:
    said = one_line(gateway(tmp_path, *command))

    assert "DATABASE_URL" in said
    assert "gateway run" in said


@pytest.mark.parametrize("address", ["mysql://h/n", "postgresql://me:s3cret@127.0.0.1:1/none"])
def test_a_database_that_cannot_be_is_one_line(address: str, tmp_path: Path) -> None:
    said = one_line(gateway(tmp_path, "migrate", DATABASE_URL=address))

    assert "DATABASE_URL" in said
    assert "s3cret" not in said


def test_a_policy_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    said = one_line(gateway(tmp_path, "run", GATEWAY_CONFIG="nowhere.toml", PORT="0"))

    assert said.startswith("gateway: GATEWAY_CONFIG: nowhere.toml cannot be read")


def test_migrate_makes_the_database_and_twice_is_safe(tmp_path: Path) -> None:
    for _ in range(2):
        done = gateway(tmp_path, "migrate")

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "the database is at revision 0002\n"
    assert (tmp_path / "var/gateway.db").is_file()
