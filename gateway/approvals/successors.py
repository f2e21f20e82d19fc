"""Open requests whose approvers the policy names no more: asked of who may decide now, or ended. Decides nothing."""

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.approvals.opening import Opening
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.views import about, in_force, terms_of, under
from gateway.policy import GROUP, Policy
from gateway.ports import Clock
from gateway.store import Tx, requests
from gateway.store.tables import ApprovalRow


class Successors:
    def __init__(self, opening: Opening, settling: Settling, showing: Showing, policy: Policy, clock: Clock) -> None:
        self._opening = opening
        self._settling = settling
        self._showing = showing
        self._policy = policy
        self._clock = clock
        self._looked_at: set[str] = set()  # the policy of a process is one, so once is enough

    async def wanted(self, db: AsyncSession) -> list[str]:
        """Requests of another policy that too few of those who were asked may still decide."""
        open_ones = set(await requests.shown_under_another(db, self._policy.version))
        self._looked_at &= open_ones
        new = [row for one in open_ones - self._looked_at if (row := await requests.get(db, one)) is not None]
        gone = [row.id for row in new if self._too_few_left(row)]
        self._looked_at |= {row.id for row in new} - set(gone)
        return gone

    def _too_few_left(self, row: ApprovalRow) -> bool:
        terms, escalated = in_force(row, self._policy)[0], row.escalated_at is not None
        today = self._policy.may_decide(terms, escalated=escalated)
        left = [one for one in self._policy.may_decide(terms_of(row), escalated=escalated) if one in today]
        return len(left) < terms.required and not any(one.startswith(GROUP) for one in left)

    async def ask(self, tx: Tx, row: ApprovalRow) -> None:
        """Show it to who may decide now; where that is nobody, it ends and operations hear of it. Twice is once."""
        terms, now = in_force(row, self._policy)[0], self._clock()
        self._looked_at.add(row.id)
        if not terms.ask or not terms.approvers:
            await self._opening.nobody(tx, row, terms)
            return
        words, view = terms.model_dump_json(), under(row, terms)
        await requests.change(tx, row.id, seen=row.digest, terms=words, view=view)
        row = await self._settling.fresh(tx, row.id)
        places = [*terms.ask, *(terms.escalate_to if row.escalated_at else ())]
        await audit.note(tx, "asked anew", now, **about(row), policy=self._policy.version, to=len(places))
        await self._showing.ask(tx, row, places)
        await self._showing.show(tx, row, stage=f"policy:{self._policy.version}")
