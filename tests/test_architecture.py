"""The house keeps its shape: what may import what, how long a file is, what the lock looks like."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from config import cli

ROOT = Path(__file__).parents[1]
RINGS = ("gateway", "adapters", "config")
LONGEST = 300
IMPURE = {
    "aiohttp",
    "asyncio",
    "httpx",
    "random",
    "requests",
    "secrets",
    "socket",
    "sqlalchemy",
    "sqlmodel",
    "time",
    "urllib.request",
    "starlette.requests",
}
CLOCKS = {"now", "utcnow", "today"}

CLAIM = re.compile(r"\bPure[.:,]")

MODULES = sorted(path for ring in RINGS for path in (ROOT / ring).rglob("*.py"))
CHANNELS = sorted(path.parent for path in (ROOT / "adapters").glob("*/channel.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def imports(tree: ast.Module) -> set[str]:
    """Every module a file names: `a.b` for `import a.b`, `a` and `a.b` for `from a import b`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def impurities(source: str) -> set[str]:
    """What a pure module must not touch: the network, the database, the loop, dice and the clock."""
    tree = ast.parse(source)
    named = {one for one in imports(tree) for bad in IMPURE if one == bad or one.startswith(f"{bad}.")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner in ("datetime", "date"):
                named.add(f"{owner}.{node.attr}")
    return named


def _may_be_pure(path: Path) -> bool:
    return ROOT / "gateway" in path.parents or path.parent in CHANNELS


PURE = sorted(
    {folder / name for folder in CHANNELS for name in ("inbound.py", "render.py")}
    | {path for path in MODULES if _may_be_pure(path) and CLAIM.search(docstring(path))}
)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time", {"time"}),
        ("import asyncio.timeouts as t", {"asyncio.timeouts"}),
        ("from starlette.requests import Request", {"starlette.requests", "starlette.requests.Request"}),
        ("from starlette.datastructures import FormData", set()),
        ("from starlette import requests", {"starlette.requests"}),
        ("from datetime import datetime\nx = datetime.now()", {"datetime.now"}),
        ("import datetime\nx = datetime.datetime.utcnow", {"datetime.utcnow"}),
        ("'''import time'''\n# import socket\nfrom datetime import UTC", set()),
        ("import timeit", set()),
    ],
)
def test_the_look_at_a_file_reads_its_imports_and_not_its_text(source: str, found: set[str]) -> None:
    assert impurities(source) == found


def test_there_are_channels_to_look_at() -> None:
    assert {"slack", "sms"} <= {folder.name for folder in CHANNELS}
    assert {"gateway/verdicts.py", "gateway/speaker.py", "gateway/policy/rules.py"} <= {name_of(path) for path in PURE}
    assert ROOT / "gateway/exchange.py" not in PURE


@pytest.mark.parametrize("folder", CHANNELS, ids=name_of)
def test_every_channel_has_the_same_three_files(folder: Path) -> None:
    assert (folder / "inbound.py").is_file()
    assert (folder / "render.py").is_file()


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_what_is_called_pure_touches_nothing(path: Path) -> None:
    assert impurities(path.read_text()) == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for_and_stays_small(path: Path) -> None:
    assert docstring(path), "no docstring"
    assert len(path.read_text().splitlines()) <= LONGEST


@pytest.mark.parametrize("lock", ["requirements.txt", "requirements-dev.txt"])
def test_the_lock_has_a_hash_for_every_package_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    packages = re.sub(r"(?m)^\s*#.*\n?", "", text).replace("\\\n", " ").split("\n")

    assert "://" not in text
    for package in filter(str.strip, packages):
        assert re.match(r"[A-Za-z0-9._-]+(\[[^\]]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", package), package


def test_the_import_contracts_are_there() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["type"]: contract for contract in linter["contracts"]}

    assert set(linter["root_packages"]) == set(RINGS)
    assert contracts["layers"]["layers"] == ["config", "adapters", "gateway"]
    assert contracts["independence"]["modules"] == ["adapters.*"]
    assert contracts["forbidden"]["source_modules"] == ["gateway"]
    assert {"slack_bolt", "slack_sdk", "twilio"} <= set(contracts["forbidden"]["forbidden_modules"])


def test_the_procfile_names_commands_that_exist() -> None:
    known = {command.name or command.callback.__name__ for command in cli.app.registered_commands if command.callback}
    processes = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line.strip())

    assert set(processes) == {"release", "web", "worker"}
    for line in processes.values():
        python, flag, module, command = shlex.split(line)
        assert (python, flag, module) == ("python", "-m", "config")
        assert command in known


def test_the_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))
