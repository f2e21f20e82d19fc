"""A real embedded server on a real port, and the databases it can stand on."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine

from adapters.agent.client import AgentClient
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.database import Database
from adapters.agent.server.store import Store
from adapters.agent.server.tables import metadata
from tests.adapters.agent.modelled import Talking, talking_through
from tests.adapters.agent.wire import Wire, wired
from tests.adapters.agent.world import AGENTS, client_of, serving
from tests.helpers.databases import scratch
from tests.helpers.openai_stand_in import StandIn, openai_stand_in


@pytest.fixture(scope="session")
def agent_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database that each test's own is copied from: to make its tables takes longer than many a turn."""
    path = tmp_path_factory.mktemp("template") / "agent.db"
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
def agent_file(agent_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(agent_template, tmp_path / "agent.db"))


@pytest.fixture
def sqlite_settings(agent_file: Path) -> ServerSettings:
    return ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{agent_file}")


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest) -> Iterator[ServerSettings]:
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_settings")
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
async def store(agent_file: Path) -> AsyncIterator[Store]:
    database = Database(f"sqlite:///{agent_file}")
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
