"""Delivers what is queued: in order within a lane, at the carrier's pace, once in effect. One retry policy for all."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit, caps, context, outgoing
from gateway.consents import WANTS_NONE
from gateway.errors import KeyRefused, Misconfigured, OptedOut, TryLater, Uncertain, Unknowable, WillNeverArrive
from gateway.events import Outbound, Receipt, Say, ThreadRef
from gateway.outbox import Outbox, cause_of, unsent
from gateway.pacing import Pacing
from gateway.policy import Policy
from gateway.ports import Channel, Clock
from gateway.retry import pause
from gateway.store import Store, Tx, leases, marks, sendings
from gateway.store.tables import OutboxRow
from gateway.words import Words

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 30.0
LEASE = timedelta(seconds=10)  # of a lane; `beat` renews it each second
SENDS = 50  # at once on a channel
MAX_DOUBTS = 12  # of a message that trips our own code, or whose sends get no clear answer
PATIENCE = timedelta(hours=24)  # with a carrier that says "later", or cannot be asked
BLIND_SENDS = 2  # of one message, where the carrier cannot tell whether the first arrived


@dataclass(frozen=True, slots=True)
class Try:
    """A row as it stood before this try, and whether the carrier is asked for it before it is sent."""

    row: OutboxRow
    looks: bool
    at: datetime
    stale: bool = False  # it may have been sent in a past that a restored backup does not remember


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt changes in the row."""

    status: str
    receipt: Receipt | None = None
    error: str | None = None
    not_before: datetime | None = None
    unsure: bool = False  # a send may have gone out, and nobody knows whether it arrived
    alarm: tuple[str, str] | None = None  # what operations should hear of the channel: a cause, and words
    over_cap: bool = False  # a limit of the day is reached
    unwanted: bool = False  # they want no messages
    refused_at: ThreadRef | None = None  # and it was the carrier that said so


class Delivery:
    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        clock: Clock,
        words: Words,
        *,
        policy: Policy,
        late_after: timedelta,
        key: str = "",
    ) -> None:
        """`key` makes the codes that are sent."""
        self._policy = policy
        self._store = store
        self._outbox = outbox
        self._channels = channels
        self._clock = clock
        self._words = words
        self._late_after = late_after
        self._key = key
        self._pacing = Pacing(channels)
        self._holders: set[str] = set()
        self._slots = {name: asyncio.Semaphore(SENDS) for name in channels}

    async def beat(self) -> None:
        """Keep what this process holds. A process that cannot loses its lanes to others within seconds."""
        if self._holders:
            holders, until = list(self._holders), self._clock() + LEASE
            await self._store.write(lambda tx: leases.renew(tx, holders, until))

    async def deliver(self, lane: str) -> None:
        """Send what is due in a lane, in order. Returns at once when somebody else is at it, here or elsewhere."""
        # Each channel has slots of its own: a carrier that hangs keeps no other waiting.
        async with self._slots.get(lane.partition(":")[0]) or contextlib.nullcontext():
            await self._deliver(lane)

    async def _deliver(self, lane: str) -> None:
        holder = uuid.uuid4().hex
        self._holders.add(holder)
        try:
            tried = await self._store.write(lambda tx: self._take(tx, lane, holder))
            while tried is not None:
                result = await self._attempt(tried)
                done, receipt = tried, result.receipt
                tried = await self._store.write(
                    lambda tx, done=done, result=result: self._settle(tx, lane, holder, done, result)  # type: ignore[misc]
                )
                if receipt is not None:
                    await self._outbox.reported_early(done.row.channel, receipt.provider_id)
        except BaseException:
            # Cut off or failed: let the next one begin at once rather than when the lease runs out.
            with contextlib.suppress(Exception):
                await asyncio.shield(
                    self._store.write(lambda tx: leases.drop(tx, f"out:{lane}", holder, self._clock()))
                )
            raise
        finally:
            self._holders.discard(holder)

    # --- which one, and may it go now ----------------------------------------------------------------------

    async def _take(self, tx: Tx, lane: str, holder: str) -> Try | None:
        """The lane's next message, or None when there is nothing to do for us now."""
        now, name = self._clock(), f"out:{lane}"
        lease = await leases.take(tx, name, holder, now, now + LEASE)
        if lease is None:
            return None
        while (row := await sendings.head(tx.db, lane)) is not None and not (row.not_before and row.not_before > now):
            if not await self._pacing.lets(tx, row, lease, now):
                break
            if (tried := await self._begin(tx, row, now)) is not None:
                return tried
            tx.db.expire_all()
        await leases.drop(tx, name, holder, now)
        return None

    async def _begin(self, tx: Tx, row: OutboxRow, now: datetime) -> Try | None:
        """Mark the try. None: the row has changed since it was read."""
        since = row.about_at or row.created_at
        late = now - since > self._late_after
        untried = (row.status == "queued" and row.attempts == 0) or (row.status == "unknown" and row.unsure == 0)
        stale = late and untried and await self._before_a_gap(tx, since)
        looks = row.status != "queued" or stale  # found `sending`: whoever sent it was cut off
        values: dict[str, Any] = {"slot_at": None}
        if (
            late
            and not looks
            and row.unsure == 0
            and (marked := outgoing.marked(row, self._words.late_reply)) is not None
        ):
            values |= {"payload": marked, "about_at": None}
        if not await sendings.begin(tx, row, "unknown" if looks else "sending", **values):
            return None
        if "payload" in values:
            row.payload = values["payload"]
            tx.db.expunge(row)
        return Try(row, looks, now, stale)

    async def _before_a_gap(self, tx: Tx, since: datetime) -> bool:
        gap = await marks.at(tx.db, marks.GAP)
        return gap is not None and since <= gap

    async def _settle(self, tx: Tx, lane: str, holder: str, tried: Try, result: Result) -> Try | None:
        now, row = self._clock(), tried.row
        values: dict[str, Any] = {"status": result.status, "error": result.error, "not_before": result.not_before}
        if result.receipt is not None:
            values |= {"provider_id": result.receipt.provider_id, "segments": result.receipt.segments, "sent_at": now}
        if not await sendings.end(tx, row, **values, unsure=row.unsure + result.unsure):
            log.warning("message %s was taken over by another process, or erased", row.id)
            await leases.drop(tx, f"out:{lane}", holder, now)
            return None
        if result.receipt is not None and row.kind == "ask":
            await audit.shown(tx, row, result.receipt, now)
        if result.receipt is not None:
            await self._outbox.taken(tx, row, now)
        if result.refused_at is not None:
            await self._outbox.consents.refused(tx, result.refused_at, tried.at)
        if result.unwanted and result.status == "dropped":
            await self._outbox.unwanted(tx, row)
        if result.over_cap:
            await self._outbox.over_cap(tx, row, result.error or "")
        elif result.status == "failed":
            await self._outbox.undelivered(tx, row, result.error or "")
        if result.alarm is not None:
            await self._outbox.alert(tx, *result.alarm)
        tx.db.expire_all()
        return await self._take(tx, lane, holder)

    # --- the try itself ------------------------------------------------------------------------------------

    async def _attempt(self, tried: Try) -> Result:
        with context.about(
            message=tried.row.id, conversation=tried.row.conversation_id, approval=tried.row.approval_id
        ):
            return await self._try(tried)

    async def _try(self, tried: Try) -> Result:
        row, sending, message = tried.row, not tried.looks, None
        channel = self._channels.get(row.channel)
        if channel is None:
            return Result("failed", error=f"the channel {row.channel} is not configured")
        try:
            message = await outgoing.message(self._store, row, self._policy, self._key)
            if message is None:
                return Result("dropped", error="what it changes was never shown")
            if sending:
                is_ours, are_out = await self._store.read(lambda db, to=message.to: self._look_again(db, row, to))  # type: ignore[misc]
                if not is_ours:
                    return Result("queued")  # `_settle` sees that another process has it
                if are_out:
                    return Result(unsent(row), error=WANTS_NONE, unwanted=True)
            if sending and (over := await self._over_cap(row)) is not None:
                return Result("failed", error=over, over_cap=True)
            async with asyncio.timeout(SEND_TIMEOUT_S):
                return await (self._send(channel, message) if sending else self._look(channel, message, tried))
        except TryLater as error:
            status = "queued" if sending else "unknown"
            return self._later(row, status, str(error), asked_for=error.retry_after, alarm=_alarm(row, error))
        except OptedOut as error:
            return Result(unsent(row), error=str(error), unwanted=True, refused_at=message.to if message else None)
        except WillNeverArrive as error:
            # A private word to somebody who has left is nothing that a person could send again.
            whispered = isinstance(message, Say) and message.only_for
            return Result("dropped" if whispered else "failed", error=str(error))
        except (Uncertain, TimeoutError) as error:
            return self._later(row, "unknown", str(error) or "no answer in time", doubt=sending)
        except Exception as error:
            # A fault in one message must not stop its lane: it is retried, then given up.
            log.exception("it could not be sent")
            return self._later(row, "unknown", type(error).__name__, doubt=True, looked=not sending)

    async def _look_again(self, db: AsyncSession, row: OutboxRow, to: ThreadRef) -> tuple[bool, bool]:
        """Right before a send: is this try still ours, and do they want no messages there?"""
        return await sendings.is_ours(db, row), await self._outbox.consents.are_out(db, to)

    async def _over_cap(self, row: OutboxRow) -> str | None:
        return row.route and await self._store.read(lambda db: caps.over(db, self._policy, row, self._clock()))

    async def _send(self, channel: Channel, message: Outbound) -> Result:
        return Result("sent", receipt=await channel.send(message))

    async def _look(self, channel: Channel, message: Outbound, tried: Try) -> Result:
        try:
            receipt = await channel.find(message)
        except Unknowable as error:
            if tried.stale:
                return Result("failed", error=f"it may have been sent before the backup that was restored: {error}")
            if tried.row.unsure >= BLIND_SENDS:
                return Result("failed", error=f"it may or may not have arrived: {error}")
            receipt = None
        if receipt is None or await self._is_anothers(tried.row, receipt):
            if tried.row.unsure >= MAX_DOUBTS:
                return Result("failed", error=f"given up after {tried.row.unsure} sends without a clear answer")
            return Result("queued")
        return Result("sent", receipt=receipt)

    async def _is_anothers(self, row: OutboxRow, receipt: Receipt) -> bool:
        """What was found is an earlier message with the same words."""
        known = await self._store.read(lambda db: sendings.by_receipt(db, row.channel, receipt.provider_id))
        return known is not None and known.id != row.id

    def _later(
        self,
        row: OutboxRow,
        status: str,
        error: str,
        *,
        asked_for: float | None = None,
        doubt: bool = False,
        looked: bool = False,
        alarm: tuple[str, str] | None = None,
    ) -> Result:
        """One more try, unless it was long enough. What was sent just now is looked up before it is given up."""
        too_late = self._clock() - row.created_at >= PATIENCE and not doubt
        if too_late or (looked and row.unsure >= MAX_DOUBTS):
            return Result("failed", error=f"given up after {row.attempts + 1} tries: {error}")
        not_before = self._clock() + pause(row.attempts, asked_for=asked_for)
        return Result(status, error=error, not_before=not_before, unsure=doubt, alarm=alarm)


def _alarm(row: OutboxRow, error: TryLater) -> tuple[str, str] | None:
    """What keeps every message of a channel waiting until somebody mends it."""
    if isinstance(error, KeyRefused):
        return f"key-refused:{row.channel}", str(error)
    if isinstance(error, Misconfigured):
        return cause_of("misconfigured", row.channel, str(error)), str(error)
    return None
