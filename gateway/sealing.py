"""Seals the audit into its chain, and posts the chain's head once a day. A part of the sweep: one does it at a time.

Two at once do no harm either: each batch is one transaction that takes the chain's lock first.
"""

from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.outbox import Outbox
from gateway.ports import Clock
from gateway.store import Store, Tx, seals

BATCH = 250  # rows a transaction: some 10 ms
BATCHES = 8  # in one sweep; the rest waits for the next, so that nothing else does
WINDOW = 1000  # ids below the highest that are looked at each time: a long transaction commits a low id late
EVERYTHING_EVERY = timedelta(minutes=1)  # what came later still


class Sealing:
    def __init__(self, store: Store, outbox: Outbox, clock: Clock, *, heads: bool = False) -> None:
        """`heads`: post the head each day, where alerts go."""
        self._store = store
        self._outbox = outbox
        self._clock = clock
        self._heads = heads
        self._after = 0  # only rows with a higher id are looked at
        self._everything_at: datetime | None = None

    async def seal(self) -> None:
        """Seal what is new. Where much is (the rows of before an upgrade), some thousand a call."""
        now = self._clock()
        if self._everything_at is None or not self._everything_at - EVERYTHING_EVERY <= now < self._everything_at:
            self._after, self._everything_at = 0, now + EVERYTHING_EVERY
        for _ in range(BATCHES):
            last = await self._batch()
            if last is None:
                self._after = max(await self._store.read(seals.newest) - WINDOW, 0)
                return
            self._after = last

    async def _batch(self) -> int | None:
        """The id of the last row that was sealed; None: there was nothing to do."""
        first = await self._store.survey(lambda db: seals.first_open(db, self._after))
        return None if first is None else await self._store.write(lambda tx: self._seal(tx, first - 1))

    async def _seal(self, tx: Tx, after: int) -> int | None:
        sealed = await seals.seal(tx, after, BATCH)
        if sealed is None:
            return None
        if sealed.unreadable:
            named = ", ".join(map(str, sealed.unreadable))
            text = f"audit row {named} cannot be read, so somebody or something changed it: see `gateway audit verify`"
            await self._outbox.alert(tx, "audit-damaged", text)
        return sealed.last

    async def post_head(self) -> None:
        """Once a day, if the chain has grown, tell operations what it ends with: nobody can shorten it unseen then."""
        if self._heads and await self._store.read(self._is_due):
            await self._store.write(self._post)

    async def _is_due(self, db: AsyncSession) -> bool:
        """Not on the first day. Times are compared with today alone: a clock that was once ahead stops nothing."""
        head = await seals.head(db)
        if head is None or await seals.is_posted(db, head.n):
            return False
        today = self._clock().replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + timedelta(days=1)
        began = await seals.began(db)
        if began is not None and today <= began < tomorrow:
            return False
        return not await seals.posted_between(db, today, tomorrow)

    async def _post(self, tx: Tx) -> None:
        head = await seals.head(tx.db)
        if head is not None and await seals.keep_head(tx, head, self._clock()):
            await self._outbox.alert(tx, "audit-head", f"audit head {head.n} {head.hash}", once_a="day")
