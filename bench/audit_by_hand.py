"""What one would write first for `bench/audit`: a hash beside each row, made and checked in one loop over the driver.

No heads, no pages, nobody else at work, and of a broken chain it knows only that it is broken.
"""

import contextlib
import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from gateway.store.store import database_url

ROWS = "SELECT id, at, what, conversation_id, approval_id, who, facts FROM audit ORDER BY id"
SEALED = ROWS.replace(" FROM audit ", ", hash FROM audit JOIN by_hand ON audit_id = id ")


def measured(url: str, batch: int) -> dict[str, float]:
    """Seconds, for the rows that are there."""
    with _line(url) as (line, mark):
        line.cursor().execute("CREATE TABLE by_hand (audit_id BIGINT PRIMARY KEY, hash TEXT NOT NULL)")
        line.commit()
        before = time.perf_counter()
        _seal(line, f"INSERT INTO by_hand VALUES ({mark}, {mark})", batch)
        seal_s, before = time.perf_counter() - before, time.perf_counter()
        assert _is_whole(line)
        return {"hand_seal_s": seal_s, "hand_verify_s": time.perf_counter() - before}


@contextlib.contextmanager
def _line(url: str) -> Iterator[tuple[Any, str]]:
    """A connection, and how its driver marks a parameter."""
    found = database_url(url)
    if found.get_backend_name() == "sqlite":
        with contextlib.closing(sqlite3.connect(found.database or "")) as line:
            line.execute("PRAGMA synchronous=FULL")
            yield line, "?"
    else:
        with psycopg.connect(url) as line:
            yield line, "%s"


def _seal(line: Any, insert: str, batch: int) -> None:
    rows, before = line.cursor().execute(ROWS).fetchall(), ""
    for start in range(0, len(rows), batch):
        links = [(row[0], before := _hash(before, row)) for row in rows[start : start + batch]]
        line.cursor().executemany(insert, links)
        line.commit()


def _is_whole(line: Any) -> bool:
    before = ""
    return all((before := _hash(before, row)) == kept for *row, kept in line.cursor().execute(SEALED))


def _hash(before: str, row: Sequence[Any]) -> str:
    return hashlib.sha256(f"{before}{json.dumps(row, default=str)}".encode()).hexdigest()
