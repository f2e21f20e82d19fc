"""Databases of a test's own on the PostgreSQL at hand."""

import contextlib
import uuid
from collections.abc import Iterator

import psycopg
from psycopg import sql


@contextlib.contextmanager
def scratch(postgres: str, *, template: str = "template1") -> Iterator[str]:
    """The address of a new database, dropped on the way out."""
    name = sql.Identifier(f"gatehouse_{uuid.uuid4().hex[:12]}")
    _do(postgres, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template)))
    try:
        yield postgres.rpartition("/")[0] + "/" + name.as_string(None).strip('"')
    finally:
        _do(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _do(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
