"""Is everything there that the gateway needs? Looks, changes nothing, names no secret; whether the gateway runs or not.

Each check has its time, and a fault in one never stops the others.
"""

import asyncio
import contextlib
import fcntl
import statistics
import time
from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.agent.client import AgentClient
from adapters.agent.server import definitions
from config import people, places, running, schema, wiring
from config.settings import Settings, read
from gateway import clocks
from gateway.errors import ConfigError
from gateway.policy import Policy
from gateway.ports import Clock, Finding
from gateway.store import Store, Tx, arrivals, database_url, dead, marks, pauses
from gateway.work.local import sqlite_path

TIMEOUT_S = 5.0
COMMITS = 5
SLOW_COMMIT_MS = 100
SILENCE = timedelta(seconds=20)  # the sweep says every five seconds that it lives
MENDED = "look again when that is mended"

Findings = Sequence[Finding]


async def examine(clock: Clock = wiring.now) -> list[Finding]:
    """What is so, a line for each thing looked at."""
    try:
        settings = read()
    except ConfigError as error:
        return [Finding(False, f"settings: {error}", MENDED)]
    groups = await asyncio.gather(
        _checked("settings", _settings(settings)),
        _checked("policy", _policy(settings)),
        _database(settings, clock),
        _checked("agent platform", _agent_platform(settings)),
        _channels(settings, clock),
    )
    return [finding for group in groups for finding in group]


async def _checked(name: str, check: Awaitable[Findings], advice: str = "") -> Findings:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await check
    except TimeoutError:
        return [Finding(False, f"{name}: no answer within {TIMEOUT_S:.0f} s", advice)]
    except ConfigError as error:
        return [Finding(False, f"{name}: {error}", advice)]
    except DBAPIError as error:
        return [Finding(False, f"{name}: {_first_line(error.orig or error)}", advice)]
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks go on
        return [
            Finding(False, f"{name}: the check itself failed ({type(error).__name__}: {_first_line(error)})", advice)
        ]


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


async def _settings(settings: Settings) -> Findings:
    on = [name for name in ("slack", "sms") if getattr(settings, name) is not None]
    said = (
        f"{' and '.join(on)} {'is' if len(on) == 1 else 'are'} on" if on else "no channel is on: a sandbox is the world"
    )
    return [Finding(True, f"settings: {said}")]


async def _policy(settings: Settings) -> Findings:
    policy = running.read_policy(settings)
    found = [Finding(True, f"policy: {settings.gateway_config} reads (routes: {len(policy.routes)})")]
    rules = {"default": policy.approvals.default, **policy.approvals.tools}
    for name, rule in rules.items():
        missing = [word for word in ("ask", "approvers") if not getattr(rule, word, ())]
        if missing:
            said = f"policy: [approvals.{name}] has no {' and no '.join(missing)}"
            found.append(Finding(True, said, "nobody can approve what falls under it"))
    theirs, shown = await asyncio.gather(_people(settings, policy), places.checked(settings, policy))
    return [*found, *_countries(settings, policy), *theirs, *shown]


def _countries(settings: Settings, policy: Policy) -> Findings:
    """Are the countries named that are texted? Others rent numbers to be sent texts."""
    texts = [route for route in policy.routes if route.channel in ("sms", "*")]
    if settings.sms is None or not texts or any(route.countries is not None for route in texts):
        return []
    advice = "name those of your customers at the route, as `countries`: see docs/policy.md"
    return [Finding(True, "policy: numbers of every country are answered by text", advice)]


async def _people(settings: Settings, policy: Policy) -> Findings:
    found = await people.checked(settings, policy)
    unknown = [one for one in found if one.found == "unknown"]
    unsure = sum(one.found == "unchecked" for one in found) if settings.has_channel else 0
    known = sum(one.found == "known" for one in found)
    said = f"people: {len(found)} addresses, {known} known" + (f", {unsure} not looked up" if unsure else "")
    wrong = [Finding(False, f"people: {one.who}, {one.address}: {one.why}", "mend gateway.toml") for one in unknown]
    return [Finding(True, said, "see `gateway people check`" if unsure else ""), *wrong]


# --- the database, and what its rows tell ------------------------------------------------------------------


async def _database(settings: Settings, clock: Clock) -> Findings:
    path = sqlite_path(database_url(settings.database_url))
    if path is not None and not path.is_file():
        return [Finding(True, f"database: there is no {path} yet", "`gateway run` makes it")]
    found = list(await _checked("database", _opens(settings), "see DATABASE_URL"))
    if not found[0].ok:
        return found
    async with contextlib.aclosing(_store(settings)) as store:
        found += await _checked("clock", _clock_of(store, clock))
        found += await _checked("migrations", _migrations(settings))
        if not all(one.ok for one in found if one.what.startswith("migrations")):
            return found
        found += await _checked("commits", _commits(store), "another process may be writing, or the disk is full")
        found += await _checked("workers", _workers(store, path, clock))
        found += await _checked("dead letters", _dead_letters(store))
        found += await _checked("pauses", _pauses(store))
        return found


def _store(settings: Settings) -> Store:
    return Store(settings.database_url, pool_size=2, through_pooler=bool(settings.database_direct_url))


async def _opens(settings: Settings) -> Findings:
    async with contextlib.aclosing(_store(settings)) as store:
        await store.ping()
        shown = store.url.set(drivername=store.url.get_backend_name()).render_as_string()
        return [Finding(True, f"database: {shown} opens")]


async def _clock_of(store: Store, clock: Clock) -> Findings:
    if store.on_sqlite:
        return []

    async def question(db: AsyncSession) -> datetime:
        return (await (await db.connection()).execute(text("SELECT clock_timestamp()"))).scalar_one()  # type: ignore[no-any-return]

    before = clock()
    theirs = await store.read(question)
    return [clocks.compared("clock: PostgreSQL", theirs, before, clock())]


async def _migrations(settings: Settings) -> Findings:
    reason = await asyncio.to_thread(schema.behind, settings.database_url)
    return [
        Finding(False, f"migrations: {reason}") if reason else Finding(True, "migrations: at this release's schema")
    ]


async def _commits(store: Store) -> Findings:
    async def deed(tx: Tx) -> None:  # a write that leaves everything as it is: only such a commit waits for the disk
        await (await tx.db.connection()).execute(text("UPDATE alembic_version SET version_num = version_num"))

    times = []
    for _ in range(COMMITS):
        began = time.perf_counter()
        await store.write(deed)
        times.append((time.perf_counter() - began) * 1000)
    middle = statistics.median(times)
    slow = "slow: look at the disk, or at the way to the database" if middle > SLOW_COMMIT_MS else ""
    return [Finding(True, f"commits: {middle:.1f} ms each", slow)]


async def _workers(store: Store, path: Path | None, clock: Clock) -> Findings:
    many = int(_engine_runs(path)) if path is not None else await store.read(_live_workers)
    alive = await store.read(lambda db: marks.at(db, marks.ALIVE))
    waiting = await store.survey(lambda db: arrivals.oldest_ready(db, clock()))
    start = "start `gateway run`" if store.on_sqlite else "start `gateway worker`"
    if not many and waiting is None:
        return [Finding(True, "workers: none runs, and no message waits", start)]
    if not many:
        return [Finding(False, f"workers: none runs, and a message waits since {waiting:%Y-%m-%d %H:%M:%S} UTC", start)]
    said = "workers: the engine runs" if store.on_sqlite else f"workers: {many} run (each process has two)"
    if alive is None or clock() - alive > SILENCE:
        since = f"since {alive:%Y-%m-%d %H:%M:%S} UTC" if alive else "yet"
        return [Finding(False, f"{said}, and gave no sign of life {since}", "see its log, then start it again")]
    return [Finding(True, said)]


def _engine_runs(database: Path) -> bool:
    """Is the lock file held? It is not made by looking."""
    try:
        file = database.with_name(database.name + ".lock").open("r")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def _live_workers(db: AsyncSession) -> int:
    fresh = text("SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '5 seconds'")
    return int((await (await db.connection()).execute(fresh)).scalar_one())


async def _dead_letters(store: Store) -> Findings:
    events, messages = await store.read(dead.count)
    advice = "see `gateway dead list`" if events or messages else ""
    return [Finding(True, f"dead letters: {events} in the inbox, {messages} in the outbox", advice)]


async def _pauses(store: Store) -> Findings:
    scopes = [row.scope for row in await store.read(pauses.open_ones)]
    if not scopes:
        return [Finding(True, "pauses: nothing is paused")]
    return [Finding(True, f"pauses: {', '.join(scopes)}", "`gateway resume` lets them go on")]


# --- outside -----------------------------------------------------------------------------------------------


async def _agent_platform(settings: Settings) -> Findings:
    where = settings.agent_platform()
    if where is None:
        agents = ", ".join(sorted(definitions.load(running.AGENTS)))
        return [Finding(True, f"agent platform: embedded, with {agents or 'no agent'}")]
    async with contextlib.aclosing(AgentClient(where)) as client:
        return await client.check()


async def _channels(settings: Settings, clock: Clock) -> Findings:
    async with wiring.channels_beside(settings, clock) as channels:
        found = await asyncio.gather(*(_checked(name, channel.check()) for name, channel in channels.items()))
    return [finding for group in found for finding in group]
