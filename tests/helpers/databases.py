"""Databases of a test's own on the PostgreSQL at hand."""

import contextlib
import uuid
from collections.abc import Iterator

import psycopg
from psycopg import sql

# Whatever is altered, made or dropped by a test adds a row to one of these or takes one away.
CATALOGS = {
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_constraint": "oid",
    "pg_trigger": "oid",
    "pg_proc": "oid",
}
SCHEMA = " UNION ALL ".join(
    [
        "SELECT version_num FROM alembic_version",
        *(
            f"SELECT concat_ws(' ', '{catalog}', count(*), max(xmin::text::bigint)) FROM {catalog} WHERE {of} >= 16384"
            for catalog, of in CATALOGS.items()
        ),
    ]
)
OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
COUNT_ANEW = "SELECT setval(seqrelid, seqstart, false) FROM pg_sequence"


@contextlib.contextmanager
def scratch(postgres: str, *, template: str = "template1") -> Iterator[str]:
    """The address of a new database, dropped on the way out."""
    url = _made(postgres, template)
    try:
        yield url
    finally:
        _drop(postgres, url)


class Copies:
    """Copies of a migrated database, one at a time. One whose schema was left alone is emptied and lent again: a new
    one costs PostgreSQL twenty times as much, and a checkpoint.
    """

    def __init__(self, postgres: str, template: str) -> None:
        self._postgres = postgres
        self._template = template
        with psycopg.connect(_named(postgres, template)) as connection:
            self._schema = connection.execute(SCHEMA).fetchall()
        self._spare = ""

    @contextlib.contextmanager
    def lent(self) -> Iterator[str]:
        url, self._spare = self._spare or _made(self._postgres, self._template), ""
        try:
            yield url
        finally:
            if self._is_whole_again(url):
                self._spare = url
            else:
                _drop(self._postgres, url)

    def close(self) -> None:
        if self._spare:
            _drop(self._postgres, self._spare)

    def _is_whole_again(self, url: str) -> bool:
        """Nobody is connected, no row is left and every count begins anew; unless the schema was changed."""
        try:
            with psycopg.connect(url, options="-c lock_timeout=5s") as connection:
                connection.execute(OTHERS)
                if connection.execute(SCHEMA).fetchall() != self._schema:
                    return False
                connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no foreign keys
                for (table,) in connection.execute(TABLES).fetchall():
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                connection.execute(COUNT_ANEW)
        except psycopg.Error:
            return False
        return True


def _made(postgres: str, template: str) -> str:
    name = f"gatehouse_{uuid.uuid4().hex[:12]}"
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    _do(postgres, statement)
    return _named(postgres, name)


def _drop(postgres: str, url: str) -> None:
    name = sql.Identifier(url.rpartition("/")[2])
    _do(postgres, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _named(postgres: str, name: str) -> str:
    return f"{postgres.rpartition('/')[0]}/{name}"


def _do(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
