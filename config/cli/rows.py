"""What the commands of operations stand on: the rows of this environment, opened beside whatever runs."""

import asyncio
import contextlib
import os
import pwd
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from gateway.errors import ConfigError, DatabaseAway, GatewayError

if TYPE_CHECKING:
    from config.settings import Settings
    from gateway.store import Store
    from gateway.store.texting import ConsentRow

T = TypeVar("T")


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """What is wrong is one line and exit code 1, never a traceback."""
    try:
        yield
    except GatewayError as error:
        typer.echo(f"gateway: {error}", err=True)
        raise typer.Exit(1) from error
    except UnicodeEncodeError as error:  # nothing but an argument has lone surrogates: the rows hold none
        typer.echo("gateway: what was written on the command line is not UTF-8", err=True)
        raise typer.Exit(1) from error


def over_the_rows(job: "Callable[[Store, Settings], Awaitable[T]]") -> T:
    """Do it with the database of this environment. A database that is away or of another release is one line.

    It need not wake anybody: on either database the sweep of whatever runs finds a change within a second.
    """
    from config.settings import read

    with one_line():
        settings = read()
        _at_head(settings)
        return asyncio.run(_with_store(settings, job))


def hand_over(output: Path | None, text: str) -> None:
    """What people wrote, to the terminal or a file for its owner alone."""
    if output is None:
        typer.echo(text, nl=False)
        return
    with one_line():
        try:
            with os.fdopen(
                os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as file:
                file.write(text)
        except OSError as error:
            raise ConfigError(f"--output: {output} cannot be written ({error.strerror})") from error


def whoever() -> str:
    """Who is at the command line, for the audit: the user of this process, whatever the environment says."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # a container's user may have no name
        return f"cli:{os.getuid()}"


def said(row: "ConsentRow") -> dict[str, Any]:
    """What an address last said of being written to."""
    whose = {"address": row.address, "channel": row.channel, "account": row.account}
    return {**whose, "state": row.state, "source": row.source, "at": row.at}


def now() -> datetime:
    return datetime.now(UTC)


async def _with_store(settings: "Settings", job: "Callable[[Store, Settings], Awaitable[T]]") -> T:
    from gateway.store import Store
    from gateway.store.store import DATABASE_AWAY

    store = Store(settings.database_url, pool_size=2, through_pooler=bool(settings.database_direct_url))
    try:
        return await job(store, settings)
    except BrokenPipeError:
        raise  # nobody reads what we print any more; drivers have errors of their own
    except DATABASE_AWAY as error:
        why = str(getattr(error, "orig", None) or error or type(error).__name__).strip().splitlines()[0]
        raise DatabaseAway(f"DATABASE_URL: the database does not answer ({why}); try again") from error
    finally:
        await store.aclose()


def _at_head(settings: "Settings") -> None:
    """Looks without making anything."""
    from config import schema
    from gateway.store import database_url
    from gateway.work.local import sqlite_path

    path = sqlite_path(database_url(settings.database_url))
    if path is not None and not path.is_file():
        raise ConfigError(f"DATABASE_URL: there is no {path} yet: `gateway run` makes it, or `gateway migrate`")
    if reason := schema.behind(settings.database_url):
        raise ConfigError(f"DATABASE_URL: {reason}")
