"""A conversation's events, one at a time and in order. Owns retries and what the customer hears meanwhile."""

import asyncio
import logging
from datetime import timedelta
from typing import assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import context, stop
from gateway.approvals.views import asks_requester_alone
from gateway.endings import Endings
from gateway.errors import AgentRefused, FileUnavailable, GiveUp, LaneLost, TryLater
from gateway.events import ApprovalExpired, DecisionGiven, Interrupted, MessageReceived, Say, ThreadRef, lane_events
from gateway.outbox import Outbox
from gateway.ports import Clock, Engine
from gateway.retry import pause
from gateway.store import Store, Tx, arrivals, handoffs, lanes, requests
from gateway.store.lanes import Ahead, Lane, Standing
from gateway.store.store import DATABASE_AWAY
from gateway.store.tables import ConversationRow, InboxRow
from gateway.turns import Turns
from gateway.words import Words

log = logging.getLogger(__name__)

LATE_AFTER = timedelta(seconds=15)  # of failing: the sender is told, once an outage
PATIENCE = timedelta(hours=24)  # of failing: the event is set aside
PATIENCE_REFUSED = timedelta(minutes=10)  # with a platform that does not take a decision
NO_ANSWER = "the agent platform does not answer; it is tried again"
REFUSED = "the agent platform refused it; it is tried again"
SETTLED = "settled"  # how the key of a decision or an expiry begins; the approval's id follows
FAULTS = 5  # an event that trips our own code this often is set aside


class Conversations:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        turns: Turns,
        endings: Endings,
        outbox: Outbox,
        clock: Clock,
        words: Words,
        *,
        stopping: asyncio.Event,
    ) -> None:
        """No event is begun once `stopping`; what is left waits for the next start."""
        self._stopping = stopping
        self._store = store
        self._engine = engine
        self._turns = turns
        self._endings = endings
        self._outbox = outbox
        self._clock = clock
        self._words = words

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
        """Own the lane and do what is due in it; with `control`, leave messages to another drain.

        Returns when nothing is due, or another owner took over.
        """
        lane, ahead = await self._store.write(lambda tx: self._claim(tx, conversation_id, control))
        try:
            while ahead.row is not None and not self._stopping.is_set():
                await self._one(lane, ahead.row)
                if not ahead.more and not control:
                    return  # whatever came meanwhile has woken the lane
                ahead = await self._store.read(lambda db: self._look(db, conversation_id, control))
            if await self._untold(lane, ahead):
                await self._hold_back(lane)
            if control and ahead.standing.ready:
                await self._store.write(lambda tx: self._hand_over(tx, lane))
        except LaneLost:
            log.info("another owner took over")

    async def _claim(self, tx: Tx, conversation_id: int, control: bool) -> tuple[Lane, Ahead]:
        # The claim comes first: it waits for whoever writes to the conversation now, and then sees what they wrote.
        lane = await lanes.claim(tx, conversation_id)
        return lane, await self._look(tx.db, conversation_id, control)

    async def _hand_over(self, tx: Tx, lane: Lane) -> None:
        """Messages are for a drain of their own."""
        await lanes.hold(tx, lane)
        await self._engine.wake(tx, lane.conversation_id)

    async def interrupt(self, conversation_id: int, *, by: str) -> bool:
        """Stop the turn that runs, wherever it does; the lane goes on with what is next. False: none ran.

        The rows forget the turn at once: nothing its owner still learns can be written. Twice is safe.
        """
        now = self._clock()
        return await self._store.write(lambda tx: stop.interrupt(tx, self._engine, conversation_id, by=by, now=now))

    async def receive(self, lane: Lane, row: InboxRow) -> None:
        event = lane_events.validate_json(row.payload)
        match event:
            case MessageReceived():
                await self._turns.answer(lane, row, event)
            case DecisionGiven() | ApprovalExpired():
                await self._turns.resume(lane, row, event.approval_id)
            case Interrupted():
                await self._endings.interrupted(lane, row, by=event.by)
            case _:
                assert_never(event)

    # --- one after the other -------------------------------------------------------------------------------

    async def _look(self, db: AsyncSession, conversation_id: int, control: bool) -> Ahead:
        return await lanes.next_up(db, conversation_id, self._clock(), control_only=control)

    async def _untold(self, lane: Lane, ahead: Ahead) -> bool:
        """Does somebody wait in this lane without having been told?"""
        if ahead.row is not None or ahead.standing.held_by is None:
            return False
        return await self._store.read(lambda db: arrivals.unheld(db, lane.conversation_id))

    async def _hold_back(self, lane: Lane) -> None:
        """Tell the customer, once a hold, that what they wrote meanwhile is kept."""

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            standing = await lanes.standing(tx.db, lane.conversation_id)
            if standing.held_by is None:
                return
            await arrivals.mark_held(tx, lane.conversation_id)
            conversation = await lanes.conversation(tx.db, lane.conversation_id)
            text = self._words.paused if standing.pause_id is not None else await self._held(tx.db, standing)
            key = f"held:{lane.conversation_id}:{standing.held_by}"
            if standing.held_by == "human":
                since = await handoffs.since(tx.db, lane.conversation_id)
                text, key = self._words.with_a_person, f"{key}:{since and since.isoformat()}"
            await self._say(tx, conversation, text, key=key)

        await self._store.write(deed)

    async def _held(self, db: AsyncSession, standing: Standing) -> str:
        """Whom a parked turn waits for."""
        asked = await requests.of_turn(db, standing.parked_turn_id) if standing.parked_turn_id is not None else []
        return self._words.held_for_requester if asks_requester_alone(asked) else self._words.held

    async def _one(self, lane: Lane, row: InboxRow) -> None:
        with context.about(conversation=lane.conversation_id, event=row.id):
            await self._try(lane, row)

    async def _try(self, lane: Lane, row: InboxRow) -> None:
        try:
            await self.receive(lane, row)
        except LaneLost:
            raise
        except FileUnavailable as error:
            alarm = ("files-away", "files of messages cannot be fetched; they are tried again for a while")
            await self._later(lane, row, str(error), alarm, asked_for=error.retry_after)
        except TryLater as error:
            alarm = ("agent-away", "the agent platform does not answer; messages are kept and retried")
            await self._later(lane, row, str(error), alarm, asked_for=error.retry_after, shown=NO_ANSWER)
        except AgentRefused as error:
            alarm = ("agent-refuses", f"the agent platform refuses us ({error}); what it refuses is kept and retried")
            patience = PATIENCE_REFUSED if row.control else PATIENCE
            await self._later(lane, row, str(error), alarm, patience=patience, shown=REFUSED, at_once=True)
        except GiveUp as error:
            await self._give_up(lane, row, str(error))
        except DATABASE_AWAY as error:
            alarm = ("database-away", "the database does not answer well; what it holds is retried")
            await self._later(lane, row, type(error).__name__, alarm)
        except Exception as error:
            # A bug, or a row we cannot read: it must not block the conversation for ever.
            log.exception("an event trips our own code")
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
        shown: str = "",
        at_once: bool = False,
    ) -> None:
        """`shown` is what the cards of a decision say meanwhile: `at_once`, or when it has failed for a while."""
        now = self._clock()
        failing = now - (row.failing_since or now)
        if failing > patience:
            await self._give_up(lane, row, why)
            return

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            not_before = now + pause(row.attempts, asked_for=asked_for)
            await arrivals.try_later(tx, row, now=now, not_before=not_before, error=why, fault=fault)
            approval_id = _approval_of(row)
            if shown and approval_id is not None and (at_once or failing > LATE_AFTER):
                await self._endings.not_yet_applied(tx, approval_id, shown)
            if failing > LATE_AFTER:
                conversation = await lanes.conversation(tx.db, lane.conversation_id)
                # Once an outage: the time changes only when a turn ends.
                key = f"late:{conversation.id}:{conversation.last_message_at.isoformat()}"
                if conversation.mode != "human":
                    await self._say(tx, conversation, self._words.late, key=key)
                await self._outbox.alert(tx, *alarm)

        await self._store.write(deed)
        log.warning("the event waits for another try: %s", why)

    async def _give_up(self, lane: Lane, row: InboxRow, why: str) -> None:
        await self._endings.give_up(lane, row, why, approval_id=_approval_of(row))

    async def _say(self, tx: Tx, conversation: ConversationRow, text: str, *, key: str) -> None:
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        await self._outbox.add(tx, Say(to=to, text=text), key=key, conversation_id=conversation.id)


def _approval_of(row: InboxRow) -> str | None:
    """By its key, not its payload: a row that nobody can read is set aside like any other."""
    name, _, approval_id = row.event_key.partition(":")
    return approval_id if name == SETTLED else None
