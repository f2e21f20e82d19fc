"""When a message may go: what its carrier bears in its lane, and over all lanes that share a number of ours.

Held to by all processes together. The lane's own budget is kept in its lease, which one process holds; a shared one in
a row of its own, which is locked while it is spent.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.ports import Channel, Pace
from gateway.store import Tx, leases, sendings
from gateway.store.tables import OutboxRow
from gateway.store.upkeep import LeaseRow

GOOD_FOR = timedelta(seconds=5)  # a place missed for longer is given up: many must not go at once
CLOCKS_APART = timedelta(seconds=5)  # of two processes


class Pacing:
    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = channels

    async def lets(self, tx: Tx, row: OutboxRow, lease: LeaseRow, now: datetime) -> bool:
        """Spend one message of each budget. False: it must wait, and the sweep comes again for it."""
        channel = self._channels.get(row.channel)
        paces = channel.pace(row.lane) if channel is not None else ()
        own = [pace for pace in paces if not pace.of]
        spent = [_after(pace, lease.free_at, now) for pace in own]
        if None in spent:
            return False
        for pace in paces:
            if pace.of and not await self._has_place(tx, row, pace, now):
                return False
        for free_at in spent:
            await leases.spend(tx, lease.name, free_at or now)
        return True

    async def _has_place(self, tx: Tx, row: OutboxRow, pace: Pace, now: datetime) -> bool:
        """Where there is no room now, it takes the next place there will be and waits for that, asking no more."""
        kept = row.slot_at if row.slot_at is not None and row.slot_at + GOOD_FOR >= now else None
        place = kept or await self._take_place(tx, pace, now)
        if place > now:
            await sendings.wait(tx, row, place)
        return place <= now

    async def _take_place(self, tx: Tx, pace: Pace, now: datetime) -> datetime:
        budget = await leases.budget(tx, f"budget:{pace.of}", now)
        went_back = budget.until > now + CLOCKS_APART  # the clock: what was spent then is not known in today's time
        free_at = now if budget.free_at is None or went_back else max(budget.free_at, now)
        place = max(now, free_at - pace.every * (pace.burst - 1))
        await leases.spend(tx, budget.name, free_at + pace.every, at=now)
        return place


def _after(pace: Pace, free_at: datetime | None, now: datetime) -> datetime | None:
    """How far a lane's budget is spent after one more message. None: it bears no more now."""
    free_at = max(free_at or now, now)
    if free_at > now + pace.every * pace.burst:  # no budget reaches that far: a clock went back
        free_at = now
    return None if free_at - now > pace.every * (pace.burst - 1) else free_at + pace.every
