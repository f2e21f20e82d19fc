"""`GET /metrics`: counted from the rows, so any one process tells the whole. Keeps no numbers of its own.

Answers within two seconds: what is slow or fails is left out and named in `gatehouse_scrape_missing`.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import DatabaseAway
from gateway.ports import Clock
from gateway.store import Store
from gateway.web import bearer, families
from gateway.web.families import Ask, Families

log = logging.getLogger(__name__)

PATIENCE_S = 1.8
ONE_S = 1.0
KEEP = timedelta(seconds=15)  # a total
KEEP_TIMES = 20  # and so many times as long as it took to count, so that counting stays below a twentieth of the time
STALE = timedelta(minutes=10)  # an older total is not shown while the next one is counted
CLOSING_S = 1.0


class Question:
    """One thing to ask, asked by one at a time; who comes meanwhile waits for the same answer."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        store: Store,
        clock: Clock,
        *,
        keep: timedelta = timedelta(0),
        one_by_one: asyncio.Lock | None = None,
    ) -> None:
        """`keep` is of a total. Those with the same `one_by_one` are never asked at the same time."""
        self.name = name
        self._ask = ask
        self._store = store
        self._clock = clock
        self._keep = keep
        self._one_by_one = one_by_one or asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._answer: Families | None = None
        self._asked_at: datetime | None = None
        self._fresh_until: datetime | None = None

    async def answer(self, within_s: float) -> Families | None:
        """None when it failed or takes longer; then it goes on, for whoever asks next."""
        if self._task is None and (self._fresh_until is None or self._clock() >= self._fresh_until):
            self._task = asyncio.create_task(self._find_out())
        if self._task is not None:
            _, unfinished = await asyncio.wait([self._task], timeout=within_s)
            if unfinished and not self._still_good():
                return None
        return self._answer

    async def aclose(self) -> None:
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=CLOSING_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _find_out(self) -> None:
        try:
            async with self._one_by_one:
                began = self._clock()
                self._answer = await self._store.survey(lambda db: self._ask(db, began))
                ended = self._clock()
            self._asked_at = began
            self._fresh_until = ended + max(self._keep, KEEP_TIMES * (ended - began)) if self._keep else ended
        except Exception as error:  # noqa: BLE001 - one question must not take the page down; details may hold a password
            self._answer = None
            log.warning("metrics: %s could not be asked: %s", self.name, type(error).__name__)
        finally:
            self._task = None

    def _still_good(self) -> bool:
        return bool(self._keep) and self._asked_at is not None and self._clock() - self._asked_at < STALE


class Metrics:
    """The page. `aclose` before the store is closed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        channels: Sequence[str],
        one_s: float = ONE_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`channels` are shown with zeros before their first message. The page takes `patience_s`
        at most, one question `one_s`."""
        self._one_s = one_s
        self._patience_s = patience_s
        waits: dict[str, Ask] = {
            "inbox": families.inbox,
            "outbox": families.outbox(channels),
            "held back": families.held_back(channels),
            "approvals": families.approvals,
            "dead letters": families.dead_letters,
            "engine": families.engine,
            "pauses": families.paused,
            "first deltas": families.first_deltas,
        }
        if not store.on_sqlite:
            waits["jobs"] = families.jobs
        totals: dict[str, Ask] = {
            "turns": families.turns,
            "sendings": families.sendings(channels),
            "decisions": families.decisions,
            "consents": families.consents(channels),
        }
        lock = asyncio.Lock()  # one connection at most counts for long
        self._database = Question("database", families.database, store, clock)
        self._questions = [Question(name, ask, store, clock) for name, ask in waits.items()]
        self._questions += [
            Question(name, ask, store, clock, keep=KEEP, one_by_one=lock) for name, ask in totals.items()
        ]

    async def page(self) -> bytes:
        """The metrics as text. Raises `DatabaseAway`."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience_s
        alive = await self._database.answer(self._one_s)
        if alive is None:
            raise DatabaseAway("the database does not answer")
        found, missing = list(alive), dict[str, bool]()
        for question in self._questions:
            answer = await question.answer(max(0.0, min(self._one_s, until - loop.time())))
            found += answer or []
            missing[question.name] = answer is None
        registry = CollectorRegistry()
        registry.register(_Found([*found, families.missing(missing)]))
        return generate_latest(registry)

    async def aclose(self) -> None:
        await asyncio.gather(*(one.aclose() for one in (self._database, *self._questions)))


class _Found(Collector):
    def __init__(self, found: Families) -> None:
        self._found = found

    def collect(self) -> Iterator[Metric]:
        yield from self._found


def route(metrics: Metrics, *, token: str, open_without: bool) -> Route:
    """For whoever sends `token`; where it is empty, for everybody or for nobody."""

    async def answer(_request: Request) -> Response:
        try:
            return Response(await metrics.page(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=bearer.NOT_CACHED)
        except DatabaseAway as error:
            return bearer.line(503, str(error))

    guarded = bearer.operations(answer, "are no metrics", token=token, open_without=open_without)
    return Route("/metrics", guarded, methods=["GET"])
