"""Kept before it is answered; duplicates stop here. Finds or creates the conversation, and wakes its lane."""

import logging
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.events import DeliveryReported, MessageReceived, lane_events
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.ports import Added, Clock, Engine
from gateway.store import Store, Tx, lanes
from gateway.store.columns import storable

log = logging.getLogger(__name__)

MAX_TEXT = 100_000  # characters of one message; what is longer is cut, and says so
CUT = "\n[cut here: the message was too long]"


class Inbox:
    def __init__(self, store: Store, engine: Engine, outbox: Outbox, policy: Policy, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._outbox = outbox
        self._policy = policy
        self._clock = clock

    async def add(self, event: MessageReceived) -> Added:
        event = _clean(event)
        added = await self._store.write(lambda tx: self._add(tx, event))
        log.info("event %s on %s: %s", event.event_id, event.thread.channel, added)
        return added

    async def report(self, report: DeliveryReported) -> None:
        await self._outbox.report(report)

    async def _add(self, tx: Tx, event: MessageReceived) -> Added:
        channel, now = event.thread.channel, self._clock()
        event_key, message_key = f"{channel}:{event.event_id}", f"{channel}:{event.message_id}"
        if await lanes.seen_before(tx.db, event_key, message_key):
            return Added.DUPLICATE
        known = await lanes.find(tx.db, event.thread)
        if known is None and not event.addressed:
            return Added.IGNORED
        payload = lane_events.dump_json(event).decode()
        kept: dict[str, Any] = {
            "kind": event.kind,
            "event_key": event_key,
            "message_key": message_key,
            "payload": payload,
        }
        route = self._policy.route_for(event)
        if route is None:
            new = await lanes.keep_unrouted(tx, **kept, now=now)
            return Added.NO_ROUTE if new else Added.DUPLICATE
        conversation_id = known.id if known else await lanes.open_thread(tx, event.thread, route.agent, now)
        if await lanes.append(tx, conversation_id, **kept, now=now) is None:
            return Added.DUPLICATE
        await self._engine.wake(tx, conversation_id)
        return Added.KEPT


def _clean(event: MessageReceived) -> MessageReceived:
    text = event.text if len(event.text) <= MAX_TEXT else event.text[:MAX_TEXT] + CUT
    cleaned: MessageReceived = _storable(replace(event, text=text))
    return cleaned


def _storable(value: Any) -> Any:
    """The same value with every text in it fit for both databases."""
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return storable(value)
    if isinstance(value, tuple):
        return tuple(_storable(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _storable(getattr(value, field.name)) for field in fields(value)})
    return value
