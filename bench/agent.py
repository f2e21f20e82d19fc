"""`bench/agent`: many sessions at once on the embedded agent server, beside a bare one. Judges no time."""

import argparse
import asyncio
import contextlib
import json
import resource
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bench import agent_crowd, agent_lines, disk, tables
from bench.agent_crowd import Numbers
from bench.agent_lines import Server
from bench.engine import POSTGRES, SIDES, postgres_version, some
from bench.measures import say
from bench.tables import Row
from tests.helpers.databases import scratch

BARE = "bare"
OTHER_FILES = 200  # that a process has open beside its sockets
ROWS = (
    Row("turns completed", ("completed",), ".0f"),
    Row("  without a reply", ("lost",), ".0f"),
    Row("sessions opened, all at once, s", ("opened_s",), ".2f"),
    Row("all turns, s", ("total_s",), ".2f"),
    Row("turns/s", ("turns_per_s",), ".1f"),
    Row("  of the bare server's", ("turns_ratio",), ".2f"),
    Row("a turn: p50 / p95 s", ("turn_p50_s", "turn_p95_s"), ".2f"),
    Row("  times the bare server's p50", ("turn_ratio",), ".2f"),
    Row("first delta: p50 / p95 s", ("first_p50_s", "first_p95_s"), ".2f"),
    Row("memory before / at the peak / after, MiB", ("before_mib", "peak_mib", "after_mib"), ".0f"),
    Row("  more at the peak, KiB a session", ("session_kib",), ".0f"),
)
EPILOG = """example: bench/agent                                       300 sessions, both databases, three rounds
         bench/agent --sessions 1000 --rounds 1 --json

Everybody's socket is open before the first one asks; then all ask at once, one turn each, of the offline agent. The
bare server is what one would write first: pydantic-ai with the same model and instructions behind a WebSocket on the
same web server, with no tools, no sessions, no queue, and nothing kept. Each server is a fresh process in each round,
in turn, and has answered once before; the figures are the medians of the rounds. Memory is the server's resident set.

PostgreSQL is looked for at TEST_DATABASE_URL, else on 127.0.0.1; each round gets a scratch database of its own.
The exit code is 1 when a turn came to nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(
        "bench/agent",
        description="Measures one turn each of many sessions at once on the embedded agent server.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--sessions", type=some, default=300, help="how many at once (300)")
    parser.add_argument("--rounds", type=some, default=3, help="how often each server is measured (3)")
    parser.add_argument("--database", action="append", choices=SIDES, help="only this database")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where SQLite files and logs are made (var)")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes and databases are cleared away
    if not _files_allowed(wanted.sessions + OTHER_FILES):
        parser.error(
            "the system allows too few open files: raise its limit with ulimit -n, or ask for fewer --sessions"
        )
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=wanted.folder) as folder:
        found = asyncio.run(_measure(wanted, Path(folder).resolve()))
    print(json.dumps(found, indent=2) if wanted.json else _page(found))
    sys.exit(any(side["lost"] for side in found["servers"].values()))


def _files_allowed(count: int) -> bool:
    """Asks for so many if need be, also for the servers that are started: some systems give but 256 unasked."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return True
    if hard != resource.RLIM_INFINITY and hard < count:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    return True


async def _measure(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": disk.machine(), "sessions": wanted.sessions, "rounds": wanted.rounds}
    sides = wanted.database or list(SIDES)
    if "postgresql" in sides:
        if version := postgres_version():
            found["machine"]["postgresql"] = version
        else:
            sides.remove("postgresql")
    names = [BARE, *sides]
    rounds: dict[str, list[Numbers]] = {name: [] for name in names}
    for number in range(wanted.rounds):
        for name in names:
            say(f"round {number + 1} of {wanted.rounds}: {wanted.sessions} sessions, {name}")
            rounds[name].append(await _round(name, wanted.sessions, folder))
    found["fdatasync_ms"] = disk.fdatasync_ms(folder)
    found["servers"] = _beside_bare({name: _middle(rounds[name]) for name in names})
    return found


async def _round(name: str, sessions: int, folder: Path) -> Numbers:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        async with _server(name, Path(own)) as server:
            return await agent_crowd.measured(server.opens, sessions, server.pid)


@asynccontextmanager
async def _server(name: str, folder: Path) -> AsyncIterator[Server]:
    async with contextlib.AsyncExitStack() as stack:
        match name:
            case "sqlite":
                serving = agent_lines.gatehouse(f"sqlite:///{folder}/agent.db", folder)
            case "postgresql":
                serving = agent_lines.gatehouse(stack.enter_context(scratch(POSTGRES)), folder)
            case _:
                serving = agent_lines.bare(folder)
        yield await stack.enter_async_context(serving)


def _middle(rounds: Sequence[Numbers]) -> Numbers:
    """The median of each; but what was lost in any round is lost."""
    keys = dict.fromkeys(key for one in rounds for key in one)
    found = {key: statistics.median(one[key] for one in rounds if key in one) for key in keys}
    return {**found, "completed": sum(one["completed"] for one in rounds), "lost": sum(one["lost"] for one in rounds)}


def _beside_bare(servers: dict[str, Numbers]) -> dict[str, Numbers]:
    bare = servers[BARE]
    for name, side in servers.items():
        if name != BARE and "total_s" in bare and "total_s" in side:
            side["turns_ratio"] = side["turns_per_s"] / bare["turns_per_s"]
            side["turn_ratio"] = side["turn_p50_s"] / bare["turn_p50_s"]
    return servers


def _page(found: dict[str, Any]) -> str:
    machine = found["machine"]
    version = f", PostgreSQL {machine['postgresql']}" if "postgresql" in machine else ""
    lines = [
        f"machine: {machine['cores']} cores, load {machine['load']} before, Python {machine['python']}{version}",
        f"system: {machine['system']}",
        f"fdatasync of 4 KiB: {found['fdatasync_ms']:.2f} ms (median, after)",
        f"{found['sessions']} sessions at once, a turn each; medians of {found['rounds']} rounds",
        "",
        tables.plain(ROWS, found["servers"]),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
