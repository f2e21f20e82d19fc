"""One turn over a session: begun before the post, ended in the transaction that queues its replies or parks it."""

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway import exchange
from gateway.approvals import Approvals
from gateway.errors import SessionGone
from gateway.events import (
    Answer,
    Confirm,
    Deny,
    MessageReceived,
    Replied,
    Say,
    ThreadRef,
    TurnFailed,
    lane_events,
)
from gateway.exchange import Asked, NotTaken, Outcome, Post
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.ports import AgentPlatform, Clock
from gateway.speaker import post_text
from gateway.store import Store, Tx, lanes, requests, turns
from gateway.store.lanes import Lane
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, TurnRow
from gateway.words import Words

log = logging.getLogger(__name__)


class Turns:
    def __init__(
        self,
        store: Store,
        platform: AgentPlatform,
        outbox: Outbox,
        approvals: Approvals,
        policy: Policy,
        clock: Clock,
        words: Words,
        *,
        stopping: asyncio.Event,
        slots: int = 50,
    ) -> None:
        """`slots`: how many messages, and how many decisions, are with the agent at once; none once `stopping`."""
        self._store = store
        self._platform = platform
        self._outbox = outbox
        self._approvals = approvals
        self._policy = policy
        self._clock = clock
        self._words = words
        self._stopping = stopping
        # Two kinds of work, each with slots of its own: slow replies must not delay what somebody decided.
        self._messages, self._decisions = asyncio.Semaphore(slots), asyncio.Semaphore(slots)

    # --- a message -----------------------------------------------------------------------------------------

    async def answer(self, lane: Lane, row: InboxRow, event: MessageReceived) -> None:
        """Post the message and keep what the agent makes of it. Raises `TryLater`, `LaneLost`."""
        async with self._messages:
            if not self._stopping.is_set():
                await self._answer(lane, row, event)

    async def _answer(self, lane: Lane, row: InboxRow, event: MessageReceived) -> None:
        turn = await self._store.read(lambda db: turns.for_event(db, row.id))
        first_try = turn is None
        if turn is None:
            turn = await self._begin(lane, row, event)
        try:
            outcome = await self._post(lane, turn, first_try)
        except SessionGone:
            turn = await self._in_new_session(lane, turn)
            outcome = await self._post(lane, turn, first_try=True)
        await self._end(lane, row.id, turn, outcome)

    async def _begin(self, lane: Lane, row: InboxRow, event: MessageReceived) -> TurnRow:
        conversation = await self._store.read(lambda db: lanes.conversation(db, lane.conversation_id))
        agent, session_id = self._session_for(conversation, event, self._clock())
        if session_id is None:
            session_id = await self._platform.open_session(agent)
            log.info("conversation %s: new session", lane.conversation_id)

        async def deed(tx: Tx) -> TurnRow:
            await lanes.hold(tx, lane, session_id=session_id, agent=agent)
            begun: dict[str, Any] = {
                "conversation_id": lane.conversation_id,
                "inbox_id": row.id,
                "session_id": session_id,
            }
            return await turns.begin(tx, **begun, text=post_text(event), now=self._clock())

        return await self._store.write(deed)

    def _session_for(
        self, conversation: ConversationRow, event: MessageReceived, now: datetime
    ) -> tuple[str, str | None]:
        """The agent, and the session to go on with; None where a new one is due."""
        route = self._policy.route_for(event)
        if route is None:
            return conversation.agent, conversation.session_id
        idle = now - conversation.last_message_at > route.session_idle
        if idle or route.agent != conversation.agent:
            return route.agent, None
        return route.agent, conversation.session_id

    async def _in_new_session(self, lane: Lane, turn: TurnRow) -> TurnRow:
        log.warning("conversation %s: its session is gone or stuck; a new one is opened", lane.conversation_id)
        conversation = await self._store.read(lambda db: lanes.conversation(db, lane.conversation_id))
        session_id = await self._platform.open_session(conversation.agent)

        async def deed(tx: Tx) -> TurnRow:
            await lanes.hold(tx, lane, session_id=session_id)
            await turns.move(tx, turn.id, session_id=session_id)
            return await turns.get(tx.db, turn.id)

        return await self._store.write(deed)

    async def _post(self, lane: Lane, turn: TurnRow, first_try: bool) -> Outcome:
        what = await self._what(turn, first_try)
        async with self._platform.attach(turn.session_id) as line:
            return await exchange.post(line, what, lambda: self._look(lane))

    async def _what(self, turn: TurnRow, first_try: bool) -> Post:
        alike = await self._store.read(lambda db: turns.posted_alike(db, turn))
        return Post(text=turn.posted_text, key=f"turn-{turn.id}", alike=alike, first_try=first_try)

    async def _look(self, lane: Lane) -> None:
        await self._store.read(lambda db: lanes.look(db, lane))

    # --- decisions -----------------------------------------------------------------------------------------

    async def resume(self, lane: Lane, row: InboxRow, approval_id: str) -> None:
        """Take a settled request to the session, once all of its turn are settled. Twice is safe."""
        approval = await self._store.read(lambda db: requests.get(db, approval_id))
        assert approval is not None
        turn = await self._store.read(lambda db: turns.get(db, approval.turn_id))
        open_ones = await self._store.read(lambda db: requests.of_turn(db, turn.id))
        answered = [one for one in open_ones if not one.applied]
        if turn.state != "parked" or approval.applied or any(one.state == "pending" for one in answered):
            await self._store.write(lambda tx: self._nothing_to_do(tx, lane, row.id))
            return
        what = await self._what(turn, first_try=False)
        async with self._decisions, self._platform.attach(turn.session_id) as line:
            said = [(one.request_message_id, self._answer_for(one)) for one in answered]
            outcome = await exchange.answer(line, said, what, lambda: self._look(lane))
        await self._end(lane, row.id, turn, outcome, answered)

    async def _nothing_to_do(self, tx: Tx, lane: Lane, inbox_id: int) -> None:
        await lanes.hold(tx, lane)
        await lanes.finish(tx, inbox_id, self._clock())

    def _answer_for(self, row: ApprovalRow) -> Answer:
        if row.state == "approved":
            # The saved arguments, whole: what was shown is what runs.
            return Confirm(arguments=_arguments(row))
        if row.state == "denied":
            # What a person writes must not read as "nobody decided".
            forged = row.reason.lstrip().upper().startswith("UNANSWERED")
            return Deny(reason=f"Denied: {row.reason}" if forged else row.reason or "Denied without a reason.")
        return Deny(reason=f"UNANSWERED: {row.reason}")

    # --- the end -------------------------------------------------------------------------------------------

    async def give_up(self, lane: Lane, row: InboxRow, why: str, *, approval_id: str | None = None) -> None:
        """End the event's turn without a reply: the customer is told, the lane goes on, operations hear of it.

        Its requests are withdrawn with it, and its session is left: nobody knows what that still waits for.
        """
        await self._store.write(lambda tx: self._give_up(tx, lane, row, why, approval_id))

    async def _give_up(self, tx: Tx, lane: Lane, row: InboxRow, why: str, approval_id: str | None) -> None:
        conversation = await lanes.conversation(tx.db, lane.conversation_id)
        turn = await self._turn_of(tx, row, approval_id)
        values: dict[str, Any] = {} if turn is None else {"session_id": None}
        if turn is not None and conversation.parked_turn_id == turn.id:
            values["parked_turn_id"] = None
        await lanes.hold(tx, lane, **values)
        await lanes.finish(tx, row.id, self._clock(), status="dead", error=why)
        if turn is not None and turn.state != "done":
            await turns.end(tx, turn.id, state="failed", error=why, ended_at=self._clock())
            await self._approvals.abandon(tx, turn.id, why)
        await self._say(tx, conversation, self._words.failed, key=f"dead:{row.id}")
        await self._outbox.alert(tx, "dead-letter", f"event {row.id} was set aside: {why}")

    async def _turn_of(self, tx: Tx, row: InboxRow, approval_id: str | None) -> TurnRow | None:
        if approval_id is None:
            return await turns.for_event(tx.db, row.id)
        approval = await requests.get(tx.db, approval_id)
        return None if approval is None else await turns.get(tx.db, approval.turn_id)

    async def _end(
        self,
        lane: Lane,
        inbox_id: int,
        turn: TurnRow,
        outcome: Outcome,
        answered: Sequence[ApprovalRow] = (),
    ) -> None:
        if isinstance(outcome, Replied) and not outcome.text.strip():
            outcome = TurnFailed(message_id=outcome.message_id, error="the agent's reply was empty")
        await self._store.write(lambda tx: self._keep(tx, lane, inbox_id, turn, outcome, answered))

    async def _keep(
        self,
        tx: Tx,
        lane: Lane,
        inbox_id: int,
        turn: TurnRow,
        outcome: Outcome,
        answered: Sequence[ApprovalRow],
    ) -> None:
        now = self._clock()
        parked = isinstance(outcome, Asked)
        values: dict[str, Any] = {"parked_turn_id": turn.id if parked else None, "last_message_at": now}
        await lanes.hold(tx, lane, **values)
        await lanes.finish(tx, inbox_id, now)
        conversation = await lanes.conversation(tx.db, lane.conversation_id)
        if answered:
            await self._approvals.applied(tx, answered)
        match outcome:
            case Replied():
                ended = {"reply_message_id": outcome.message_id, "ended_at": now}
                await turns.end(tx, turn.id, state="done", posted=True, **ended)
                await self._say(tx, conversation, outcome.text, key=f"reply:{turn.id}")
            case TurnFailed() | NotTaken():
                log.warning("turn %s failed", turn.id)
                await turns.end(
                    tx,
                    turn.id,
                    state="failed",
                    posted=isinstance(outcome, TurnFailed),
                    error=outcome.error,
                    ended_at=now,
                )
                await self._say(tx, conversation, self._words.failed, key=f"reply:{turn.id}")
                await self._outbox.alert(tx, "turn-failed", f"a turn of agent {conversation.agent} failed")
            case Asked():
                await turns.end(tx, turn.id, state="parked", posted=True)
                await self._open(tx, conversation, turn, outcome)

    async def _open(self, tx: Tx, conversation: ConversationRow, turn: TurnRow, asked: Asked) -> None:
        event, told = await self._event_of(tx, turn), False
        for request in asked.requests:
            who: dict[str, Any] = {"requester": event.sender, "message": event.text, "turn_id": turn.id}
            told |= await self._approvals.open(tx, request, conversation, session_id=turn.session_id, **who)
        if not told:  # nobody can be asked: the agent hears so at once, and answers
            return
        await self._say(tx, conversation, self._words.asked, key=f"asked:{turn.id}:{asked.requests[0].message_id}")

    async def _event_of(self, tx: Tx, turn: TurnRow) -> MessageReceived:
        row = await lanes.event(tx.db, turn.inbox_id)
        event = lane_events.validate_json(row.payload)
        assert isinstance(event, MessageReceived)
        return event

    async def _say(self, tx: Tx, conversation: ConversationRow, text: str, *, key: str) -> None:
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        await self._outbox.add(tx, Say(to=to, text=text), key=key, conversation_id=conversation.id)


def _arguments(row: ApprovalRow) -> dict[str, Any]:
    return json.loads(row.arguments) if row.arguments is not None else {}
