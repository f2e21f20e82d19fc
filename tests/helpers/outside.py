"""A database as somebody outside sees it, either kind: one connection, and questions alone."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

Row = tuple[Any, ...]


class Outside:
    def __init__(self, connection: Any, mark: str) -> None:
        self._connection = connection
        self._mark = mark

    def ask(self, question: str, values: Sequence[object] = ()) -> list[Row]:
        """The rows; `?` stands for a value, and `(?)` for all of them."""
        marks = ", ".join([self._mark] * len(values))
        question = question.replace("(?)", f"({marks})").replace("?", self._mark)
        return list(self._connection.execute(question, tuple(values)).fetchall())


@contextlib.contextmanager
def looking(database_url: str) -> Iterator[Outside]:
    """For a database that is there already."""
    kind, _, path = database_url.partition(":///")
    if kind == "sqlite":
        file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False)
        with contextlib.closing(file):
            yield Outside(file, "?")
    else:
        with psycopg.connect(database_url, autocommit=True) as connection:
            yield Outside(connection, "%s")
