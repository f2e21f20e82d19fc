"""The sandbox's memory: small JSON things in SQLite, a version that grows with each change, a way to wait for it.

It knows nothing of Slack or Twilio.
"""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

Thing = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS things (
    place INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


class Notebook:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One event loop uses it, but not always on the thread that made it.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._version = self.counter("version")
        self._news = asyncio.Event()
        self._waiting_allowed = True

    @property
    def version(self) -> int:
        return self._version

    def get(self, kind: str, id: str) -> Thing | None:
        row = self._db.execute("SELECT body FROM things WHERE kind = ? AND id = ?", (kind, id)).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> list[Thing]:
        """Oldest first; a thing that was changed keeps its place."""
        rows = self._db.execute("SELECT body FROM things WHERE kind = ? ORDER BY place", (kind,))
        return [json.loads(body) for (body,) in rows]

    def put(self, kind: str, id: str, thing: Thing) -> None:
        self._db.execute(
            "INSERT INTO things (kind, id, body) VALUES (?, ?, ?)"
            " ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
            (kind, id, json.dumps(thing)),
        )
        self._turn_page()

    def remove(self, kind: str, id: str) -> None:
        self._db.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, id))
        self._turn_page()

    def clear(self) -> None:
        """Forget all things. The counters go on, so nobody mistakes the new state for an old one."""
        self._db.execute("DELETE FROM things")
        self._turn_page()

    def counter(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def raise_counter(self, name: str, at_least: int = 0) -> int:
        """The next value of a counter that never repeats, not even after a restart."""
        value = max(at_least, self.counter(name) + 1)
        self._db.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )
        return value

    async def changed(self, since: int, timeout: float) -> int:
        """The version as soon as it is not `since`; the same version again when `timeout` seconds were quiet."""
        try:
            async with asyncio.timeout(timeout):
                while self._version == since and self._waiting_allowed:
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._version

    def stop_waiting(self) -> None:
        """Everybody in `changed` returns at once, now and later: the process is about to end."""
        self._waiting_allowed = False
        self._news.set()

    def close(self) -> None:
        self.stop_waiting()
        self._db.close()

    def _turn_page(self) -> None:
        self._version = self.raise_counter("version")
        news, self._news = self._news, asyncio.Event()
        news.set()


class Shelf:
    """A part of a notebook, with kinds of its own: what is kept there is found nowhere else."""

    def __init__(self, notes: Notebook, name: str) -> None:
        self._notes = notes
        self._name = name

    def get(self, kind: str, id: str) -> Thing | None:
        return self._notes.get(self._own(kind), id)

    def all(self, kind: str) -> list[Thing]:
        return self._notes.all(self._own(kind))

    def put(self, kind: str, id: str, thing: Thing) -> None:
        self._notes.put(self._own(kind), id, thing)

    def remove(self, kind: str, id: str) -> None:
        self._notes.remove(self._own(kind), id)

    def raise_counter(self, name: str, at_least: int = 0) -> int:
        return self._notes.raise_counter(name, at_least)

    def _own(self, kind: str) -> str:
        return f"{self._name}:{kind}"
