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
        if self._everything_at is None or now >= self._everything_at:
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
        if first is None:
            return None
        return await self._store.write(lambda tx: seals.seal(tx, first - 1, BATCH))

    async def post_head(self) -> None:
        """Tell operations what the day before ended with, if the chain has grown: nobody can shorten it unseen then."""
        if self._heads and await self._store.read(self._is_due):
            await self._store.write(self._post)

    async def _is_due(self, db: AsyncSession) -> bool:
        posted = await seals.last_posted(db)
        since = posted.at if posted else await seals.began(db)
        return since is not None and since.date() < self._clock().date()

    async def _post(self, tx: Tx) -> None:
        head = await seals.head(tx.db)
        if head is not None and await seals.keep_head(tx, head, self._clock()):
            await self._outbox.alert(tx, "audit-head", f"audit head {head.n} {head.hash}", once_a="day")
