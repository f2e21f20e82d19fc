"""A conversation's events, one at a time and in order. Owns retries and what the customer hears meanwhile."""

import logging
from datetime import timedelta
from typing import assert_never

from gateway.errors import AgentRefused, GiveUp, LaneLost, TryLater
from gateway.events import ApprovalExpired, DecisionGiven, MessageReceived, Say, ThreadRef, lane_events
from gateway.outbox import Outbox
from gateway.ports import Clock
from gateway.retry import pause
from gateway.store import Store, Tx, lanes
from gateway.store.lanes import Lane
from gateway.store.tables import InboxRow
from gateway.turns import Turns
from gateway.words import Words

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(seconds=15)  # a failing message this old: its sender is told once
PATIENCE = timedelta(hours=24)  # a failing event this old is set aside
FAULTS = 5  # an event that trips our own code this often is set aside


class Conversations:
    def __init__(self, store: Store, turns: Turns, outbox: Outbox, clock: Clock, words: Words) -> None:
        self._store = store
        self._turns = turns
        self._outbox = outbox
        self._clock = clock
        self._words = words

    async def drain(self, conversation_id: int) -> None:
        """Own the lane and do what is due in it. Returns when nothing is, or another owner took over."""
        if not await self._anything_due(conversation_id):
            return
        lane = await self._store.write(lambda tx: lanes.claim(tx, conversation_id))
        try:
            while (row := await self._next(conversation_id)) is not None:
                await self._one(lane, row)
            await self._hold_back(lane)
        except LaneLost:
            log.info("conversation %s: another owner took over", conversation_id)

    async def receive(self, lane: Lane, row: InboxRow) -> None:
        event = lane_events.validate_json(row.payload)
        match event:
            case MessageReceived():
                await self._turns.answer(lane, row, event)
            case DecisionGiven() | ApprovalExpired():
                await self._turns.resume(lane, row, event.approval_id)
            case _:
                assert_never(event)

    # --- one after the other -------------------------------------------------------------------------------

    async def _next(self, conversation_id: int) -> InboxRow | None:
        async def question(db):  # type: ignore[no-untyped-def]  # the store's Question
            return await lanes.next_event(db, await lanes.conversation(db, conversation_id), self._clock())

        return await self._store.read(question)

    async def _anything_due(self, conversation_id: int) -> bool:
        if await self._next(conversation_id) is not None:
            return True
        conversation = await self._store.read(lambda db: lanes.conversation(db, conversation_id))
        return conversation.parked_turn_id is not None and await self._store.read(
            lambda db: lanes.unheld(db, conversation_id)
        )

    async def _hold_back(self, lane: Lane) -> None:
        """Tell the customer, once a park, that what they wrote meanwhile is kept."""

        async def deed(tx: Tx) -> None:
            conversation = await lanes.conversation(tx.db, lane.conversation_id)
            if conversation.parked_turn_id is None or not await lanes.unheld(tx.db, lane.conversation_id):
                return
            await lanes.hold(tx, lane, held_told=True)
            await lanes.mark_held(tx, lane.conversation_id)
            if not conversation.held_told:
                to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
                key = f"held:{conversation.id}:{conversation.parked_turn_id}"
                await self._outbox.add(tx, Say(to=to, text=self._words.held), key=key, conversation_id=conversation.id)

        await self._store.write(deed)

    async def _one(self, lane: Lane, row: InboxRow) -> None:
        try:
            await self.receive(lane, row)
        except LaneLost:
            raise
        except TryLater as error:
            await self._later(lane, row, str(error), asked_for=error.retry_after)
        except AgentRefused as error:
            await self._later(lane, row, str(error))
        except GiveUp as error:
            await self._turns.give_up(lane, row, str(error))
        except Exception as error:
            # A bug, or a row we cannot read: it must not block the conversation for ever.
            log.exception("event %s of conversation %s", row.id, lane.conversation_id)
            if row.attempts + 1 >= FAULTS:
                await self._turns.give_up(lane, row, f"{type(error).__name__} in our own code; see the log")
            else:
                await self._later(lane, row, type(error).__name__)

    async def _later(self, lane: Lane, row: InboxRow, why: str, *, asked_for: float | None = None) -> None:
        age = self._clock() - row.received_at
        if age > PATIENCE:
            await self._turns.give_up(lane, row, why)
            return

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            not_before = self._clock() + pause(row.attempts, asked_for=asked_for)
            await lanes.try_later(tx, row.id, attempts=row.attempts + 1, not_before=not_before, error=why)
            if age > LATE_AFTER:
                await self._apologise(tx, lane, row)

        await self._store.write(deed)
        log.warning("event %s of conversation %s waits for another try: %s", row.id, lane.conversation_id, why)

    async def _apologise(self, tx: Tx, lane: Lane, row: InboxRow) -> None:
        conversation = await lanes.conversation(tx.db, lane.conversation_id)
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        # Once an outage: the time changes only when a turn ends.
        key = f"late:{conversation.id}:{conversation.last_message_at.isoformat()}"
        await self._outbox.add(tx, Say(to=to, text=self._words.late), key=key, conversation_id=conversation.id)
        await self._outbox.alert(tx, "agent-away", "the agent platform does not answer; messages are kept and retried")
