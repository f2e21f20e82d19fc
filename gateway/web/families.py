"""What the rows say, in Prometheus' words. Each function asks one thing; none knows of requests or of time limits."""

import functools
import tomllib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import arrivals, consents as store_consents, counts, marks, pauses
from gateway.store.counts import Total, Waiting

Families = list[Metric]
Ask = Callable[[AsyncSession, datetime], Awaitable[Families]]
Values = dict[tuple[str, ...], float]

INBOX = ("ready", "held", "retry", "paused")
OUTBOX_OPEN, OUTBOX_ENDED = ("queued", "sending", "unknown"), ("sent", "delivered", "failed", "dropped")
TURNS_OPEN, TURNS_ENDED = ("running", "parked"), ("done", "failed", "interrupted")
APPROVALS_ENDED = ("approved", "denied", "expired", "cancelled")
QUEUES = ("turns", "control", "sends")
QUANTILES = (0.5, 0.9, 0.99)
WINDOW = timedelta(hours=1)
WORKER_SILENT_S = 3.0


# --- what waits --------------------------------------------------------------------------------------------


async def database(db: AsyncSession, _now: datetime) -> Families:
    """Does it answer at all?"""
    await (await db.connection()).execute(text("SELECT 1"))
    return [_gauge("gatehouse_build_info", "The release that answers; always 1.", {(release(),): 1}, "version")]


async def inbox(db: AsyncSession, now: datetime) -> Families:
    found = await counts.inbox(db, now)
    each = [(state,) for state in INBOX]
    return [
        _gauge("gatehouse_inbox_events", "Events kept and not handled yet.", _how_many(found, each), "state"),
        _gauge("gatehouse_inbox_oldest_seconds", "Age of the oldest of them.", _how_old(found, each, now), "state"),
    ]


def outbox(channels: Iterable[str]) -> Ask:
    each = [(channel, state) for channel in channels for state in OUTBOX_OPEN]
    labels = ("channel", "state")

    async def ask(db: AsyncSession, now: datetime) -> Families:
        found = await counts.outbox(db)
        return [
            _gauge("gatehouse_outbox_open", "Messages that must still go out.", _how_many(found, each), *labels),
            _gauge("gatehouse_outbox_oldest_seconds", "Age of the oldest.", _how_old(found, each, now), *labels),
        ]

    return ask


def held_back(channels: Sequence[str]) -> Ask:
    async def ask(db: AsyncSession, now: datetime) -> Families:
        minutes: Values = {(channel,): await marks.held_back(db, channel, now) for channel in channels}
        what = "Minutes of the last day in which the platform kept events from us."
        return [_gauge("gatehouse_held_back_minutes", what, minutes, "channel")]

    return ask


async def approvals(db: AsyncSession, now: datetime) -> Families:
    found = [await counts.approvals(db)]
    return [
        _gauge("gatehouse_approvals_open", "Requests nobody has decided yet.", _how_many(found)),
        _gauge("gatehouse_approvals_oldest_seconds", "Age of the oldest of them.", _how_old(found, [], now)),
    ]


async def dead_letters(db: AsyncSession, _now: datetime) -> Families:
    found = await counts.dead(db)
    return [_gauge("gatehouse_dead_letters", "Events and messages that are set aside.", _how_many(found), "kind")]


async def engine(db: AsyncSession, now: datetime) -> Families:
    oldest, alive = await arrivals.oldest_ready(db, now), await marks.at(db, marks.ALIVE)
    lag = "Age of the oldest event that could be worked on now."
    silence = "Since the last sign of life of any process that works."
    return [
        _gauge("gatehouse_engine_lag_seconds", lag, {(): _age(oldest, now)}),
        _gauge("gatehouse_engine_silence_seconds", silence, {(): _age(alive, now)} if alive else {}),
    ]


async def jobs(db: AsyncSession, _now: datetime) -> Families:
    """On PostgreSQL alone."""
    waiting = _how_many(await counts.jobs(db), [(queue,) for queue in QUEUES])
    live: Values = {(): await counts.workers(db, WORKER_SILENT_S)}
    return [
        _gauge("gatehouse_engine_jobs", "Wake-ups that no worker has taken yet.", waiting, "queue"),
        _gauge("gatehouse_engine_workers", "Live workers; each process that works has two.", live),
    ]


async def paused(db: AsyncSession, now: datetime) -> Families:
    found = await pauses.open_ones(db)
    since: Values = {(pause.scope,): _age(pause.since, now) for pause in found}
    return [
        _gauge("gatehouse_pauses_open", "How many stop buttons are pressed.", {(): len(found)}),
        _gauge("gatehouse_pause_age_seconds", "For how long.", since, "scope"),
    ]


async def first_deltas(db: AsyncSession, now: datetime) -> Families:
    took = await counts.first_deltas(db, now - WINDOW)
    quantiles: Values = {(str(one),): took[int(one * (len(took) - 1))] for one in QUANTILES} if took else {}
    what = "From the start of a turn to the first words of the reply, in the last hour."
    return [
        _gauge("gatehouse_time_to_first_delta_seconds", what, quantiles, "quantile"),
        _gauge("gatehouse_time_to_first_delta_turns", "How many turns that is about.", {(): len(took)}),
    ]


# --- totals ------------------------------------------------------------------------------------------------


async def turns(db: AsyncSession, _now: datetime) -> Families:
    found = await counts.turns(db)
    number = _how_many(found)
    return [
        _counter("gatehouse_turns", "Turns that ended.", _of(number, TURNS_ENDED), "outcome"),
        _gauge("gatehouse_turns_open", "Turns that run, or wait for a decision.", _of(number, TURNS_OPEN), "state"),
        _counter("gatehouse_tokens", "Tokens used, as far as the agent platform says.", _used(found)),
    ]


def sendings(channels: Sequence[str]) -> Ask:
    each = [(channel, state) for channel in channels for state in OUTBOX_ENDED]

    async def ask(db: AsyncSession, _now: datetime) -> Families:
        found = await counts.sendings(db)
        ended = _how_many([total for total in found if total.names[-1] in OUTBOX_ENDED], each)
        return [
            _gauge("gatehouse_outbox_ended", "Messages that went out, or never will.", ended, "channel", "state"),
            _counter("gatehouse_segments", "Segments of texts, as the carrier counts them.", _used(found)),
        ]

    return ask


async def decisions(db: AsyncSession, _now: datetime) -> Families:
    number = _how_many(await counts.requests(db))
    return [_counter("gatehouse_approvals", "Requests that were settled.", _of(number, APPROVALS_ENDED), "outcome")]


def consents(channels: Sequence[str]) -> Ask:
    each: Values = dict.fromkeys([(channel, state) for channel in channels for state in ("out", "in")], 0.0)

    async def ask(db: AsyncSession, _now: datetime) -> Families:
        found = {(channel, state): float(many) for channel, state, many in await store_consents.count(db)}
        what = "Addresses whose last word is kept: `out` wants no messages."
        return [_gauge("gatehouse_consents", what, each | found, "channel", "state")]

    return ask


def missing(questions: Mapping[str, bool]) -> Metric:
    """Of this page: what could not be asked."""
    values: Values = {(name,): float(is_missing) for name, is_missing in questions.items()}
    return _gauge("gatehouse_scrape_missing", "1 for what could not be asked, or not in time.", values, "question")


# --- making them -------------------------------------------------------------------------------------------


@functools.cache
def release() -> str:
    """The version of this release, also where the project is not installed but lies there."""
    try:
        return metadata.version("gatehouse")
    except metadata.PackageNotFoundError:
        project = Path(__file__).parents[2] / "pyproject.toml"
        return str(tomllib.loads(project.read_text())["project"]["version"]) if project.exists() else "unknown"


def _gauge(name: str, what: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    return _filled(GaugeMetricFamily(name, what, labels=labels), values)


def _counter(name: str, what: str, values: Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    """Its samples end in `_total`."""
    return _filled(CounterMetricFamily(name, what, labels=labels), values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for names, value in values.items():
        family.add_metric(names, value)
    return family


def _how_many(found: Sequence[Waiting | Total], each: Iterable[tuple[str, ...]] = ()) -> Values:
    """With a 0 for each of those that are not there: an alert on what is absent never rings."""
    return dict.fromkeys(each, 0.0) | {one.names: float(one.count) for one in found}


def _how_old(found: Sequence[Waiting], each: Iterable[tuple[str, ...]], now: datetime) -> Values:
    return dict.fromkeys(each, 0.0) | {one.names: _age(one.oldest, now) for one in found}


def _of(number: Values, names: Iterable[str]) -> Values:
    return {(name,): number.get((name,), 0.0) for name in names}


def _used(found: Iterable[Total]) -> Values:
    return {(): float(sum(total.used for total in found))}


def _age(since: datetime | None, now: datetime) -> float:
    """Seconds; 0 when nothing waits, and never less: clocks of several machines differ."""
    return max(0.0, (now - since).total_seconds()) if since else 0.0
