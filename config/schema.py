"""Brings the database to the schema of this release, and says whether it is there."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import ConfigError
from gateway.store import Store, database_url

log = logging.getLogger(__name__)

SCRIPTS = Path(__file__).parent / "migrations"
TRIES = 5
LOCK_NOT_AVAILABLE = "55P03"
# libpq tells no SQLSTATE of a connection that was refused, only these words.
PASSING = ("too many connections", "too many clients", "remaining connection slots", "the database system is starting")
FULL_FOR_S = 30.0


def migrate(url: str) -> str:
    """Upgrade to head; the revision it is at now. Twice is safe, also at once. Raises `ConfigError`."""
    target = database_url(url)
    with _opened(target) as connection:
        for left in reversed(range(TRIES)):
            try:
                return _upgrade(connection)
            except OperationalError as error:
                if left == 0 or _state(error) != LOCK_NOT_AVAILABLE:
                    raise
                connection.rollback()
                log.warning("a table is in use; the migration is tried again")
        raise AssertionError("unreachable")


def _upgrade(connection: Connection) -> str:
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # One migration at a time; and rather try again than hold up the running release behind a long query.
            connection.execute(text("SELECT pg_advisory_lock(hashtext('gatehouse migrate'))"))
            connection.execute(text("SET lock_timeout = '5s'"))
        here = _revision(connection)
        if here is not None and not _known(here):
            raise ConfigError(
                f"DATABASE_URL: the database is at revision {here}, which a newer release made; run that one"
            )
        command.upgrade(_config(connection), "head")
        return _revision(connection) or ""


def behind(url: str) -> str | None:
    """Why the database is not at this release's schema; None when it is. Raises `ConfigError`."""
    with _opened(database_url(url)) as connection:
        return explain(_revision(connection))


async def behind_now(store: Store) -> str | None:
    """`behind`, over a store that is open already."""
    return explain(await store.read(_revision_of))


async def _revision_of(db: AsyncSession) -> str | None:
    connection = await db.connection()
    return await connection.run_sync(_revision)


def explain(here: str | None) -> str | None:
    """None when it is this release's revision."""
    head = _scripts().get_current_head()
    if here == head:
        return None
    if here is not None and not _known(here):
        return f"the database is at revision {here}, which a newer release made: run that one"
    return f"the database is at revision {here or 'none'}, not {head}: run `gateway migrate`"


def reachable(url: str, variable: str) -> None:
    """Raises `ConfigError`, naming the variable, when the database cannot be opened."""
    with _opened(database_url(url, variable), variable):
        pass


@contextlib.contextmanager
def _opened(target: URL, variable: str = "DATABASE_URL") -> Iterator[Connection]:
    """A connection; a server that is full or starting is waited for. Database errors inside become `ConfigError`."""
    engine = _engine(target, variable)
    try:
        with _connection(engine) as connection:
            yield connection
    except SQLAlchemyError as error:
        raise ConfigError(_explain(target, error, variable)) from error
    finally:
        engine.dispose()


def _connection(engine: Engine) -> Connection:
    until = time.monotonic() + FULL_FOR_S
    while True:
        try:
            return engine.connect()
        except OperationalError as error:
            said = str(error.orig)
            if not any(words in said for words in PASSING) or time.monotonic() > until:
                raise
            log.warning("the database takes no connection yet (%s); waiting", said.strip().splitlines()[-1])
        time.sleep(1)


def _engine(target: URL, variable: str = "DATABASE_URL") -> Engine:
    if target.get_backend_name() == "sqlite":
        path = Path(target.database or "")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(_explain(target, error, variable)) from error
        return sqlalchemy.create_engine(target.set(drivername="sqlite"))
    return sqlalchemy.create_engine(target, connect_args={"connect_timeout": 10})


def _explain(target: URL, error: Exception, variable: str = "DATABASE_URL") -> str:
    cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    advice = "check that the folder exists and can be written"
    if target.get_backend_name() != "sqlite":
        advice = "check the address, and that the server runs"
    if "permission denied" in cause:
        advice = "this user needs the right to create tables there: GRANT CREATE, or make it the owner"
    if "disk is full" in cause or "No space left" in cause:
        advice = "make room on its disk"
    shown = target.set(drivername=target.get_backend_name()).render_as_string()
    failed = "cannot be used" if isinstance(error, ProgrammingError) else "cannot be opened"
    return f"{variable}: {shown} {failed} ({cause}); {advice}"


def _state(error: OperationalError) -> str:
    return str(getattr(error.orig, "sqlstate", ""))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(SCRIPTS))


def _known(revision: str) -> bool:
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
