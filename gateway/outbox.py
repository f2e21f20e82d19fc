"""What must go out: queued in the transaction that decided it, delivered in order within a lane, once in effect.

One retry policy for every channel. Knows no channel's looks.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gateway import audit
from gateway.errors import TryLater, Uncertain, Unknowable, WillNeverArrive
from gateway.events import DeliveryReported, Outbound, Receipt, Say, ShowOutcome, ThreadRef, outbounds
from gateway.ports import Channel, Clock, Engine
from gateway.retry import pause
from gateway.store import Store, Tx, sendings
from gateway.store.columns import storable
from gateway.store.tables import OutboxRow

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 30.0
LEASE = timedelta(seconds=60)  # longer than one send
MAX_ATTEMPTS = 12  # of a message that trips our own code or gets no clear answer
PATIENCE = timedelta(hours=24)  # with a carrier that says "later"
BLIND_SENDS = 2  # of one message, where the carrier cannot tell whether the first arrived


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt changes in the row."""

    status: str
    provider_id: str | None = None
    error: str | None = None
    not_before: datetime | None = None
    unsure: bool = False  # a send went out, and nobody knows whether it arrived


class Outbox:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        alerts: Sequence[ThreadRef],
    ) -> None:
        self._store = store
        self._engine = engine
        self._channels = channels
        self._clock = clock
        self._alerts = alerts

    async def add(
        self,
        tx: Tx,
        message: Outbound,
        *,
        key: str,
        conversation_id: int | None = None,
        approval_id: str | None = None,
        changes_id: int | None = None,
    ) -> None:
        """Queue a message in the caller's transaction. The same `key` twice is one message."""
        channel = self._channels.get(message.to.channel)
        lane = channel.lane(message.to) if channel else f"{message.to.channel}:{message.to.key}"
        new = await sendings.add(
            tx,
            dedupe_key=key,
            channel=message.to.channel,
            lane=lane,
            kind=message.kind,
            payload=storable(outbounds.dump_json(message).decode()),
            conversation_id=conversation_id,
            approval_id=approval_id,
            changes_id=changes_id,
            created_at=self._clock(),
        )
        if new is not None:
            await self._engine.wake_lane(tx, lane)

    async def alert(self, tx: Tx, cause: str, text: str) -> None:
        """Tell operations, once per cause and hour."""
        hour = self._clock().strftime("%Y-%m-%dT%H")
        for to in self._alerts:
            key = f"alert:{to.channel}:{to.account}:{to.key}:{cause}:{hour}"
            await self.add(tx, Say(to=to, text=f"Gatehouse: {text}"), key=key)
        log.warning("alert %s: %s", cause, text)

    async def report(self, report: DeliveryReported) -> None:
        """Note what a carrier said of a message. Never moves backwards; twice is safe."""
        status = report.state.value if report.state.value in ("sent", "delivered", "failed") else "sent"

        async def deed(tx: Tx) -> None:
            row = await sendings.report(tx, report.channel, report.provider_id, status, report.error or None)
            if row is not None and status == "failed":
                await self._failed(tx, row, f"the carrier gave up: {report.error}")

        await self._store.write(deed)

    # --- delivering ----------------------------------------------------------------------------------------

    async def deliver(self, lane: str) -> None:
        """Send what is due in a lane, in order. Returns at once when somebody else is at it, here or elsewhere."""
        holder = uuid.uuid4().hex
        try:
            row = await self._store.write(lambda tx: self._take(tx, lane, holder))
            while row is not None:
                tried = row
                result = await self._attempt(tried)
                row = await self._store.write(
                    lambda tx, tried=tried, result=result: self._settle(tx, lane, holder, tried, result)  # type: ignore[misc]
                )
        except BaseException:
            # Cut off or failed: let the next one begin at once rather than when the lease runs out.
            with contextlib.suppress(Exception):
                await asyncio.shield(self._store.write(lambda tx: sendings.drop_lease(tx, f"out:{lane}", holder)))
            raise

    async def _take(self, tx: Tx, lane: str, holder: str) -> OutboxRow | None:
        """The lane's next message as it stood before this try, or None when there is nothing to do for us."""
        now = self._clock()
        if not await sendings.take_lease(tx, f"out:{lane}", holder, now, now + LEASE):
            return None
        while (row := await sendings.head(tx.db, lane)) is not None and not (row.not_before and row.not_before > now):
            # Found sending: whoever sent it was cut off.
            if await sendings.begin(tx, row, "sending" if row.status == "queued" else "unknown"):
                return row
            tx.db.expire_all()
        await sendings.drop_lease(tx, f"out:{lane}", holder)
        return None

    async def _settle(self, tx: Tx, lane: str, holder: str, row: OutboxRow, result: Result) -> OutboxRow | None:
        now = self._clock()
        values: dict[str, Any] = {"status": result.status, "error": result.error, "not_before": result.not_before}
        if result.provider_id is not None:
            values |= {"provider_id": result.provider_id, "sent_at": now}
        if not await sendings.end(tx, row, **values, unsure=row.unsure + result.unsure):
            log.warning("message %s was taken over by another process", row.id)
            return None
        if result.status == "sent" and row.kind == "ask":
            where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.approval_id}
            await audit.note(tx, "shown", now, **where, channel=row.channel, receipt=result.provider_id)
        if result.status == "failed":
            await self._failed(tx, row, result.error or "")
        tx.db.expire_all()
        return await self._take(tx, lane, holder)

    async def _failed(self, tx: Tx, row: OutboxRow, why: str) -> None:
        if not row.dedupe_key.startswith("alert:"):
            await self.alert(tx, f"undelivered:{row.channel}", f"message {row.id} on {row.channel} was not sent: {why}")

    async def _attempt(self, row: OutboxRow) -> Result:
        channel = self._channels.get(row.channel)
        if channel is None:
            return Result("failed", error=f"the channel {row.channel} is not configured")
        sending = row.status == "queued"  # else a send was cut off, or its answer was lost
        try:
            message = await self._message(row)
            if message is None:
                return Result("dropped", error="what it changes was never shown")
            async with asyncio.timeout(SEND_TIMEOUT_S):
                return await (self._send(channel, message) if sending else self._look(channel, message, row))
        except TryLater as error:
            status = "queued" if sending else "unknown"
            return self._later(row, status, str(error), asked_for=error.retry_after, patient=True)
        except WillNeverArrive as error:
            return Result("failed", error=str(error))
        except (Uncertain, TimeoutError) as error:
            return self._later(row, "unknown", str(error) or "no answer in time", unsure=sending)
        except Exception as error:
            # A fault in one message must not stop its lane: it is retried, then given up.
            log.exception("message %s could not be sent", row.id)
            return self._later(row, "unknown", type(error).__name__, unsure=sending)

    async def _message(self, row: OutboxRow) -> Outbound | None:
        message = outbounds.validate_json(row.payload)
        ref = f"gh-{row.id}-{row.created_at:%Y%m%d%H%M%S}"
        message = replace(message, ref=ref, queued_at=row.created_at)
        if not isinstance(message, ShowOutcome):
            return message
        shown = await self._store.read(lambda db: sendings.get(db, row.changes_id or 0))
        if shown is None or shown.provider_id is None:
            return None
        return replace(message, receipt=Receipt(provider_id=shown.provider_id))

    async def _send(self, channel: Channel, message: Outbound) -> Result:
        return Result("sent", provider_id=(await channel.send(message)).provider_id)

    async def _look(self, channel: Channel, message: Outbound, row: OutboxRow) -> Result:
        try:
            receipt = await channel.find(message)
        except Unknowable as error:
            if row.unsure >= BLIND_SENDS:
                return Result("failed", error=f"it may or may not have arrived: {error}")
            receipt = None
        if receipt is None or await self._is_anothers(row, receipt):
            return Result("queued")
        return Result("sent", provider_id=receipt.provider_id)

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
        patient: bool = False,
        unsure: bool = False,
    ) -> Result:
        waits = patient and self._clock() - row.created_at < PATIENCE
        if row.attempts + 1 >= MAX_ATTEMPTS and not waits:
            return Result("failed", error=f"given up after {row.attempts + 1} tries: {error}")
        not_before = self._clock() + pause(row.attempts, asked_for=asked_for)
        return Result(status, error=error, not_before=not_before, unsure=unsure)
