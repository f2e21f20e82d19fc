"""Once a second: due timers, unsent messages, lanes nobody wakes. One runs it at a time, under a lease."""

import logging
import uuid
from datetime import timedelta

from gateway.approvals import Approvals
from gateway.ports import Clock, Engine
from gateway.store import Store, Tx, lanes, sendings, timers
from gateway.store.tables import TimerRow
from gateway.words import Words

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=5)


class Sweep:
    def __init__(self, store: Store, engine: Engine, approvals: Approvals, clock: Clock, words: Words) -> None:
        self._store = store
        self._engine = engine
        self._approvals = approvals
        self._clock = clock
        self._words = words
        self._holder = uuid.uuid4().hex

    async def sweep(self) -> None:
        """Do what is due now. Safe to call at any time, twice."""
        now = self._clock()
        if not await self._store.write(lambda tx: sendings.take_lease(tx, "sweep", self._holder, now, now + LEASE)):
            return
        for timer in await self._store.read(lambda db: timers.due(db, now)):
            await self._ring(timer)
        await self._approvals.expire_unreachable()
        forgotten = await self._store.read(lambda db: lanes.forgotten(db, now))
        unsent = await self._store.read(lambda db: sendings.lanes_due(db, now))
        if forgotten or unsent:
            await self._store.write(lambda tx: self._wake(tx, forgotten, unsent))

    async def _ring(self, timer: TimerRow) -> None:
        """One timer; a fault in it must not keep the others waiting."""
        try:
            await self._store.write(lambda tx: self._act(tx, timer))
        except Exception:
            log.exception("timer %s could not be rung", timer.id)

    async def _act(self, tx: Tx, timer: TimerRow) -> None:
        match timer.kind:
            case "expiry":
                await self._approvals.expire(tx, timer.subject, self._words.unanswered)
        await timers.finish(tx, timer.kind, timer.subject, self._clock())

    async def _wake(self, tx: Tx, conversations: list[int], out: list[str]) -> None:
        for conversation_id in conversations:
            await self._engine.remind(tx, conversation_id)
        for lane in out:
            await self._engine.wake_lane(tx, lane)
