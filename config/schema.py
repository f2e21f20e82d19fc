"""Brings the database to the schema of this release, and says whether it is there."""

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import ConfigError
from gateway.store import database_url

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(url: str) -> str:
    """Upgrade to head; the revision it is at now. Twice is safe. Raises `ConfigError`."""
    target = database_url(url)
    engine = _engine(target)
    try:
        with engine.begin() as connection:
            here = _revision(connection)
            if here is not None and not _known(here):
                raise ConfigError(
                    f"DATABASE_URL: the database is at revision {here}, which a newer release made; run that one"
                )
            command.upgrade(_config(connection), "head")
            return _revision(connection) or ""
    except SQLAlchemyError as error:
        raise ConfigError(_explain(target, error)) from error
    finally:
        engine.dispose()


def behind(url: str) -> str | None:
    """Why the database is not at this release's schema; None when it is. Raises `ConfigError`."""
    target = database_url(url)
    engine = _engine(target)
    try:
        with engine.connect() as connection:
            here = _revision(connection)
    except SQLAlchemyError as error:
        raise ConfigError(_explain(target, error)) from error
    finally:
        engine.dispose()
    head = _scripts().get_current_head()
    return None if here == head else f"the database is at revision {here or 'none'}, not {head}: run `gateway migrate`"


def reachable(url: str, variable: str) -> None:
    """Raises `ConfigError`, naming the variable, when the database cannot be opened."""
    target = database_url(url, variable)
    engine = _engine(target, variable)
    try:
        with engine.connect():
            pass
    except SQLAlchemyError as error:
        raise ConfigError(_explain(target, error, variable)) from error
    finally:
        engine.dispose()


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
    shown = target.set(drivername=target.get_backend_name()).render_as_string()
    return f"{variable}: {shown} cannot be opened ({cause}); {advice}"


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
