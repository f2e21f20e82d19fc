"""What must go out: queued in the transaction that decided it; what carriers and operations hear of it.

Sends nothing itself (`delivery.py` does) and knows no channel's looks.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

from gateway import audit, emptying
from gateway.consents import WANTS_NONE, Consents, sent_to
from gateway.events import Delivery, DeliveryReported, Outbound, Say, ShowOutcome, ThreadRef, outbounds
from gateway.pages import Pages
from gateway.ports import Channel, Clock, Engine
from gateway.store import Store, Tx, requests, sendings
from gateway.store.columns import storable
from gateway.store.tables import OutboxRow

log = logging.getLogger(__name__)

HANDED_ON = timedelta(seconds=15)  # a part waits no longer for word that the one before it was
RESENDS = (timedelta(minutes=2), timedelta(minutes=5), timedelta(minutes=15))  # after the carrier said "not now"
FIRST, LAST = 0, 1  # within a lane: what says something goes before what changes something shown


class Outbox:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        channels: Mapping[str, Channel],
        clock: Clock,
        *,
        alerts: Sequence[ThreadRef],
        pages: Pages | None = None,
    ) -> None:
        """`pages`: where a reply can be read that is too long to be sent; None: however long it is, it is sent."""
        self._store = store
        self._engine = engine
        self._channels = channels
        self._clock = clock
        self._alerts = alerts
        self._pages = pages
        self.consents = Consents(channels, clock)

    async def add(
        self,
        tx: Tx,
        message: Outbound,
        *,
        key: str,
        conversation_id: int | None = None,
        approval_id: str | None = None,
        changes_id: int | None = None,
        about_at: datetime | None = None,
        route: str | None = None,
    ) -> None:
        """Queue a message in the caller's transaction, a long reply as its parts. The same `key` twice is one message.

        `about_at`: when what it answers was written; a reply that goes out much later says so. `route`: whose caps of
        a day it is under.
        """
        first, *rest = self._parts(message)
        only_once: dict[str, Any] = {"approval_id": approval_id, "changes_id": changes_id, "about_at": about_at}
        where: dict[str, Any] = {"conversation_id": conversation_id, "route": route or None}
        before = await self._queue(tx, first, key, **where, **only_once)
        if before is not None and isinstance(first, Say) and first.whole:
            await self._shorten(tx, first, before)
        for number, part in enumerate(rest, 2):
            before = await self._queue(tx, part, f"{key}#{number}", **where, follows_id=before)

    def _parts(self, message: Outbound) -> list[Outbound]:
        """As its channel carries it. The first takes the place of what was shown, and the note is below the last."""
        channel = self._channels.get(message.to.channel)
        if channel is None or not isinstance(message, Say):
            return [message]
        if self._pages is not None and (whole := channel.page(message.to, message.text)):
            return [replace(message, whole=whole)]
        first, *rest = channel.parts(message.to, message.text) or [message.text]
        bare = replace(message, note="")
        parts = [replace(bare, text=first), *(replace(bare, text=text, replaces="") for text in rest)]
        return [*parts[:-1], replace(parts[-1], note=message.note)]

    async def _shorten(self, tx: Tx, message: Say, outbox_id: int) -> None:
        """Only its row says where its page is, so it is queued first."""
        assert self._pages is not None
        channel, link = self._channels[message.to.channel], self._pages.link(outbox_id)
        (text,) = channel.parts(message.to, message.text, link=link)
        await sendings.reword(tx, outbox_id, _payload(replace(message, text=text)))

    async def _queue(self, tx: Tx, message: Outbound, key: str, **where: Any) -> int | None:
        """Its row's id. None: it was queued before."""
        channel = self._channels.get(message.to.channel)
        lane = channel.lane(message.to) if channel else f"{message.to.channel}:{message.to.key}"
        new = await sendings.add(
            tx,
            dedupe_key=key,
            channel=message.to.channel,
            lane=lane,
            kind=message.kind,
            payload=_payload(message),
            rank=LAST if isinstance(message, ShowOutcome) else FIRST,
            created_at=self._clock(),
            **where,
        )
        if new is not None:
            await self._engine.wake_lane(tx, lane)
        return new

    async def alert(self, tx: Tx, cause: str, text: str, *, once_a: Literal["hour", "day"] = "hour") -> None:
        """Tell operations, once per cause and hour (or day)."""
        time = self._clock().strftime("%Y-%m-%dT%H" if once_a == "hour" else "%Y-%m-%d")
        for to in self._alerts:
            key = f"alert:{to.channel}:{to.account}:{to.key}:{cause}:{time}"
            await self.add(tx, Say(to=to, text=f"Gatehouse: {text}"), key=key)
        log.warning("alert %s: %s", cause, text)

    async def tell_operations(self, tx: Tx, text: str, *, key: str, conversation_id: int) -> None:
        """Once, to every place of the alerts; the text may hold words of the conversation, and is not logged."""
        for to in self._alerts:
            unique = f"alert:{key}:{to.channel}:{to.account}:{to.key}"
            await self.add(tx, Say(to=to, text=f"Gatehouse: {text}"), key=unique, conversation_id=conversation_id)

    async def taken(self, tx: Tx, row: OutboxRow, now: datetime) -> None:
        """A carrier has taken a message; where it keeps no order, the part after it waits until it was handed on."""
        channel = self._channels.get(row.channel)
        if channel is not None and not channel.keeps_order:
            await sendings.hold_next(tx, row, now + HANDED_ON)

    async def undelivered(self, tx: Tx, row: OutboxRow, why: str) -> None:
        """A message will not arrive: it is set aside, and operations hear of it unless it was an alert itself.

        They hear of each code of the carrier's by itself: one that they can do something about is not lost in others.
        """
        log.error("message %s on %s was not sent: %s", row.id, row.channel, why)
        await audit.reported(tx, row, "undelivered", self._clock())
        if not row.dedupe_key.startswith("alert:"):
            said = f"message {row.id} on {row.channel} was not sent: {why}"
            await self.alert(tx, cause_of("undelivered", row.channel, why), said)

    async def over_cap(self, tx: Tx, row: OutboxRow, why: str) -> None:
        """A message was not sent because a limit of the day is reached: operations hear of that once a day."""
        log.warning("message %s on %s was not sent: %s", row.id, row.channel, why)
        await audit.reported(tx, row, "undelivered", self._clock())
        await self.alert(tx, "cap-segments", f"{why}; nothing more is sent there today", once_a="day")

    async def unwanted(self, tx: Tx, row: OutboxRow) -> None:
        """A message was not sent to somebody who wants none: nothing that a person could send again."""
        log.info("message %s on %s was not sent: %s", row.id, row.channel, WANTS_NONE)
        await audit.reported(tx, row, "undelivered", self._clock())

    async def report(self, report: DeliveryReported) -> None:
        """Note what a carrier said of a message. Never moves backwards; twice is safe.

        A carrier may be quicker with its report than with its answer to our send: then it is kept until that is known.
        """
        what = (report.channel, report.provider_id, report.state.value, report.error or None)
        if report.state is Delivery.ACCEPTED or await self._store.write_patiently(lambda tx: self._report(tx, *what)):
            return
        await self._store.write_patiently(lambda tx: sendings.keep_early(tx, *what, self._clock()))
        await self.reported_early(report.channel, report.provider_id)

    async def reported_early(self, channel: str, provider_id: str) -> None:
        """Apply what was said before we knew the message. Called when either of the two is on disk, so none is lost."""
        early = await self._store.read(lambda db: sendings.early(db, channel, provider_id))
        if early is not None:
            await self._store.write(lambda tx: self._report(tx, channel, provider_id, early.status, early.error))

    async def _report(self, tx: Tx, channel: str, provider_id: str, status: str, error: str | None) -> bool:
        """False: we know no such message."""
        row = await sendings.held(tx, channel, provider_id)
        if row is None:
            return False
        if row.carried_at is None and await sendings.carried(tx, row, self._clock()):
            await self._engine.wake_lane(tx, row.lane)
        await sendings.forget_early(tx, channel, provider_id)
        if sendings.is_news(row, status):
            await self._note(tx, row, status, error)
        return True

    async def _note(self, tx: Tx, row: OutboxRow, status: str, error: str | None) -> None:
        if status == Delivery.AGAIN and await self._again(tx, row, error):
            return
        failed = status in (Delivery.AGAIN, Delivery.FAILED, Delivery.REFUSED)
        if failed and emptying.is_empty(row.payload):
            # Erased or purged since: there is nothing that a person could send again.
            await sendings.report(tx, row.id, "dropped", None)
            await audit.reported(tx, row, "undelivered", self._clock())
            log.info("message %s on %s was not delivered; its words are gone: %s", row.id, row.channel, error)
            return
        if status == Delivery.REFUSED:
            await self.consents.refused(tx, sent_to(row.payload), row.sent_at or row.created_at)
            status = unsent(row)
        elif failed:
            status = "failed"
        await sendings.report(tx, row.id, status, error)
        if status == "dropped":
            await self.unwanted(tx, row)
        elif status == "failed":
            await self.undelivered(tx, row, error or "the carrier gave up")
        elif status == "delivered":
            await audit.reported(tx, row, "delivered", self._clock())

    async def _again(self, tx: Tx, row: OutboxRow, error: str | None) -> bool:
        """Queue once more what its carrier may deliver a little later. False: it was long enough, or serves no more.

        From here on the carrier's id is of no message of ours, and ids do not come twice, so whatever is still said of
        it changes nothing. The word that it failed stays as an early report: should a look-up of the next try find this
        very text, with the same words, that is heard then.
        """
        if row.resends >= len(RESENDS) or emptying.is_empty(row.payload) or await self._is_over(tx, row):
            return False
        pause = RESENDS[row.resends]
        await sendings.queue_again(tx, row, not_before=self._clock() + pause, error=error)
        said = (row.channel, row.provider_id or "", Delivery.AGAIN.value, error)
        await sendings.keep_early(tx, *said, self._clock())
        log.warning("message %s on %s is sent again in %s: %s", row.id, row.channel, pause, error)
        return True

    async def _is_over(self, tx: Tx, row: OutboxRow) -> bool:
        """A request that was decided meanwhile is not shown once more."""
        if row.approval_id is None or row.kind not in ("ask", "reminder"):
            return False
        approval = await requests.get(tx.db, row.approval_id)
        return approval is None or approval.state != "pending"


def unsent(row: OutboxRow) -> str:
    """What becomes of a message to somebody who wants none. A request that did not arrive must go to others."""
    return "failed" if row.kind == "ask" else "dropped"


def cause_of(what: str, channel: str, why: str) -> str:
    """`undelivered:sms:30006` where a carrier's code leads the reason, else `undelivered:sms`."""
    code, colon, _ = why.partition(":")
    return f"{what}:{channel}:{code}" if colon and code.isascii() and code.isdigit() else f"{what}:{channel}"


def _payload(message: Outbound) -> str:
    return storable(outbounds.dump_json(message).decode())
