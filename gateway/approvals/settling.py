"""A request leaves `pending`: timers end, its event goes to the lane, every surface changes. In one transaction."""

from collections.abc import Sequence
from typing import Any

from gateway import audit
from gateway.approvals.showing import Showing
from gateway.events import ApprovalExpired, DecisionGiven, lane_events
from gateway.ports import Clock, Engine
from gateway.store import Tx, arrivals, lanes, requests, timers
from gateway.store.tables import ApprovalRow


class Settling:
    def __init__(self, engine: Engine, showing: Showing, clock: Clock) -> None:
        self._engine = engine
        self._showing = showing
        self._clock = clock

    async def locked(self, tx: Tx, approval_id: str) -> ApprovalRow | None:
        """The request as it stands, under its conversation's lock: every writer takes that one first."""
        row = await requests.get(tx.db, approval_id)
        if row is not None:
            await lanes.lock(tx, row.conversation_id)
            await tx.db.refresh(row)
        return row

    async def fresh(self, tx: Tx, approval_id: str) -> ApprovalRow:
        row = await requests.get(tx.db, approval_id)
        assert row is not None
        await tx.db.refresh(row)
        return row

    async def settle(
        self, tx: Tx, row: ApprovalRow, *, state: str, by: str, via: str, reason: str, told: str = ""
    ) -> ApprovalRow | None:
        """Leave `pending`, and wake the lane. None: somebody else was first; then nothing was done.

        `told`: the address of the decider, who hears the outcome as the answer.
        """
        now = self._clock()
        if not await requests.settle(tx, row.id, state=state, at=now, by=by, via=via, reason=reason):
            return None
        row = await self.fresh(tx, row.id)
        await timers.finish_all(tx, row.id, now)
        event = await self._told_by(tx, row)
        payload, key = lane_events.dump_json(event).decode(), f"settled:{row.id}"
        kept: dict[str, Any] = {"kind": event.kind, "event_key": key, "payload": payload, "now": now, "control": True}
        await arrivals.append(tx, row.conversation_id, **kept)
        await self._showing.show(tx, row, stage="settled", told=told)
        await self._engine.wake(tx, row.conversation_id, control=True)
        return row

    async def _told_by(self, tx: Tx, row: ApprovalRow) -> ApprovalExpired | DecisionGiven:
        """A turn's answers go together: an expiry that takes an approval along is held by a pause as that is."""
        together = await requests.of_turn(tx.db, row.turn_id)
        approved = any(one.state == "approved" and not one.applied for one in together)
        if row.state == "expired" and not approved:
            return ApprovalExpired(approval_id=row.id)
        return DecisionGiven(approval_id=row.id)

    async def withdraw(self, tx: Tx, approval_id: str, why: str) -> None:
        """The platform waits for it no longer. Its event lets the lane see what became of the turn."""
        row = await self.locked(tx, approval_id)
        if row is None or await self.settle(tx, row, state="cancelled", by="", via="gateway", reason=why) is None:
            return
        facts: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        await audit.note(tx, "withdrawn", self._clock(), **facts)

    # --- what the agent made of it -------------------------------------------------------------------------

    async def applied(self, tx: Tx, rows: Sequence[ApprovalRow]) -> None:
        """The agent took these answers, and the turn went on."""
        await requests.mark_applied(tx, [row.id for row in rows])
        for row in rows:
            await audit.note(tx, "applied", self._clock(), conversation_id=row.conversation_id, approval_id=row.id)
            await self._showing.show(tx, await self.fresh(tx, row.id), stage="applied")

    async def not_yet_applied(self, tx: Tx, approval_id: str, why: str) -> None:
        """The decision stays, and the agent has not taken it yet: said once on every surface."""
        row = await requests.get(tx.db, approval_id)
        if row is not None and row.state != "pending" and not row.applied:
            await self._showing.show(tx, row, stage="waiting", waiting=why)

    async def abandon(self, tx: Tx, turn_id: int, why: str) -> None:
        """The turn ended without them: what is open is withdrawn, what was decided is shown as not confirmed."""
        for row in await requests.of_turn(tx.db, turn_id):
            if row.applied:
                continue
            now = self._clock()
            withdrawn = await requests.settle(tx, row.id, state="cancelled", at=now, by="", via="gateway", reason=why)
            await requests.mark_trouble(tx, row.id, why)
            await timers.finish_all(tx, row.id, now)
            await audit.note(tx, "abandoned", now, conversation_id=row.conversation_id, approval_id=row.id)
            stage = "settled" if withdrawn else "abandoned"
            await self._showing.show(tx, await self.fresh(tx, row.id), stage=stage)
