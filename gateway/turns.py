"""One turn over a session: begun before the post, ended in the transaction that queues its replies or parks it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway import audit, caps, exchange, joining, overheard, tool_schemas, transcript
from gateway.attachments import Attachments, Fetching
from gateway.deeds import Deeds
from gateway.endings import Endings
from gateway.errors import Capped, GiveUp, SessionGone
from gateway.events import (
    Answer,
    Confirm,
    Deny,
    Identity,
    MessageReceived,
)
from gateway.exchange import Outcome
from gateway.first_word import FirstWord
from gateway.history import Post
from gateway.listening import Asked, Patience
from gateway.live import Live
from gateway.policy import Policy
from gateway.ports import AgentLine, AgentPlatform, Clock
from gateway.redial import REDIAL, Redial, over_lines
from gateway.speaker import not_delivered, post_text, undelivered_in
from gateway.store import Store, Tx, lanes, requests, sendings, turns
from gateway.store.lanes import Lane
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, TurnRow

log = logging.getLogger(__name__)

MOST_UNDELIVERED = 5  # replies of which the agent is told at once, the newest
CRASHES = 5  # of the process while it worked on one turn; then the event is set aside


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a post, when its first word came, the message that shows its beginning, if one does, and a note."""

    outcome: Outcome
    at: datetime | None
    handle: str
    note: str


class Turns:
    def __init__(
        self,
        store: Store,
        platform: AgentPlatform,
        endings: Endings,
        policy: Policy,
        clock: Clock,
        live: Live,
        fetching: Fetching,
        *,
        stopping: asyncio.Event,
        slots: int = 50,
        redial: Redial = REDIAL,
        patience: Patience = exchange.PATIENCE,
    ) -> None:
        """`slots`: how many messages, and how many decisions, are with the agent at once; none once `stopping`."""
        self._store = store
        self._platform = platform
        self._endings = endings
        self._policy = policy
        self._clock = clock
        self._live = live
        self._fetching = fetching
        self._stopping = stopping
        self._redial = redial
        self._patience = patience
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
        # After a long wait nobody knows what a restored backup has forgotten: then the session's history tells.
        first_try = turn is None and self._clock() - row.received_at < self._policy.operations.late_after
        if turn is None:
            event = await self._together(lane, row, event)
        files = self._fetching.of(row, event)
        try:
            turn = await self._begin(lane, row, event, files) if turn is None else await self._again(lane, row, turn)
        except Capped as reached:
            await self._endings.capped(lane, row, reached)
            return
        try:
            heard = await self._post(lane, turn, event.sender, files, first_try)
        except SessionGone as gone:
            turn = await self._in_new_session(lane, row, turn, event, files, str(gone))
            heard = await self._post(lane, turn, event.sender, files, first_try=True)
        outcome = await self._with_schemas(lane, heard.outcome)
        await self._endings.keep(lane, row, turn, outcome, heard_at=heard.at, replaces=heard.handle, note=heard.note)

    async def _together(self, lane: Lane, row: InboxRow, event: MessageReceived) -> MessageReceived:
        """With what its sender wrote after it, where it was held and the route wants that."""
        route = self._policy.route_for(event)
        if not row.held or route is None or route.held != "batch":
            return event
        return await self._store.write(lambda tx: joining.join(tx, lane, row, event, self._clock()))

    async def _begin(self, lane: Lane, row: InboxRow, event: MessageReceived, files: Attachments) -> TurnRow:
        conversation = await self._store.read(lambda db: lanes.conversation(db, lane.conversation_id))
        route = self._policy.route_for(event)
        sender = audit.pseudonym(event.sender)
        if route is not None:
            await self._store.read(lambda db: caps.check(db, route, sender, lane.conversation_id, self._clock()))
        agent, session_id = self._session_for(conversation, event, self._clock())
        # Idle for long, or with another agent, it begins anew; one that was given up is only continued elsewhere.
        given_up = conversation.session_id is None and row.seq > 1
        record = await self._transcript(lane, row) if given_up else ""
        attached = await files.lines()
        if session_id is None:
            session_id = await self._platform.open_session(agent)
            log.info("a new session of agent %s", agent)

        async def deed(tx: Tx) -> TurnRow:
            await lanes.hold(tx, lane, session_id=session_id, agent=agent)
            begun: dict[str, Any] = {
                "conversation_id": lane.conversation_id,
                "inbox_id": row.id,
                "session_id": session_id,
                "route": route.name if route else "",
                "sender": sender,
            }
            text = post_text(event, record, attached, await self._undelivered(tx, lane.conversation_id))
            return await turns.begin(tx, **begun, text=text, now=self._clock())

        return await self._store.write(deed)

    async def _undelivered(self, tx: Tx, conversation_id: int) -> list[str]:
        """Told once: with the message whose turn begins in this transaction."""
        failed = await sendings.untold(tx.db, conversation_id, limit=MOST_UNDELIVERED)
        if failed:
            await sendings.tell(tx, conversation_id)
        return [not_delivered(row.created_at, row.error or "", part="#" in row.dedupe_key) for row in failed]

    async def _again(self, lane: Lane, row: InboxRow, turn: TurnRow) -> TurnRow:
        """One more try: the last one failed, and says so in the row, or its process ended."""
        if turn.tries - row.attempts >= CRASHES:
            raise GiveUp(f"the process ended {CRASHES} times while it worked on this")

        async def deed(tx: Tx) -> None:
            await lanes.hold(tx, lane)
            await turns.try_again(tx, turn.id)

        await self._store.write(deed)
        return turn

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

    async def _in_new_session(
        self, lane: Lane, row: InboxRow, turn: TurnRow, event: MessageReceived, files: Attachments, why: str
    ) -> TurnRow:
        log.warning("its session is gone or stuck; a new one is opened")
        conversation = await self._store.read(lambda db: lanes.conversation(db, lane.conversation_id))
        told = undelivered_in(turn.posted_text)
        text = post_text(event, await self._transcript(lane, row), await files.lines(), told)
        session_id = await self._platform.open_session(conversation.agent)

        async def deed(tx: Tx) -> TurnRow:
            await lanes.hold(tx, lane, session_id=session_id)
            await self._endings.left(tx, turn.session_id, why)
            await turns.move(tx, turn.id, session_id=session_id, text=text)
            return await turns.get(tx.db, turn.id)

        return await self._store.write(deed)

    async def _transcript(self, lane: Lane, row: InboxRow) -> str:
        return await self._store.read(lambda db: transcript.before(db, lane.conversation_id, row.id))

    async def _post(self, lane: Lane, turn: TurnRow, sender: Identity, files: Attachments, first_try: bool) -> Heard:
        what, first_word, deeds = await self._what(turn, first_try), FirstWord(self._clock), Deeds()
        what = replace(what, files=lambda: files.promised(turn.posted_text))

        async with self._live.showing(lane, turn, sender) as showing:

            async def posted(line: AgentLine, again: bool) -> Outcome:
                line = overheard.by(line, first_word.hear, deeds.hear)
                now = replace(what, first_try=what.first_try and not again)
                return await exchange.post(line, now, lambda: self._look(lane), self._patience, hear=showing.hear)

            outcome = await self._over_lines(turn, posted)
        return Heard(outcome, first_word.at, showing.handle, self._note(turn, deeds))

    def _note(self, turn: TurnRow, deeds: Deeds) -> str:
        """What the turn's route lets people see of what the agent used."""
        shows = any(route.show_work for route in self._policy.routes if route.name == turn.route)
        return deeds.line() if shows else ""

    async def _over_lines(self, turn: TurnRow, talk: Callable[[AgentLine, bool], Awaitable[Outcome]]) -> Outcome:
        return await over_lines(lambda: self._platform.attach(turn.session_id), talk, self._redial, self._stopping)

    async def _what(self, turn: TurnRow, first_try: bool) -> Post:
        before = await self._store.read(lambda db: turns.before(db, turn))
        return post_of(turn, before, first_try=first_try)

    async def _with_schemas(self, lane: Lane, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Asked):
            return outcome
        conversation = await self._store.read(lambda db: lanes.conversation(db, lane.conversation_id))
        return Asked(await tool_schemas.told(self._platform, conversation.agent, outcome.requests))

    async def _look(self, lane: Lane) -> None:
        await self._store.read(lambda db: lanes.look(db, lane))

    # --- decisions -----------------------------------------------------------------------------------------

    async def resume(self, lane: Lane, row: InboxRow, approval_id: str) -> None:
        """Take a settled request to the session, once all of its turn are settled. Twice is safe."""
        approval = await self._store.read(lambda db: requests.get(db, approval_id))
        assert approval is not None
        turn = await self._store.read(lambda db: turns.get(db, approval.turn_id))
        open_ones = await self._store.read(lambda db: requests.of_turn(db, turn.id))
        waiting = [one for one in open_ones if not one.applied]
        if turn.state != "parked" or approval.applied or any(one.state == "pending" for one in waiting):
            await self._endings.nothing_to_do(lane, row)
            return
        turn = await self._again(lane, row, turn)
        what = await self._what(turn, first_try=False)
        answered = [one for one in waiting if one.state != "cancelled"]  # of those the platform knows nothing
        said, deeds = [(one.request_message_id, self._answer_for(one)) for one in answered], Deeds()

        async def told(line: AgentLine, _: bool) -> Outcome:
            line = overheard.by(line, deeds.hear)
            return await exchange.answer(line, said, what, lambda: self._look(lane), self._patience)

        async with self._decisions, self._live.showing(lane, turn):
            outcome = await self._with_schemas(lane, await self._over_lines(turn, told))
        how: dict[str, Any] = {"replaces": turn.live_handle or "", "note": self._note(turn, deeds)}
        await self._endings.keep(lane, row, turn, outcome, answered, **how)

    def _answer_for(self, row: ApprovalRow) -> Answer:
        if row.state == "approved":
            # The saved arguments, whole: what was shown is what runs.
            return Confirm(arguments=_arguments(row))
        if row.state == "denied":
            # What a person writes must not read as "nobody decided".
            forged = row.reason.lstrip().upper().startswith("UNANSWERED")
            return Deny(reason=f"Denied: {row.reason}" if forged else row.reason or "Denied without a reason.")
        return Deny(reason=f"UNANSWERED: {row.reason}")


def post_of(turn: TurnRow, before: turns.Before, *, first_try: bool) -> Post:
    return Post(
        text=turn.posted_text,
        key=_key(turn),
        first_try=first_try,
        alike=before.alike,
        known=before.known,
        abandoned=before.abandoned,
        doubtful=before.doubtful,
    )


def _key(turn: TurnRow) -> str:
    """The post's own key. With its time: after a restored backup the same number names another turn."""
    return f"turn-{turn.id}-{turn.started_at:%Y%m%d%H%M%S}"


def _arguments(row: ApprovalRow) -> dict[str, Any]:
    return json.loads(row.arguments) if row.arguments is not None else {}
