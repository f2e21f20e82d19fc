"""Kept before it is answered; duplicates stop here. Finds or creates the conversation, and wakes its lane."""

import logging
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from gateway import revising
from gateway.by_words import ByWords
from gateway.events import DeliveryReported, MessageReceived, lane_events
from gateway.notes import Notes
from gateway.opting import Opting
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.ports import Added, Clock, Engine
from gateway.store import Store, Tx, arrivals, erasing, lanes, marks
from gateway.store.columns import storable
from gateway.words import Words

log = logging.getLogger(__name__)

MAX_TEXT = 100_000  # characters of one message; what is longer is cut, and says so
CUT = "\n[cut here: the message was too long]"


class Inbox:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        outbox: Outbox,
        policy: Policy,
        clock: Clock,
        by_words: ByWords | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._outbox = outbox
        self._policy = policy
        self._clock = clock
        self._by_words = by_words
        self._opting = Opting(outbox, clock, by_words.words if by_words else Words())
        self._notes = Notes(outbox, clock)

    async def add(self, event: MessageReceived, *, listed: bool = False) -> Added:
        """`listed`: it is from the carrier's list, which names again and again what is known."""
        event = _clean(event)
        added = await self._store.write_patiently(lambda tx: self._add(tx, event))
        known = listed and added is Added.DUPLICATE
        log.log(
            logging.DEBUG if known else logging.INFO, "event %s on %s: %s", event.event_id, event.thread.channel, added
        )
        return added

    async def edited(self, message: MessageReceived) -> bool:
        message, now = _clean(message), self._clock()
        return await self._store.write_patiently(lambda tx: revising.edit(tx, self._engine, message, now))

    async def withdrawn(self, message: MessageReceived) -> bool:
        message, now = _clean(message), self._clock()
        return await self._store.write_patiently(lambda tx: revising.withdraw(tx, self._engine, message, now))

    async def report(self, report: DeliveryReported) -> None:
        await self._outbox.report(report)

    async def held_back(self, channel: str, account: str, minute: datetime) -> None:
        """Counted for a day, and told to operations: what is held back is lost, unless the platform has a list."""

        async def deed(tx: Tx) -> None:
            await marks.hold_back(tx, channel, account, minute, self._clock())
            said = f"{channel} holds events of {storable(account) or '?'} back: there are too many"
            await self._outbox.alert(tx, f"held-back:{channel}", said)

        await self._store.write_patiently(deed)

    async def _add(self, tx: Tx, event: MessageReceived) -> Added:
        channel, now = event.thread.channel, self._clock()
        kept: dict[str, Any] = {
            "kind": event.kind,
            "event_key": f"{channel}:{event.event_id}",
            "message_key": f"{channel}:{event.message_id}",
            "payload": lane_events.dump_json(event).decode(),
            "now": now,
        }
        route = self._policy.route_for(event) if event.answerable else None
        barred = route is not None and route.bars(event)
        asks_for_help = event.consent is not None and event.consent.state == "help"
        if not (barred and asks_for_help) and (opted := await self._opting.take(tx, event, kept)) is not None:
            return opted
        if self._by_words is not None and await self._by_words.concerns(tx.db, event):
            # Kept first: the same words delivered twice decide once.
            if not await arrivals.keep_unrouted(tx, **{**kept, "kind": "verdict", "status": "verdict"}):
                return Added.DUPLICATE
            await self._by_words.take(tx, event)
            return Added.KEPT
        if barred:
            return await self._barred(tx, event, kept)
        if route is not None and (unanswered := await self._opting.unanswered(tx, event, kept)) is not None:
            return unanswered
        place = None if route is None else await arrivals.append_to(tx, event.thread, **kept, sent_at=event.sent_at)
        if place is None and (noted := await self._notes.take(tx, event, kept)) is not None:
            return noted
        if route is None:
            return await self._unrouted(tx, event, kept)
        if place is None and not event.addressed:
            return Added.IGNORED
        if place is None and await erasing.known(tx.db, kept["event_key"], kept["message_key"]):
            return Added.DUPLICATE  # of an erased conversation, for which no new one is opened
        if place is None:
            await lanes.open_thread(tx, event.thread, route.agent, now)
            place = await arrivals.append_to(tx, event.thread, **kept, sent_at=event.sent_at)
        assert place is not None
        if place.inbox_id is None:
            return Added.DUPLICATE
        await self._engine.wake(tx, place.conversation_id)
        return Added.KEPT

    async def _barred(self, tx: Tx, event: MessageReceived, kept: dict[str, Any]) -> Added:
        """Somebody writes from a country that the route does not list: kept, and never answered with anything."""
        if not await arrivals.keep_unrouted(tx, **kept):
            return Added.DUPLICATE
        where = event.country or "a country that nobody can tell"
        said = f"somebody in {where} wrote on {event.thread.channel}; it is not among `countries`, and nobody answers"
        await self._outbox.alert(tx, f"country:{event.thread.channel}:{event.country}", said, once_a="day")
        return Added.NO_ROUTE

    async def _unrouted(self, tx: Tx, event: MessageReceived, kept: dict[str, Any]) -> Added:
        if not event.addressed and await lanes.find(tx.db, event.thread) is None:
            return Added.IGNORED
        return Added.NO_ROUTE if await arrivals.keep_unrouted(tx, **kept) else Added.DUPLICATE


def _clean(event: MessageReceived) -> MessageReceived:
    cut = event if len(event.text) <= MAX_TEXT else replace(event, text=event.text[:MAX_TEXT] + CUT)
    cleaned: MessageReceived = _storable(cut)
    return cleaned


def _storable(value: Any) -> Any:
    """The same value with every text in it fit for both databases."""
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return storable(value)
    if isinstance(value, tuple):
        return tuple(_storable(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {name: getattr(value, name) for name in _names(type(value))}
        changed = {name: after for name, before in parts.items() if (after := _storable(before)) != before}
        return replace(value, **changed) if changed else value
    return value


@cache
def _names(kind: type[Any]) -> Sequence[str]:
    return [field.name for field in fields(kind)]
