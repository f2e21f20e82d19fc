"""What time does to a request: reminders, escalation, the end; and what happens when nobody can be reached."""

import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from gateway import audit, grace
from gateway.approvals.opening import Opening
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.successors import Successors
from gateway.approvals.views import about, terms_of
from gateway.events import Say, ThreadRef
from gateway.outbox import Outbox
from gateway.policy.hours import read as quiet_hours
from gateway.policy.rules import LONGEST_WAIT
from gateway.ports import Clock
from gateway.store import Store, Tx, handoffs, lanes, pauses, requests, timers
from gateway.store.tables import ApprovalRow
from gateway.words import Words

log = logging.getLogger(__name__)


class Deadlines:
    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        opening: Opening,
        successors: Successors,
        settling: Settling,
        showing: Showing,
        clock: Clock,
        words: Words,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._opening = opening
        self._successors = successors
        self._settling = settling
        self._showing = showing
        self._clock = clock
        self._words = words

    async def ring(self, tx: Tx, kind: str, approval_id: str) -> bool:
        """A timer of a request is due. False: it is set anew, and not done. Nothing happens to a settled request."""
        # Before the request is read: the end of a pause changes both at once.
        paused = await pauses.approving(tx.db)
        row = await self._settling.locked(tx, approval_id)
        if row is None or row.state != "pending":
            return True
        if kind == "expiry" and (paused or row.expires_at > self._clock()):
            await timers.set_again(tx, kind, row.id, self._clock() + grace.LEAST if paused else row.expires_at)
            return False
        if kind == grace.EXTENDED:
            await self._showing.show(tx, row, stage=f"{kind}:{row.expires_at.isoformat()}")
            return True
        if kind == "escalate":
            await self.escalate(tx, row, "time")
            return True
        if kind.startswith("remind:"):
            return await self._remind(tx, row, kind)
        return await self._over(tx, row)

    async def _remind(self, tx: Tx, row: ApprovalRow, which: str) -> bool:
        now, quiet = self._clock(), quiet_hours(terms_of(row).quiet_hours)
        if quiet is not None and (over := quiet.over_at(now)) > now:
            await timers.set_again(tx, which, row.id, over)
            return False
        await requests.change(tx, row.id, seen=row.digest, reminded_at=now)
        row = await self._settling.fresh(tx, row.id)
        await audit.note(tx, "reminded", now, **about(row), which=which)
        await self._showing.remind(tx, row, which)
        await self._showing.show(tx, row, stage=which)
        return True

    async def escalate(self, tx: Tx, row: ApprovalRow, why: str) -> None:
        """More people may decide, and are shown it; those before them still may. Once."""
        if row.escalated_at is not None:
            return
        now, places = self._clock(), terms_of(row).escalate_to
        await requests.change(tx, row.id, seen=row.digest, escalated_at=now)
        row = await self._settling.fresh(tx, row.id)
        await audit.note(tx, "escalated", now, **about(row), why=why, to=len(places))
        await timers.finish(tx, "escalate", row.id, now)
        if places:
            await self._showing.ask(tx, row, places)
            await self._showing.show(tx, row, stage="escalated")

    # --- the end -------------------------------------------------------------------------------------------

    async def _over(self, tx: Tx, row: ApprovalRow) -> bool:
        """The deadline. False: it is held open."""
        terms = terms_of(row)
        if terms.on_unanswered == "hold" and row.held_at is None and not row.waits_unseen:
            return not await self._hold(tx, row)
        if terms.on_unanswered == "handoff":
            await self._hand_over(tx, row)
            return True
        why = self._words.unanswered if row.held_at is None else self._words.unanswered_long
        await self.expire(tx, row, why)
        return True

    async def _hold(self, tx: Tx, row: ApprovalRow) -> bool:
        """Keep it open for as long as the agent waits. False: that is over already."""
        now, until = self._clock(), row.created_at + LONGEST_WAIT
        if until <= now + timedelta(minutes=1):
            await self.expire(tx, row, self._words.unanswered_long)
            return False
        await requests.change(tx, row.id, seen=row.digest, held_at=now, expires_at=until)
        await timers.set_again(tx, "expiry", row.id, until)
        row = await self._settling.fresh(tx, row.id)
        await audit.note(tx, "held", now, **about(row))
        await self._showing.show(tx, row, stage="held")
        text = f"nobody decided {row.tool} in time (conversation {row.conversation_id}); it stays open"
        await self._outbox.alert(tx, f"unanswered:{row.id}", text)
        return True

    async def _hand_over(self, tx: Tx, row: ApprovalRow) -> None:
        """A person takes the conversation; the agent is told so, and what it still says goes to operations."""
        await self.expire(tx, row, self._words.taken_over)
        begun = await handoffs.begin(tx, row.conversation_id, self._clock())
        conversation = await lanes.conversation(tx.db, row.conversation_id)
        to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        say = Say(to=to, text=self._words.handed_over)
        if begun:  # else a person has it already, and speaks for themselves
            await self._outbox.add(tx, say, key=f"handoff:{row.id}", conversation_id=conversation.id)
        await audit.note(tx, "handed over", self._clock(), **about(row))
        text = (
            f"nobody decided {row.tool}, so conversation {conversation.id} waits for a person. What the customer "
            f"writes is kept; `gateway conversations release {conversation.id}` gives it back to the agent"
        )
        await self._outbox.alert(tx, f"handoff:{row.id}", text)

    async def expire(self, tx: Tx, row: ApprovalRow, why: str) -> None:
        """Nobody decided: say so to the agent and on every surface. Nothing happens to a settled request."""
        if await self._settling.settle(tx, row, state="expired", by="", via="time", reason=why) is not None:
            await audit.note(tx, "expired", self._clock(), **about(row))

    # --- nobody there --------------------------------------------------------------------------------------

    async def look_around(self) -> None:
        """For the sweep: who cannot be reached, or may decide no more, has others beside them; what waited is shown."""
        for approval_id in await self._store.read(requests.partly_unreachable):
            await self._one(approval_id, self._missed)
        for approval_id in await self._store.read(self._outbox.consents.asked_in_vain):
            await self._one(approval_id, self._unheard)
        for approval_id in await self._store.read(requests.unreachable):
            await self._one(approval_id, self._unreachable)
        for approval_id in await self._store.read(self._successors.wanted):
            await self._one(approval_id, self._successors.ask)
        for approval_id in await self._store.survey(self._opening.with_room):
            await self._one(approval_id, self._reveal)

    async def _one(self, approval_id: str, do: Callable[[Tx, ApprovalRow], Awaitable[None]]) -> None:
        async def deed(tx: Tx) -> None:
            row = await self._settling.locked(tx, approval_id)
            if row is not None and row.state == "pending":
                await do(tx, row)

        try:
            await self._store.write(deed)
        except Exception:
            # One request must not keep the sweep from all the others.
            log.exception("approval %s could not be looked after", approval_id)

    async def _missed(self, tx: Tx, row: ApprovalRow) -> None:
        await self.escalate(tx, row, "unreachable")

    async def _unheard(self, tx: Tx, row: ApprovalRow) -> None:
        """Somebody who was shown it wants no messages any more; what they have still decides."""
        await self.escalate(tx, row, "unreachable")
        if not terms_of(row).escalate_to:
            said = f"somebody who was asked about {row.tool} wants no messages any more, and `escalate_to` names nobody"
            await self._outbox.alert(tx, f"unheard:{row.tool}", f"{said}: see `gateway approvals show {row.id}`")

    async def _unreachable(self, tx: Tx, row: ApprovalRow) -> None:
        await self._outbox.alert(
            tx, f"unreachable:{row.tool}", f"a request for {row.tool} reached nobody and was ended"
        )
        await self.expire(tx, row, self._words.unreachable)

    async def _reveal(self, tx: Tx, row: ApprovalRow) -> None:
        if row.waits_unseen:  # another sweep may have been quicker
            await self._opening.reveal(tx, row)
