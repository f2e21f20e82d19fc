"""`bench/engine`: the engine on both databases, side by side with the disk. Prints; judges no time by its exit code."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from bench import disk, measures, tables
from bench.measures import Side, Size, say
from config import schema
from tests.helpers.databases import scratch

POSTGRES = os.environ.get("TEST_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
PARTS = {"events": measures.events, "turns": measures.turns, "takeover": measures.takeover}
SIDES = ("sqlite", "postgresql")
EPILOG = """example: bench/engine                        everything, about two minutes
         bench/engine --part events --json   latency and throughput alone, for a script

PostgreSQL is looked for at TEST_DATABASE_URL, else on 127.0.0.1; each part gets a scratch database of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(
        "bench/engine",
        description="Measures enqueue to start, events/s, whole turns/s and takeover on SQLite and PostgreSQL.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; may be given again")
    parser.add_argument("--database", action="append", choices=SIDES, help="only this database")
    parser.add_argument("--events", type=some, default=3000, help="how many under load (3000)")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where the SQLite files are made (var)")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes and databases are cleared away
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=wanted.folder) as folder:
        found = asyncio.run(_measure(wanted, Path(folder).resolve()))
    print(json.dumps(found, indent=2) if wanted.json else _page(found))


async def _measure(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    # As in production each event is a line of the log; here it goes to a file.
    logging.basicConfig(level="INFO", filename=folder / "gateway.log")
    for name in ("procrastinate", "alembic", "httpx", "websockets", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    found: dict[str, Any] = {"machine": disk.machine(), "fdatasync_ms": [disk.fdatasync_ms(folder)]}
    for side in wanted.database or SIDES:
        version = "" if side == "sqlite" else postgres_version()
        found[side] = {} if version is not None else None
        if version:
            found["machine"]["postgresql"] = version
        for part in (wanted.part or PARTS) if version is not None else ():
            with database(side, folder) as url:
                found[side] |= await PARTS[part](Side(side, url, folder), Size(wanted.events))
        found["fdatasync_ms"].append(disk.fdatasync_ms(folder))
    return found


@contextlib.contextmanager
def database(side: str, folder: Path) -> Iterator[str]:
    """An empty one, migrated."""
    with contextlib.ExitStack() as stack:
        if side == "sqlite":
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory(dir=folder))}/gateway.db"
        else:
            url = stack.enter_context(scratch(POSTGRES))
        schema.migrate(url)
        yield url


def postgres_version() -> str | None:
    try:
        with psycopg.connect(POSTGRES, connect_timeout=3) as connection:
            return str(connection.info.parameter_status("server_version")).split()[0]
    except psycopg.OperationalError as error:
        say(f"no PostgreSQL answers at TEST_DATABASE_URL ({str(error).splitlines()[0]}); SQLite alone is measured")
        return None


def _page(found: dict[str, Any]) -> str:
    machine, syncs = found["machine"], found["fdatasync_ms"]
    version = f", PostgreSQL {machine['postgresql']}" if "postgresql" in machine else ""
    lines = [
        f"machine: {machine['cores']} cores, load {machine['load']} before, Python {machine['python']}{version}",
        f"system: {machine['system']}",
        f"fdatasync of 4 KiB: {' / '.join(format(one, '.2f') for one in syncs)} ms (median; before, between, after)",
        "",
        tables.table(found.get("sqlite") or {}, found.get("postgresql") or {}),
    ]
    if found.get("postgresql", {}) is None:
        lines += ["", "PostgreSQL was not measured: none answers at TEST_DATABASE_URL."]
    return "\n".join(lines)


def some(word: str) -> int:
    if (number := int(word)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    main()
