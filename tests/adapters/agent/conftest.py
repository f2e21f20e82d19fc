"""A real embedded server on a real port, and the databases it can stand on."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from adapters.agent.client import AgentClient
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.database import Database
from adapters.agent.server.store import Store
from tests.adapters.agent.modelled import Talking, talking_through
from tests.adapters.agent.wire import Wire, wired
from tests.adapters.agent.world import AGENTS, client_of, serving
from tests.helpers.databases import scratch
from tests.helpers.openai_stand_in import StandIn, openai_stand_in


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path / 'agent.db'}")


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerSettings]:
    if request.param == "sqlite":
        yield ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path / 'agent.db'}")
        return
    url = request.getfixturevalue("scratch_postgres")
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("DROP SCHEMA public CASCADE")
        db.execute("CREATE SCHEMA public")
    yield ServerSettings(agents_dir=AGENTS, database_url=url)


@pytest.fixture(scope="session")
def scratch_postgres(postgres: str) -> Iterator[str]:
    """A database of our own, for this test run only."""
    with scratch(postgres) as url:
        yield url


@pytest.fixture
async def url(sqlite_settings: ServerSettings) -> AsyncIterator[str]:
    async with serving(sqlite_settings) as base:
        yield base


@pytest.fixture
async def client(url: str) -> AsyncIterator[AgentClient]:
    async with client_of(url) as made:
        yield made


@pytest.fixture
async def wire(url: str) -> AsyncIterator[Wire]:
    async with wired(url) as made:
        yield made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = Database(f"sqlite:///{tmp_path / 'agent.db'}")
    await database.open()
    yield Store(database)
    await database.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[StandIn]:
    async with openai_stand_in() as stand_in:
        yield stand_in


@pytest.fixture
def talking(endpoint: StandIn, sqlite_settings: ServerSettings) -> Talking:
    return talking_through(endpoint, sqlite_settings)
