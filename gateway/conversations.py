"""A conversation's events, one at a time and in order. Owns retries and what the customer hears meanwhile."""

import asyncio
import json
import logging
from datetime import timedelta
from typing import assert_never

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import AgentRefused, GiveUp, LaneLost, TryLater
from gateway.events import ApprovalExpired, DecisionGiven, MessageReceived, Say, ThreadRef, lane_events
from gateway.outbox import Outbox
from gateway.ports import Clock
from gateway.retry import pause
from gateway.store import Store, Tx, lanes
from gateway.store.lanes import Lane
from gateway.store.tables import ConversationRow, InboxRow
from gateway.turns import Turns
from gateway.words import Words

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(seconds=15)  # of failing: the sender is told, once an outage
PATIENCE = timedelta(hours=24)  # of failing: the event is set aside
PATIENCE_REFUSED = timedelta(minutes=10)  # with a platform that does not take a decision
DATABASE_AWAY = (OSError, TimeoutError, OperationalError, InterfaceError, PoolTimeout)
FAULTS = 5  # an event that trips our own code this often is set aside


class Conversations:
    def __init__(
        self, store: Store, turns: Turns, outbox: Outbox, clock: Clock, words: Words, *, stopping: asyncio.Event
    ) -> None:
        """No event is begun once `stopping`; what is left waits for the next start."""
        self._stopping = stopping
        self._store = store
        self._turns = turns
        self._outbox = outbox
        self._clock = clock
        self._words = words

    async def drain(self, conversation_id: int) -> None:
        """Own the lane and do what is due in it. Returns when nothing is, or another owner took over."""
        row, unheld = await self._look(conversation_id)
        if row is None and not unheld:
            return
        lane = await self._store.write(lambda tx: lanes.claim(tx, conversation_id))
        try:
            while not self._stopping.is_set() and (row := (await self._look(conversation_id))[0]) is not None:
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

    async def _look(self, conversation_id: int) -> tuple[InboxRow | None, bool]:
        """The lane's next event, and whether somebody waits behind a parked turn without having been told."""

        async def question(db: AsyncSession) -> tuple[InboxRow | None, bool]:
            conversation = await lanes.conversation(db, conversation_id)
            row = await lanes.next_event(db, conversation, self._clock())
            waiting = row is None and conversation.parked_turn_id is not None
            return row, waiting and await lanes.unheld(db, conversation_id)

        return await self._store.read(question)

    async def _hold_back(self, lane: Lane) -> None:
        """Tell the customer, once a park, that what they wrote meanwhile is kept."""
        if not (await self._look(lane.conversation_id))[1]:
            return

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            await lanes.mark_held(tx, lane.conversation_id)
            conversation = await lanes.conversation(tx.db, lane.conversation_id)
            await self._say(
                tx, conversation, self._words.held, key=f"held:{conversation.id}:{conversation.parked_turn_id}"
            )

        await self._store.write(deed)

    async def _one(self, lane: Lane, row: InboxRow) -> None:
        try:
            await self.receive(lane, row)
        except LaneLost:
            raise
        except TryLater as error:
            alarm = ("agent-away", "the agent platform does not answer; messages are kept and retried")
            await self._later(lane, row, str(error), alarm, asked_for=error.retry_after)
        except AgentRefused as error:
            alarm = ("agent-refuses", f"the agent platform refuses us ({error}); what it refuses is kept and retried")
            await self._later(lane, row, str(error), alarm, patience=PATIENCE_REFUSED if row.control else PATIENCE)
        except GiveUp as error:
            await self._give_up(lane, row, str(error))
        except DATABASE_AWAY as error:
            alarm = ("database-away", "the database does not answer well; what it holds is retried")
            await self._later(lane, row, type(error).__name__, alarm)
        except Exception as error:
            # A bug, or a row we cannot read: it must not block the conversation for ever.
            log.exception("event %s of conversation %s", row.id, lane.conversation_id)
            if row.faults + 1 >= FAULTS:
                await self._give_up(lane, row, f"{type(error).__name__} in our own code; see the log")
            else:
                alarm = ("fault", "an event trips our own code; see the log")
                await self._later(lane, row, type(error).__name__, alarm, fault=True)

    async def _later(
        self,
        lane: Lane,
        row: InboxRow,
        why: str,
        alarm: tuple[str, str],
        *,
        asked_for: float | None = None,
        patience: timedelta = PATIENCE,
        fault: bool = False,
    ) -> None:
        now = self._clock()
        failing = now - (row.failing_since or now)
        if failing > patience:
            await self._give_up(lane, row, why)
            return

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            not_before = now + pause(row.attempts, asked_for=asked_for)
            await lanes.try_later(tx, row, now=now, not_before=not_before, error=why, fault=fault)
            if failing > LATE_AFTER:
                conversation = await lanes.conversation(tx.db, lane.conversation_id)
                # Once an outage: the time changes only when a turn ends.
                key = f"late:{conversation.id}:{conversation.last_message_at.isoformat()}"
                await self._say(tx, conversation, self._words.late, key=key)
                await self._outbox.alert(tx, *alarm)

        await self._store.write(deed)
        log.warning("event %s of conversation %s waits for another try: %s", row.id, lane.conversation_id, why)

    async def _give_up(self, lane: Lane, row: InboxRow, why: str) -> None:
        approval_id = json.loads(row.payload).get("approval_id") if row.control else None
        await self._turns.give_up(lane, row, why, approval_id=approval_id)

    async def _say(self, tx: Tx, conversation: ConversationRow, text: str, *, key: str) -> None:
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        await self._outbox.add(tx, Say(to=to, text=text), key=key, conversation_id=conversation.id)
