"""A request is written, with its deadlines and what shows it, before anybody sees it. At most so many at once."""

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.views import about, stored, terms_of
from gateway.digests import canonical, digest_of
from gateway.events import ApprovalAsked, ApprovalView, Identity
from gateway.outbox import Outbox
from gateway.policy import REQUESTER, Policy, Ruling, Terms
from gateway.ports import Clock
from gateway.store import Tx, marks, requests, timers, votes
from gateway.store.columns import storable
from gateway.store.tables import ApprovalRow, ConversationRow
from gateway.words import Words

MOST_OF_CONVERSATION = 3
MOST_OF_APPROVER = 25
BY_POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose words led to it, and in which turn."""

    requester: Identity
    message: str
    turn_id: int
    session_id: str


def new_id() -> str:
    """Opaque, of more than 128 random bits. A command line takes what begins with `-` for an option."""
    while (found := secrets.token_urlsafe(18)).startswith("-"):
        pass
    return found


class Opening:
    def __init__(
        self, outbox: Outbox, settling: Settling, showing: Showing, policy: Policy, clock: Clock, words: Words
    ) -> None:
        self._outbox = outbox
        self._settling = settling
        self._showing = showing
        self._policy = policy
        self._clock = clock
        self._words = words

    async def open(self, tx: Tx, asked: Sequence[ApprovalAsked], conversation: ConversationRow, asker: Asker) -> bool:
        """Write the requests of a turn. Twice is once. True when somebody else than the requester is asked.

        One that nobody may decide, or that is shown nowhere, ends at once: it does not wait for its deadline.
        """
        # Before any alert: two that take these rows in different orders would wait for each other.
        await self._in_turn(tx)
        if self._policy.text:
            await votes.keep_policy(tx, self._policy.version, self._policy.text, self._clock())
        told, unseen = False, []
        for one in asked:
            row, ruling = await self._write(tx, one, conversation, asker)
            if row is None:
                told = True  # it was there before
                continue
            if ruling.says == "ask" and ruling.terms.ask and self._policy_names_somebody(ruling.terms):
                told |= any(place != REQUESTER for place in ruling.terms.ask)
                if not await self._show(tx, row):
                    unseen.append(row)
            else:
                await self._without_asking(tx, row, ruling)
        if unseen:
            await self._say_more_wait(tx, unseen)
        return told

    def _policy_names_somebody(self, terms: Terms) -> bool:
        return bool(terms.approvers)

    async def reveal(self, tx: Tx, row: ApprovalRow) -> bool:
        """Show it, unless too many stand before somebody's eyes already: then it waits, and False."""
        await self._in_turn(tx)
        return await self._show(tx, row)

    async def _in_turn(self, tx: Tx) -> None:
        """Those who count what is shown do so one after the other: this row orders them."""
        await marks.put(tx, marks.SHOWN, self._clock())

    async def _show(self, tx: Tx, row: ApprovalRow) -> bool:
        now, terms = self._clock(), terms_of(row)
        if _too_many(await requests.open_and_shown(tx.db), row):
            await requests.change(tx, row.id, seen=row.digest, waits_unseen=True)
            return False
        await requests.change(tx, row.id, seen=row.digest, waits_unseen=False)
        await self._set_timers(tx, row, terms, now)
        await self._showing.ask(tx, await self._settling.fresh(tx, row.id), terms.ask)
        return True

    async def with_room(self, db: AsyncSession) -> list[str]:
        """Those of the waiting that could be shown now, oldest first: one that cannot keeps no other from it."""
        waiting = await requests.waiting(db)
        shown, found = await requests.open_and_shown(db) if waiting else [], []
        for row in waiting:
            if not _too_many(shown, row):
                shown.append(row)
                found.append(row.id)
        return found

    async def _say_more_wait(self, tx: Tx, unseen: Sequence[ApprovalRow]) -> None:
        """Once for a conversation that asks for too much; once for many that do together."""
        first = unseen[0]
        shown = await requests.open_and_shown(tx.db)
        of_one = sum(one.conversation_id == first.conversation_id for one in shown) >= MOST_OF_CONVERSATION
        behind = first.id if of_one else f"all:{(await requests.waiting(tx.db, limit=1))[0].id}"
        number = len(unseen) if of_one else None
        await self._showing.say_more_wait(tx, first, terms_of(first).ask, behind=behind, number=number)

    async def _set_timers(self, tx: Tx, row: ApprovalRow, terms: Terms, now: datetime) -> None:
        for number, after in enumerate(sorted(terms.remind_after), 1):
            await timers.set_timer(tx, f"remind:{number}", row.id, now + after)
        if terms.escalate_after is not None:
            await timers.set_timer(tx, "escalate", row.id, now + terms.escalate_after)

    async def _without_asking(self, tx: Tx, row: ApprovalRow, ruling: Ruling) -> None:
        """The policy itself decides, or it names nobody who could."""
        where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        if ruling.says == "ask":
            await self.nobody(tx, row, ruling.terms)
            return
        facts: dict[str, Any] = {"verdict": ruling.says, "condition": ruling.by, "digest": row.digest}
        await audit.note(tx, "decided", self._clock(), **where, who=BY_POLICY, via=BY_POLICY, **facts)
        state = "approved" if ruling.says == "approve" else "denied"
        reason = "" if ruling.says == "approve" else f"the policy forbids it: {ruling.by}"
        await self._settling.settle(tx, row, state=state, by=BY_POLICY, via=BY_POLICY, reason=reason)

    async def nobody(self, tx: Tx, row: ApprovalRow, terms: Terms) -> None:
        """End it: there is nobody who could decide, or nowhere to ask them."""
        missing = "approvers" if terms.ask else "ask"
        await self._outbox.alert(tx, f"nobody:{row.tool}", f"`{missing}` is empty for {row.tool}: nobody can approve")
        await audit.note(tx, "expired", self._clock(), **about(row), why="nobody")
        await self._settling.settle(tx, row, state="expired", by="", via="gateway", reason=self._words.unreachable)

    async def _write(
        self, tx: Tx, asked: ApprovalAsked, conversation: ConversationRow, asker: Asker
    ) -> tuple[ApprovalRow | None, Ruling]:
        """None: this request of this session is there already."""
        now, ruling = self._clock(), self._policy.ruling(asked.tool_name, asked.arguments)
        terms = ruling.terms
        view = ApprovalView(
            id=new_id(),
            tool=asked.tool_name,
            arguments=asked.arguments,
            digest=digest_of(asked.tool_name, asked.arguments),
            requester=asker.requester,
            asked_in=conversation.channel,
            agent=conversation.agent,
            message=asker.message,
            required=terms.required,
            approvers=terms.approvers,
            reason_required=terms.reason == "required",
            expires_at=now + terms.expires_after,
        )
        new = await requests.add(
            tx,
            id=view.id,
            conversation_id=conversation.id,
            turn_id=asker.turn_id,
            session_id=asker.session_id,
            request_message_id=asked.message_id,
            tool_call_id=asked.tool_call_id,
            tool=asked.tool_name,
            arguments=None if asked.arguments is None else storable(canonical(asked.arguments)),
            digest=view.digest,
            policy_version=self._policy.version,
            terms=storable(terms.model_dump_json()),
            input_schema=None if asked.input_schema is None else storable(canonical(asked.input_schema)),
            view=storable(stored(view)),
            waits_unseen=False,
            state="pending",
            reason="",
            applied=False,
            trouble="",
            created_at=now,
            expires_at=view.expires_at,
        )
        if not new:
            return None, ruling
        facts: dict[str, Any] = {"tool": view.tool, "digest": view.digest, "policy": self._policy.version}
        facts |= await audit.cause(tx, asker.turn_id)
        if not ruling.sure:
            facts["condition_not_evaluated"] = ruling.by
        where: dict[str, Any] = {"conversation_id": conversation.id, "approval_id": view.id}
        await audit.note(
            tx, "requested", now, **where, who=audit.pseudonym(asker.requester), turn=asker.turn_id, **facts
        )
        await timers.set_timer(tx, "expiry", view.id, view.expires_at)
        return await self._settling.fresh(tx, view.id), ruling


def _too_many(shown: Sequence[ApprovalRow], row: ApprovalRow) -> bool:
    """Do too many of its conversation, or of one of its approvers, stand before somebody's eyes already?"""
    others = [one for one in shown if one.id != row.id]
    if sum(one.conversation_id == row.conversation_id for one in others) >= MOST_OF_CONVERSATION:
        return True
    load = Counter(approver for one in others for approver in terms_of(one).approvers)
    return any(load[approver] >= MOST_OF_APPROVER for approver in terms_of(row).approvers)
