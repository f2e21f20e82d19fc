"""Twice a second: due timers, unsent messages, forgotten lanes, seals, retention. One at a time, under a lease."""

import logging
import uuid
from datetime import timedelta

from gateway.approvals import Approvals
from gateway.outbox import Outbox
from gateway.policy import Retention
from gateway.ports import Clock, Engine
from gateway.retaining import Retaining
from gateway.sealing import Sealing
from gateway.store import Store, Tx, arrivals, lanes, leases, marks, misses, sendings, timers
from gateway.store.store import DATABASE_AWAY
from gateway.store.tables import TimerRow

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=3)
SIGN_OF_LIFE = timedelta(seconds=5)
UNCLAIMED = timedelta(days=1)  # a carrier's report of something we know nothing of
SPENT = timedelta(minutes=1)  # a budget, and nobody sends there
WRONG_CODES = timedelta(hours=1)  # longer than they count
AFTER_A_FAULT = timedelta(minutes=1)
BACKLOG = timedelta(minutes=5)  # the oldest event that could be worked on: then operations hear of it


class Sweep:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        approvals: Approvals,
        outbox: Outbox,
        clock: Clock,
        *,
        late_after: timedelta,
        heads: bool = False,
        retention: Retention | None = None,
    ) -> None:
        """`late_after`: a silence longer than this is remembered as a gap; `heads`: post the audit's head each day."""
        self._store = store
        self._engine = engine
        self._approvals = approvals
        self._outbox = outbox
        self._clock = clock
        self._late_after = late_after
        self._sealing = Sealing(store, outbox, clock, heads=heads)
        self._retaining = Retaining(store, retention or Retention(), clock)
        self._holder = uuid.uuid4().hex

    async def sweep(self) -> None:
        """Do what is due now. Safe to call at any time, twice."""
        now = self._clock()
        if await self._store.write(lambda tx: leases.take(tx, "sweep", self._holder, now, now + LEASE)) is None:
            return
        parts = (self._live, self._ring_due, self._approvals.look_around, self._wake_forgotten)
        for part in (*parts, self._sealing.seal, self._sealing.post_head, self._retaining.purge):
            try:
                await part()
            except DATABASE_AWAY:
                raise
            except Exception:
                # A row that nobody can read must not keep all the others waiting.
                log.exception("a part of the sweep stopped; the others go on")

    async def _live(self) -> None:
        """Say that we live; remember a silence after which rows may come from a restored backup."""
        now = self._clock()
        alive = await self._store.read(lambda db: marks.at(db, marks.ALIVE))
        if alive is not None and timedelta() <= now - alive < SIGN_OF_LIFE:
            return
        for early in await self._store.read(sendings.early_and_known):
            await self._outbox.reported_early(early.channel, early.provider_id)

        oldest = await self._store.survey(lambda db: arrivals.oldest_ready(db, now))

        async def deed(tx: Tx) -> None:
            if alive is not None and now - alive > self._late_after:
                log.warning("nothing ran since %s: what is older is looked up before it is sent", alive)
                await marks.put(tx, marks.GAP, now)
            await marks.put(tx, marks.ALIVE, now)
            await sendings.forget_early_before(tx, now - UNCLAIMED)
            await misses.forget_before(tx, now - WRONG_CODES)
            await leases.forget_spent(tx, now - SPENT)
            if oldest is not None and now - oldest > BACKLOG:
                minutes = (now - oldest).total_seconds() // 60
                await self._outbox.alert(
                    tx, "backlog", f"the oldest message that could be answered waits {minutes:.0f} min"
                )

        await self._store.write(deed)

    async def _ring_due(self) -> None:
        now = self._clock()
        for timer in await self._store.read(lambda db: timers.due(db, now)):
            await self._ring(timer)

    async def _ring(self, timer: TimerRow) -> None:
        """One timer; a fault in it must not keep the others waiting."""
        try:
            await self._store.write(lambda tx: self._act(tx, timer))
        except DATABASE_AWAY:
            raise
        except Exception:
            log.exception("timer %s could not be rung, and is tried again in a minute", timer.id)
            later = self._clock() + AFTER_A_FAULT
            await self._store.write(lambda tx: timers.put_off(tx, timer.id, later))

    async def _act(self, tx: Tx, timer: TimerRow) -> None:
        if await self._approvals.ring(tx, timer.kind, timer.subject):
            await timers.finish(tx, timer.kind, timer.subject, self._clock())

    async def _wake_forgotten(self) -> None:
        now = self._clock()
        forgotten = await self._store.survey(lambda db: lanes.forgotten(db, now))
        unsent = await self._store.survey(lambda db: sendings.lanes_due(db, now))
        if forgotten or unsent:
            await self._store.write(lambda tx: self._wake(tx, forgotten, unsent))

    async def _wake(self, tx: Tx, conversations: list[tuple[int, bool]], out: list[str]) -> None:
        await self._engine.remind(tx, conversations)
        for lane in out:
            await self._engine.wake_lane(tx, lane)
