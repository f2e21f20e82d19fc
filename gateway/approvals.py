"""Approval requests: opened, decided once, expired. `decide` is the one primitive that every surface uses."""

import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from gateway import audit, context
from gateway.digests import canonical, digest_of
from gateway.events import (
    ApprovalAsked,
    ApprovalExpired,
    ApprovalState,
    ApprovalView,
    AskApproval,
    DecisionGiven,
    Identity,
    ShowOutcome,
    ThreadRef,
    Verdict,
    lane_events,
)
from gateway.outbox import Outbox
from gateway.policy import Policy, place
from gateway.ports import Clock, Decision, Engine
from gateway.store import Store, Tx, arrivals, lanes, pauses, requests, sendings, timers
from gateway.store.columns import storable
from gateway.store.tables import ApprovalRow, ConversationRow
from gateway.words import Words

log = logging.getLogger(__name__)

_views = TypeAdapter(ApprovalView)
STATES = {Verdict.APPROVE: ApprovalState.APPROVED, Verdict.DENY: ApprovalState.DENIED}


def view_of(row: ApprovalRow) -> ApprovalView:
    """The request as it stands now."""
    return replace(
        _views.validate_json(row.view),
        state=ApprovalState(row.state),
        decided_by=row.decided_by or "",
        decided_at=row.decided_at,
        reason=row.reason,
        applied=row.applied,
        trouble=row.trouble,
    )


class Approvals:
    def __init__(
        self, store: Store, engine: Engine, outbox: Outbox, policy: Policy, clock: Clock, words: Words
    ) -> None:
        self._store = store
        self._engine = engine
        self._outbox = outbox
        self._policy = policy
        self._clock = clock
        self._words = words

    # --- opened --------------------------------------------------------------------------------------------

    async def open(
        self, tx: Tx, asked: ApprovalAsked, conversation: ConversationRow, *, turn_id: int, session_id: str,
        requester: Identity, message: str,
    ) -> bool:  # fmt: skip
        """Write the request, its deadline and what shows it, in the caller's transaction. Twice is one request.

        A request that nobody may decide, or that is shown nowhere, ends at once: it does not wait for its deadline.
        True when somebody is asked.
        """
        now, rule = self._clock(), self._policy.rule_for(asked.tool_name)
        view = ApprovalView(
            id=secrets.token_urlsafe(18),
            tool=asked.tool_name,
            arguments=asked.arguments,
            digest=digest_of(asked.tool_name, asked.arguments),
            requester=requester,
            asked_in=conversation.channel,
            agent=conversation.agent,
            message=message,
            required=rule.required,
            approvers=rule.approvers,
            reason_required=rule.reason == "required",
            expires_at=now + rule.expires_after,
        )
        new = await requests.add(
            tx,
            id=view.id,
            conversation_id=conversation.id,
            turn_id=turn_id,
            session_id=session_id,
            request_message_id=asked.message_id,
            tool_call_id=asked.tool_call_id,
            tool=asked.tool_name,
            arguments=None if asked.arguments is None else storable(canonical(asked.arguments)),
            digest=view.digest,
            policy_version=self._policy.version,
            view=storable(_views.dump_json(view).decode()),
            state="pending",
            reason="",
            applied=False,
            trouble="",
            created_at=now,
            expires_at=view.expires_at,
        )
        if not new:
            return True
        where: dict[str, Any] = {"conversation_id": conversation.id, "approval_id": view.id}
        who = audit.pseudonym(requester)
        facts: dict[str, Any] = {"tool": view.tool, "digest": view.digest, "policy": self._policy.version}
        await audit.note(tx, "requested", now, **where, who=who, **facts)
        await timers.set_timer(tx, "expiry", view.id, view.expires_at)
        for written in rule.ask:
            ask = AskApproval(to=place(written), approval=view)
            await self._outbox.add(tx, ask, key=f"ask:{view.id}:{written}", **where)
        if not rule.ask or not rule.approvers:
            missing = "approvers" if rule.ask else "ask"
            await self._outbox.alert(
                tx, f"nobody:{view.tool}", f"`{missing}` is empty for {view.tool}: nobody can approve"
            )
            await self.expire(tx, view.id, self._words.unreachable)
        return bool(rule.ask and rule.approvers)

    # --- decided -------------------------------------------------------------------------------------------

    async def read(self, approval_id: str, who: Identity) -> Decision:
        row = await self._store.read(lambda db: requests.get(db, approval_id))
        return self._may(row, who)[0]

    async def decide(
        self, approval_id: str, who: Identity, verdict: Verdict, *, reason: str = "", digest: str = "", via: str
    ) -> Decision:
        """Decide once: who may, still pending, digest equal, vote, audit and control event in one transaction."""
        with context.about(approval=approval_id):
            decision = await self._store.write_patiently(
                lambda tx: self._decide(tx, approval_id, who, verdict, storable(reason.strip()), digest, via)
            )
            log.info("%s by %s via %s", decision.result, audit.pseudonym(who), via)
        return decision

    async def _decide(
        self, tx: Tx, approval_id: str, who: Identity, verdict: Verdict, reason: str, digest: str, via: str
    ) -> Decision:
        row, now = await self._locked(tx, approval_id), self._clock()
        decision, name = self._may(row, who)
        if row is None or name is None:
            await audit.note(
                tx, "refused", now, approval_id=approval_id if row else None, who=audit.pseudonym(who), via=via
            )
            return decision
        if decision.result != "decided":
            return decision
        if row.expires_at <= now:
            await self.expire(tx, row.id, self._words.unanswered)
            return Decision(result="already", approval=view_of(await self._fresh(tx, row.id)))
        if verdict is Verdict.APPROVE and await pauses.approving(tx.db):
            return Decision(result="paused", approval=view_of(row))
        if digest and not secrets.compare_digest(digest, row.digest):
            return Decision(result="changed", approval=view_of(row))
        if verdict is Verdict.DENY and not reason and view_of(row).reason_required:
            return Decision(result="reason_required", approval=view_of(row))
        await self._record(tx, row, who, name, verdict, reason, via)
        return Decision(result="decided", approval=view_of(await self._fresh(tx, row.id)))

    def _may(self, row: ApprovalRow | None, who: Identity) -> tuple[Decision, str | None]:
        """What this person may do now, by today's policy, and the name they vote under."""
        if row is None:
            return Decision(result="unknown"), None
        view, rule = view_of(row), self._policy.rule_for(row.tool)
        name = self._policy.approver(rule, who)
        if name is None or (not rule.self_approval and self._same_person(view.requester, who)):
            return Decision(result="not_allowed"), None
        return Decision(result="decided" if row.state == "pending" else "already", approval=view), name

    def _same_person(self, requester: Identity, who: Identity) -> bool:
        known = self._policy.person(requester)
        same = (requester.channel, requester.address) == (who.channel, who.address)
        return same or (known is not None and known == self._policy.person(who))

    async def _record(
        self, tx: Tx, row: ApprovalRow, who: Identity, name: str, verdict: Verdict, reason: str, via: str
    ) -> None:
        now, state = self._clock(), STATES[verdict]
        won = await requests.settle(tx, row.id, state=state.value, at=now, by=name, via=via, reason=reason)
        assert won  # the conversation's lock was ours when we saw it pending
        identity = f"{who.channel}:{who.account}/{who.address}"
        vote = {"identity": identity, "verdict": verdict.value, "reason": reason, "via": via, "digest": row.digest}
        await requests.add_vote(tx, approval_id=row.id, person=name, at=now, **vote)
        where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        facts: dict[str, Any] = {"verdict": verdict.value, "digest": row.digest, "via": via, "proof": who.proof.value}
        await audit.note(tx, "decided", now, **where, who=audit.pseudonym(who), **facts)
        await self._settled(tx, row.id, DecisionGiven(approval_id=row.id))

    # --- not decided ---------------------------------------------------------------------------------------

    async def expire(self, tx: Tx, approval_id: str, why: str) -> None:
        """Nobody decided: say so to the agent and on every surface. Nothing happens to a settled request."""
        now = self._clock()
        if await self._locked(tx, approval_id) is None:
            return
        if await requests.settle(tx, approval_id, state="expired", at=now, by="", via="time", reason=why):
            row = await self._fresh(tx, approval_id)
            await audit.note(tx, "expired", now, conversation_id=row.conversation_id, approval_id=approval_id)
            await self._settled(tx, approval_id, ApprovalExpired(approval_id=approval_id))

    async def expire_unreachable(self) -> None:
        """Requests that could be shown to nobody do not wait for their deadline."""
        for approval_id in await self._store.read(requests.unreachable):
            try:
                await self._store.write(lambda tx, one=approval_id: self.expire(tx, one, self._words.unreachable))  # type: ignore[misc]
            except Exception:
                # One request must not keep the sweep from all the others.
                log.exception("approval %s could not be ended", approval_id)

    async def abandon(self, tx: Tx, turn_id: int, why: str) -> None:
        """The turn ended without them: what is open is withdrawn, what was decided is shown as not confirmed."""
        for row in await requests.of_turn(tx.db, turn_id):
            if row.applied:
                continue
            now = self._clock()
            await requests.settle(tx, row.id, state="cancelled", at=now, by="", via="gateway", reason=why)
            await requests.mark_trouble(tx, row.id, why)
            await timers.finish(tx, "expiry", row.id, now)
            await audit.note(tx, "abandoned", now, conversation_id=row.conversation_id, approval_id=row.id)
            await self.show(tx, await self._fresh(tx, row.id), stage="abandoned")

    async def _settled(self, tx: Tx, approval_id: str, event: DecisionGiven | ApprovalExpired) -> None:
        row, now = await self._fresh(tx, approval_id), self._clock()
        await timers.finish(tx, "expiry", approval_id, now)
        payload = lane_events.dump_json(event).decode()
        key = f"settled:{approval_id}"
        await arrivals.append(
            tx, row.conversation_id, kind=event.kind, event_key=key, payload=payload, now=now, control=True
        )
        await self.show(tx, row, stage="settled")
        await self._engine.wake(tx, row.conversation_id, control=True)

    # --- shown ---------------------------------------------------------------------------------------------

    async def show(self, tx: Tx, row: ApprovalRow, *, stage: str, waiting: str = "") -> None:
        """Change every surface that shows the request, or take it back where it has not gone out yet."""
        where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        for shown in await sendings.shown(tx.db, row.id):
            if shown.status in ("failed", "dropped") or await sendings.drop_unsent(tx, shown.id):
                continue
            to = _destination(shown.payload)
            outcome = ShowOutcome(to=to, approval=replace(view_of(row), waiting=waiting))
            await self._outbox.add(tx, outcome, key=f"outcome:{shown.id}:{stage}", changes_id=shown.id, **where)

    async def applied(self, tx: Tx, rows: Sequence[ApprovalRow]) -> None:
        """The agent took these answers, and the turn went on."""
        await requests.mark_applied(tx, [row.id for row in rows])
        for row in rows:
            where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
            await audit.note(tx, "applied", self._clock(), **where)
            await self.show(tx, await self._fresh(tx, row.id), stage="applied")

    async def not_yet_applied(self, tx: Tx, approval_id: str, why: str) -> None:
        """The decision stays, and the agent has not taken it yet: said once on every surface."""
        row = await requests.get(tx.db, approval_id)
        if row is not None and row.state != "pending" and not row.applied:
            await self.show(tx, row, stage="waiting", waiting=why)

    async def _locked(self, tx: Tx, approval_id: str) -> ApprovalRow | None:
        """The request as it stands, under its conversation's lock: every writer takes that one first."""
        row = await requests.get(tx.db, approval_id)
        if row is not None:
            await lanes.lock(tx, row.conversation_id)
            await tx.db.refresh(row)
        return row

    async def _fresh(self, tx: Tx, approval_id: str) -> ApprovalRow:
        row = await requests.get(tx.db, approval_id)
        assert row is not None
        await tx.db.refresh(row)
        return row


def _destination(payload: str) -> ThreadRef:
    to = json.loads(payload)["to"]
    return ThreadRef(to["channel"], to["account"], to["key"])
