"""What many tests stand on: scratch databases of both kinds, and a gateway with people around it."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from config import schema
from tests.helpers.clock import Clock
from tests.helpers.databases import Copies, scratch
from tests.helpers.town import Town, Under

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")


@pytest.fixture(scope="session", autouse=True)
def no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nobody here speaks https to the world, and reading whom it trusts is 30 ms of work for each client."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("SSL_CERT_FILE", raising=False)
        environment.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a PostgreSQL to make scratch databases on; a machine without one skips, CI fails."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        reason = f"no PostgreSQL at TEST_DATABASE_URL ({str(error).splitlines()[0]})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return POSTGRES


RULES = (
    "by_button",
    "by_text",
    "callbacks",
    "caps",
    "carrier_reports",
    "confirming",
    "edits",
    "erasing",
    "files",
    "handoff",
    "held",
    "live",
    "metrics",
    "must_have",
    "must_have_shown",
    "not_delivered",
    "notes",
    "pauses",
    "reaching",
    "reconciling",
    "retention",
    "review_approvals",
    "revised",
    "seen_is_decided",
    "segment_caps",
)
"""Rules whose statements other tests run on both databases."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What people do (`flows`), what the agent server does and the `RULES` are walked on SQLite by bin/test, and on
    PostgreSQL too by the long tests: meanwhile the rest of the conformance suite holds both databases to one contract.
    """
    collected = {item.nodeid for item in items}
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        walked = "flows" in item.path.parts or item.path.stem.removeprefix("test_") in RULES
        is_flow = walked and params.get("database_url") == "postgres"
        is_twin = "[postgres" in item.nodeid and item.nodeid.replace("[postgres", "[sqlite") in collected
        if is_flow or ("agent" in item.path.parts and is_twin):
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """A migrated database that each test's own is copied from."""
    with scratch(postgres) as url:
        schema.migrate(url)
        yield url.rpartition("/")[2]


@pytest.fixture(scope="session")
def copies(postgres: str, template: str) -> Iterator[Copies]:
    made = Copies(postgres, template)
    yield made
    made.close()


@pytest.fixture(scope="session")
def template_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same on SQLite."""
    path = tmp_path_factory.mktemp("template") / "gateway.db"
    schema.migrate(f"sqlite:///{path}")
    assert not path.with_name("gateway.db-wal").exists()  # else a copy of the file alone would be half of it
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of the test's own, of each kind."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("template_file"), tmp_path / "gateway.db")
        yield f"sqlite:///{tmp_path}/gateway.db"
        return
    copies: Copies = request.getfixturevalue("copies")
    with copies.lent() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def town(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Town]:
    """A gateway at work, with its embedded agent, a sandbox world, and the people in it."""
    made = Town(database_url, tmp_path, clock)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def under(database_url: str, tmp_path: Path, clock: Clock) -> Under:
    """A town under a policy of its own."""

    @asynccontextmanager
    async def opened(policy: str) -> AsyncIterator[Town]:
        town = Town(database_url, tmp_path, clock, policy)
        await town.open()
        try:
            yield town
        finally:
            await town.close()

    return opened


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the long tests counted and measured."""
    passed: list[pytest.TestReport] = terminalreporter.stats.get("passed", [])
    told = [one for one in passed if one.when == "call" and "long" in one.keywords and one.capstdout.strip()]
    if told:
        terminalreporter.section("what was counted")
    for one in sorted(told, key=lambda one: one.nodeid):
        terminalreporter.line(f"{one.nodeid.rpartition('/')[2]}\n    {one.capstdout.strip()}")
