"""Reads what a carrier kept and could not hand over while we were away. One does it at a time, under a lease."""

import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta

from gateway.errors import GatewayError
from gateway.inbox import Inbox
from gateway.ports import Added, Channel, Clock, Missed
from gateway.store import Store, leases, marks, sendings

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
LEASE = timedelta(seconds=60)
OVERLAP = timedelta(minutes=5)  # clocks differ, and a list may show a message late
LONGEST = timedelta(days=3)  # an older message is nothing a person still waits for


class CatchingUp:
    def __init__(
        self, store: Store, inbox: Inbox, channels: Mapping[str, Channel], clock: Clock, *, late_after: timedelta
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._channels = channels
        self._clock = clock
        self._late_after = late_after
        self._holder = uuid.uuid4().hex

    async def catch_up(self) -> None:
        """Keep what the inbox lacks. Safe to call at any time, twice; does nothing more often than each 30 s.

        A channel that is asked for the first time starts now: what came before belongs to whoever was there.
        """
        for name, channel in self._channels.items():
            try:
                await self._read(name, channel)
            except GatewayError as error:
                log.warning("%s could not be asked for messages we missed: %s", name, error)

    async def _read(self, name: str, channel: Channel) -> None:
        now, mark = self._clock(), f"caught-up:{name}"
        read_up_to = await self._store.read(lambda db: marks.at(db, mark))
        if read_up_to is not None and timedelta() <= now - read_up_to < EVERY:
            return
        if await self._store.write(lambda tx: leases.take(tx, mark, self._holder, now, now + LEASE)) is None:
            return
        if read_up_to is not None:
            since = max(read_up_to - OVERLAP, now - LONGEST)
            for missed in await channel.missed(since):
                if await self._was_answered(name, missed):
                    continue
                if await self._inbox.add(missed.event, listed=True) is Added.KEPT:
                    log.warning("event %s on %s was missed and is kept now", missed.event.event_id, name)
        await self._store.write(lambda tx: marks.put(tx, mark, now))

    async def _was_answered(self, name: str, missed: Missed) -> bool:
        """It is old, and something followed that our rows do not know: a restored backup has forgotten the answer."""
        sent_at, said = missed.event.sent_at, missed.event.consent
        if said is not None and said.state != "help":
            return False  # what they want is kept with its time, and what followed was the carrier's confirmation
        if not missed.followed_by or sent_at is None or sent_at > self._clock() - self._late_after:
            return False
        known = await self._store.read(lambda db: sendings.known(db, name, missed.followed_by))
        return len(known) < len(missed.followed_by)
