"""The schema's history on both databases: up, down and up again, and what is said when it cannot be."""

import asyncio
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
import sqlalchemy
from alembic import command
from alembic.config import Config
from procrastinate.schema import SchemaManager
from psycopg import sql
from sqlalchemy.engine import Connection

from config import schema
from gateway.errors import ConfigError
from gateway.store import database_url
from tests.helpers.databases import scratch

HEAD = "0010"

T = TypeVar("T")


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    """A database of our own, for this test only."""
    with scratch(postgres) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'gateway.db'}"
    return str(request.getfixturevalue("empty"))


def with_alembic(url: str, do: Callable[[Config, Connection], T]) -> T:
    """Run one of alembic's commands as `config.schema` would."""
    target = database_url(url)
    if target.get_backend_name() == "sqlite":
        target = target.set(drivername="sqlite")
    engine = sqlalchemy.create_engine(target)
    try:
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(schema.SCRIPTS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            return do(config, connection)
    finally:
        engine.dispose()


def tables(url: str) -> set[str]:
    return with_alembic(url, lambda _, connection: set(sqlalchemy.inspect(connection).get_table_names()))


def test_the_history_goes_up_and_down_and_up(url: str) -> None:
    assert schema.migrate(url) == HEAD
    first = tables(url)
    assert {"conversations", "inbox", "approvals", "outbox", "timers"} <= first
    assert ("procrastinate_jobs" in first) is url.startswith("postgres")

    with_alembic(url, lambda config, _: command.check(config))
    with_alembic(url, lambda config, _: command.downgrade(config, "base"))
    assert tables(url) <= {"alembic_version"}

    assert schema.migrate(url) == HEAD
    assert tables(url) == first


def test_twice_is_safe(url: str) -> None:
    assert schema.migrate(url) == schema.migrate(url) == HEAD


def test_a_database_says_how_far_behind_it_is(url: str) -> None:
    assert schema.behind(url) == f"the database is at revision none, not {HEAD}: run `gateway migrate`"

    schema.migrate(url)
    assert schema.behind(url) is None

    with_alembic(url, lambda config, _: command.downgrade(config, "0001"))
    assert schema.behind(url) == f"the database is at revision 0001, not {HEAD}: run `gateway migrate`"


def test_a_database_of_a_newer_release_is_left_alone(url: str) -> None:
    schema.migrate(url)
    with_alembic(
        url,
        lambda _, connection: connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = '9999'")),
    )

    with pytest.raises(ConfigError, match="revision 9999, which a newer release made"):
        schema.migrate(url)

    assert "revision 9999" in str(schema.behind(url))


def test_a_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    schema.migrate(f"sqlite:///{tmp_path}/a/b/gateway.db")

    assert (tmp_path / "a/b/gateway.db").is_file()


@pytest.mark.parametrize(
    "address", ["postgresql://me:s3cret@127.0.0.1:1/none", "postgres://me:s3cret@127.0.0.1:1/none"]
)
@pytest.mark.parametrize("do", [schema.migrate, schema.behind])
def test_a_server_that_cannot_be_reached_is_one_line(do: Callable[[str], object], address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        do(address)

    said = str(caught.value)
    assert said.startswith("DATABASE_URL: ")
    assert "check the address, and that the server runs" in said
    assert "\n" not in said
    assert "s3cret" not in said


def test_a_postgresql_user_who_may_create_nothing_is_told_what_is_missing(empty: str) -> None:
    me = f"nobody_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 's3cret'").format(sql.Identifier(me)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    theirs = re.sub(r"//[^@]*@", f"//{me}:s3cret@", empty)
    try:
        with pytest.raises(ConfigError) as caught:
            schema.migrate(theirs)
    finally:
        with psycopg.connect(empty, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(me)))

    said = str(caught.value)
    assert "permission denied for schema public" in said
    assert said.endswith("this user needs the right to create tables there: GRANT CREATE, or make it the owner")
    assert "\n" not in said
    assert "s3cret" not in said


async def test_two_releases_that_migrate_at_once_both_succeed(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("on SQLite the lock file lets only one migrate")
    done = await asyncio.gather(*(asyncio.to_thread(schema.migrate, url) for _ in range(3)))

    assert done == [HEAD] * 3


@pytest.mark.parametrize("path", ["file/gateway.db", "file/a/gateway.db", "folder"])
@pytest.mark.parametrize("do", [schema.migrate, schema.behind])
def test_a_file_that_cannot_be_written_is_one_line(do: Callable[[str], object], path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()

    with pytest.raises(ConfigError) as caught:
        do(f"sqlite:///{tmp_path}/{path}")

    said = str(caught.value)
    assert said.startswith("DATABASE_URL: ")
    assert "check that the folder exists and can be written" in said
    assert "\n" not in said


@pytest.mark.parametrize("do", [schema.migrate, schema.behind])
def test_a_file_that_is_no_database_is_one_line(do: Callable[[str], object], tmp_path: Path) -> None:
    (tmp_path / "gateway.db").write_bytes(b"this is a letter to my aunt" * 100)

    with pytest.raises(ConfigError, match=r"^DATABASE_URL: "):
        do(f"sqlite:///{tmp_path}/gateway.db")


@pytest.mark.parametrize("address", ["mysql://host/name", "gateway.db", "", "http://x"])
@pytest.mark.parametrize("do", [schema.migrate, schema.behind])
def test_another_kind_of_address_is_one_line(do: Callable[[str], object], address: str) -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_URL .*sqlite:///"):
        do(address)


def test_the_pinned_schema_of_the_engine_is_the_one_installed() -> None:
    pinned = schema.SCRIPTS / "versions/0002_procrastinate.sql"

    assert pinned.read_text().strip() == SchemaManager.get_schema().strip()
