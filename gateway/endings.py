"""What a turn leaves in the rows: each ending finishes its event and queues what is to be said, in one transaction."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway import audit
from gateway.approvals import Approvals
from gateway.errors import Capped
from gateway.events import ApprovalAsked, MessageReceived, Replied, Say, ThreadRef, TurnFailed, lane_events
from gateway.exchange import NotTaken, Outcome
from gateway.listening import Asked
from gateway.outbox import Outbox
from gateway.ports import Clock
from gateway.store import Store, Tx, arrivals, lanes, requests, turns
from gateway.store.lanes import Lane
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, TurnRow
from gateway.words import Words

log = logging.getLogger(__name__)


class Endings:
    def __init__(self, store: Store, outbox: Outbox, approvals: Approvals, clock: Clock, words: Words) -> None:
        self._store = store
        self._outbox = outbox
        self._approvals = approvals
        self._clock = clock
        self._words = words

    async def keep(
        self,
        lane: Lane,
        row: InboxRow,
        turn: TurnRow,
        outcome: Outcome,
        answered: Sequence[ApprovalRow] = (),
        *,
        heard_at: datetime | None = None,
        replaces: str = "",
        note: str = "",
    ) -> None:
        """The turn's reply, failure or requests, in the transaction that finishes its event. Raises `LaneLost`.

        `answered`: the requests that the session took an answer to; `heard_at`: when its first word came;
        `replaces`: the message that shows the reply's beginning; `note`: what stands below the reply.
        """
        if isinstance(outcome, Replied) and not outcome.text.strip():
            outcome = TurnFailed(message_id=outcome.message_id, error="the agent's reply was empty")
        await self._store.write(lambda tx: self._keep(tx, lane, row, turn, outcome, answered, heard_at, replaces, note))

    async def _keep(
        self,
        tx: Tx,
        lane: Lane,
        row: InboxRow,
        turn: TurnRow,
        outcome: Outcome,
        answered: Sequence[ApprovalRow],
        heard_at: datetime | None,
        replaces: str,
        note: str,
    ) -> None:
        now = self._clock()
        how: dict[str, Any] = {"about_at": row.sent_at or row.received_at, "replaces": replaces, "route": turn.route}
        parked = isinstance(outcome, Asked)
        values: dict[str, Any] = {"parked_turn_id": turn.id if parked else None, "last_message_at": now}
        await lanes.hold(tx, lane, **values)
        await arrivals.finish(tx, row.id, now)
        conversation = await lanes.conversation(tx.db, lane.conversation_id)
        if answered:
            await self._approvals.applied(tx, answered)
        end: dict[str, Any] = {"first_delta_at": turn.first_delta_at or heard_at, "ended_at": now, "live_handle": None}
        match outcome:
            case Replied():
                said = {"reply_message_id": outcome.message_id, "tokens": outcome.tokens}
                await turns.end(tx, turn.id, state="done", posted=True, **end, **said)
                if conversation.mode == "human":
                    draft = (
                        f"conversation {conversation.id} is with a person; the agent would have said: {outcome.text}"
                    )
                    key = f"draft:{turn.id}"
                    await self._outbox.tell_operations(tx, draft, key=key, conversation_id=conversation.id)
                else:
                    await self._say(tx, conversation, outcome.text, key=f"reply:{turn.id}", note=note, **how)
            case TurnFailed() | NotTaken():
                log.warning("turn %s failed", turn.id)
                await self._failed(tx, lane, conversation, turn, outcome, end, how)
            case Asked():
                end = {"first_delta_at": end["first_delta_at"], "tries": 0}  # those of going on are counted anew
                await turns.end(tx, turn.id, state="parked", posted=True, **end)
                await self._open(tx, conversation, turn, outcome, replaces)
        if answered and not parked:
            reply = outcome.text if isinstance(outcome, Replied) else None
            await audit.finished(tx, await requests.of_turn(tx.db, turn.id), now, reply=reply)

    async def _failed(
        self,
        tx: Tx,
        lane: Lane,
        conversation: ConversationRow,
        turn: TurnRow,
        outcome: TurnFailed | NotTaken,
        end: dict[str, Any],
        how: dict[str, Any],
    ) -> None:
        posted, agent = isinstance(outcome, TurnFailed), conversation.agent
        if isinstance(outcome, TurnFailed):
            end |= {"reply_message_id": outcome.message_id or None}  # whatever comes under it is known
        await turns.end(tx, turn.id, state="failed", posted=posted, error=outcome.error, **end)
        sentence, cause, what = self._words.failed, "turn-failed", f"a turn of agent {agent} failed"
        if isinstance(outcome, TurnFailed) and (outcome.reauthorize or outcome.unanswerable):
            # The session waits for something that nobody here can give it.
            await lanes.hold(tx, lane, session_id=None)
            sentence = self._words.cut_off if outcome.reauthorize else self._words.failed
            cause = f"{'reauthorize' if outcome.reauthorize else 'unanswerable'}:{agent}"
            what = f"agent {agent}: {outcome.error}"
        await self._say(tx, conversation, sentence, key=f"reply:{turn.id}", **how)
        await self._outbox.alert(tx, cause, what)

    async def left(self, tx: Tx, session_id: str, why: str) -> None:
        """The conversation goes on in another session: what the old one still asks for is withdrawn."""
        for turn_id in await requests.open_turns(tx.db, session_id):
            await self._approvals.abandon(tx, turn_id, why)

    async def not_yet_applied(self, tx: Tx, approval_id: str, why: str) -> None:
        await self._approvals.not_yet_applied(tx, approval_id, why)

    async def adopt(self, tx: Tx, turn_id: int, asked: Sequence[ApprovalAsked]) -> None:
        """Requests of a parked turn that nobody here knew of: kept and shown like the others. Twice is once."""
        turn = await turns.get(tx.db, turn_id)
        conversation = await lanes.lock(tx, turn.conversation_id)
        if conversation.parked_turn_id == turn.id:
            await self._ask(tx, conversation, turn, asked)

    async def _ask(self, tx: Tx, conversation: ConversationRow, turn: TurnRow, asked: Sequence[ApprovalAsked]) -> bool:
        event = await self._event_of(tx, turn)
        who: dict[str, Any] = {"requester": event.sender, "message": event.text, "turn_id": turn.id}
        return await self._approvals.open(tx, asked, conversation, session_id=turn.session_id, **who)

    async def _open(self, tx: Tx, conversation: ConversationRow, turn: TurnRow, asked: Asked, replaces: str) -> None:
        if not await self._ask(
            tx, conversation, turn, asked.requests
        ):  # nobody can be asked: the agent hears so at once, and answers
            return
        if replaces:
            await turns.shown(tx, turn.id, None)  # what follows the decision is a message of its own
        key = f"asked:{turn.id}:{asked.requests[0].message_id}"
        await self._say(tx, conversation, self._words.asked, key=key, replaces=replaces, route=turn.route)

    async def _event_of(self, tx: Tx, turn: TurnRow) -> MessageReceived:
        row = await arrivals.event(tx.db, turn.inbox_id)
        event = lane_events.validate_json(row.payload)
        assert isinstance(event, MessageReceived)
        return event

    async def give_up(self, lane: Lane, row: InboxRow, why: str, *, approval_id: str | None = None) -> None:
        """End the event's turn without a reply: the customer is told, the lane goes on, operations hear of it.

        Its requests are withdrawn with it, and its session is left: nobody knows what that still waits for.
        """
        await self._store.write(lambda tx: self._give_up(tx, lane, row, why, approval_id))
        log.error("the event was set aside: %s", why)

    async def _give_up(self, tx: Tx, lane: Lane, row: InboxRow, why: str, approval_id: str | None) -> None:
        conversation = await lanes.lock(tx, lane.conversation_id)
        turn = await self._turn_of(tx, row, approval_id)
        replaces = (turn and turn.live_handle) or ""
        values: dict[str, Any] = {} if turn is None else {"session_id": None}
        if turn is not None and conversation.parked_turn_id == turn.id:
            values["parked_turn_id"] = None
        await lanes.hold(tx, lane, **values)
        await arrivals.finish(tx, row.id, self._clock(), status="dead", error=why)
        if turn is not None and turn.state != "done":
            await turns.end(tx, turn.id, state="failed", error=why, ended_at=self._clock(), live_handle=None)
            await self._approvals.abandon(tx, turn.id, why)
        said: dict[str, Any] = {"replaces": replaces, "route": turn and turn.route}
        await self._say(tx, conversation, self._words.failed, key=f"dead:{row.id}", **said)
        await self._outbox.alert(tx, "dead-letter", f"event {row.id} was set aside: {why}")

    async def _turn_of(self, tx: Tx, row: InboxRow, approval_id: str | None) -> TurnRow | None:
        if approval_id is None:
            return await turns.for_event(tx.db, row.id)
        approval = await requests.get(tx.db, approval_id)
        return None if approval is None else await turns.get(tx.db, approval.turn_id)

    async def interrupted(self, lane: Lane, row: InboxRow, *, by: str) -> None:
        """End the turn that runs, or goes on after a decision, without a word: whoever stopped it has the word."""
        await self._store.write(lambda tx: self._interrupted(tx, lane, row, by))

    async def _interrupted(self, tx: Tx, lane: Lane, row: InboxRow, by: str) -> None:
        now = self._clock()
        await lanes.hold(tx, lane)
        await arrivals.finish(tx, row.id, now)
        turn = await turns.running(tx.db, lane.conversation_id)
        if turn is None:
            return
        await lanes.hold(tx, lane, parked_turn_id=None)
        # Nobody knows whether it was posted. Counted as posted, a later turn with the same words never takes its reply.
        stopped: dict[str, Any] = {"posted": True, "error": f"stopped by {by}", "ended_at": now}
        await turns.end(tx, turn.id, state="interrupted", **stopped)
        await self._approvals.abandon(tx, turn.id, "its turn was stopped")
        await arrivals.finish(tx, turn.inbox_id, now, status="interrupted")
        await audit.note(tx, "interrupted", now, conversation_id=lane.conversation_id, who=by, turn=turn.id)

    async def capped(self, lane: Lane, row: InboxRow, reached: Capped) -> None:
        """A limit is reached: the event is kept and not answered, its sender is told once a day, operations too."""
        await self._store.write(lambda tx: self._capped(tx, lane, row, reached))

    async def _capped(self, tx: Tx, lane: Lane, row: InboxRow, reached: Capped) -> None:
        why = str(reached)
        await lanes.hold(tx, lane)
        await arrivals.finish(tx, row.id, self._clock(), status="capped", error=why)
        conversation = await lanes.conversation(tx.db, lane.conversation_id)
        day = self._clock().date().isoformat()
        if not reached.quiet:
            await self._say(tx, conversation, self._words.capped, key=f"capped:{conversation.id}:{day}")
        await self._outbox.alert(tx, "cap", f"{why}; what is over it is kept and not answered", once_a="day")

    async def nothing_to_do(self, lane: Lane, row: InboxRow) -> None:
        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            await arrivals.finish(tx, row.id, self._clock())

        await self._store.write(deed)

    async def _say(
        self,
        tx: Tx,
        conversation: ConversationRow,
        text: str,
        *,
        key: str,
        about_at: datetime | None = None,
        replaces: str = "",
        note: str = "",
        route: str | None = None,
    ) -> None:
        """Nothing while a person has the conversation: then it is theirs to speak. Operations are told all the same."""
        if conversation.mode == "human":
            return
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        where: dict[str, Any] = {"conversation_id": conversation.id, "about_at": about_at, "route": route}
        await self._outbox.add(tx, Say(to=to, text=text, note=note, replaces=replaces), key=key, **where)
