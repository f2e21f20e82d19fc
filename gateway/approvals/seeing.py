"""Who may decide a request, what of it they may see, and who had the whole before their eyes. Decides nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.approvals.views import about, in_force, to_show, view_of, whole
from gateway.events import ApprovalView, Identity
from gateway.people import Membership
from gateway.policy import GROUP, REQUESTER, Policy
from gateway.policy.words import holder
from gateway.ports import Clock, Decision
from gateway.store import Tx, requests, votes
from gateway.store.tables import ApprovalRow


@dataclass(frozen=True, slots=True)
class Voter:
    """`name`: the person, or bare identity, as which they vote. `counts`: False where their word is none of several."""

    name: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Ballot:
    """What somebody wants to do with a request, and from where."""

    who: Identity
    via: str
    digest: str = ""
    membership: Membership = field(default_factory=Membership)


class Seeing:
    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock

    async def read(self, db: AsyncSession, approval_id: str, ballot: Ballot) -> Decision:
        """What somebody may see of it on a surface. Changes nothing."""
        row = await requests.get(db, approval_id)
        decision, _ = await self.may(db, row, ballot)
        if row is None or decision.approval is None:
            return decision
        schema = view_of(row, self._policy).input_schema
        return replace(decision, approval=replace(decision.approval, input_schema=schema))

    async def whole(self, db: AsyncSession, approval_id: str, ballot: Ballot) -> Decision:
        """All of it; for whoever asked, also where they confirm it, without what colleagues noted. Changes nothing."""
        row = await requests.get(db, approval_id)
        decision, voter = await self.may(db, row, ballot)
        if row is None or voter is None:
            return decision
        view = await whole(db, row, self._policy)
        asked = self._same_person(view.requester, ballot.who)
        return replace(decision, approval=replace(view, notes=()) if asked else view)

    async def shown(self, db: AsyncSession, rows: Sequence[ApprovalRow]) -> list[ApprovalView]:
        """As they may go out to a surface. Whose they are, the caller knows."""
        return [await to_show(db, row, self._policy) for row in rows]

    async def opened(self, tx: Tx, approval_id: str, ballot: Ballot) -> None:
        """Keep that they had the whole of these very arguments before their eyes. Twice is once."""
        row, now = await requests.get(tx.db, approval_id), self._clock()
        _, voter = await self.may(tx.db, row, ballot)
        if row is None or voter is None or row.state != "pending" or row.arguments is None:
            return
        if ballot.digest == row.digest:
            await votes.keep_opening(tx, row.id, voter.name, row.digest, now)
            facts: dict[str, Any] = {"via": ballot.via, "digest": row.digest}
            await audit.note(tx, "opened whole", now, **about(row), who=audit.pseudonym(ballot.who), **facts)

    # --- may they? -----------------------------------------------------------------------------------------

    async def may(self, db: AsyncSession, row: ApprovalRow | None, ballot: Ballot) -> tuple[Decision, Voter | None]:
        """What this person may do now, by today's policy. Of what is not theirs not even whether it exists."""
        voter = None if row is None else self.voter(row, ballot)
        if row is None or voter is None:
            return Decision(result="not_allowed" if ballot.membership.sure else "unsure"), None
        result: Any = "decided" if row.state == "pending" else "already"
        return Decision(result=result, approval=await to_show(db, row, self._policy)), voter

    def voter(self, row: ApprovalRow, ballot: Ballot) -> Voter | None:
        """As whom they would vote; None: it is not theirs to decide."""
        terms, _ = in_force(row, self._policy)
        approvers = self.approvers(row)
        name = self._policy.named(approvers, ballot.who, ballot.membership.groups)
        requester = view_of(row, self._policy).requester
        if not self._same_person(requester, ballot.who):
            return None if name is None else Voter(name)
        if name is not None and terms.self_approval:
            return Voter(name)
        # The same id in another account, or number on another service, may be somebody else: a reason to refuse them,
        # never to let them. Whose code it is, is known without an account.
        elsewhere = requester.account and ballot.who.account and requester.account != ballot.who.account
        if not self._is_known_as(requester, ballot.who) and requester.address != ballot.who.address:
            elsewhere = True
        if REQUESTER in approvers and not elsewhere:
            return Voter(self._policy.person(ballot.who) or REQUESTER, counts=terms.required == 1)
        return None

    def _is_known_as(self, requester: Identity, who: Identity) -> bool:
        """Does the directory say that they are one person?"""
        known = self._policy.person(requester)
        return known is not None and known == self._policy.person(who)

    def _same_person(self, requester: Identity, who: Identity) -> bool:
        known, theirs = self._holder(requester), self._holder(who)
        if known is not None and theirs is not None:
            return known == theirs
        return (requester.channel, holder(requester.address)) == (who.channel, holder(who.address))

    def _holder(self, who: Identity) -> str | None:
        """Who has their number, on whichever service: enough to refuse them, not to let them."""
        number = holder(who.address)
        forms = (who, replace(who, address=number), replace(who, address=f"whatsapp:{number}"))
        return next((name for one in forms if (name := self._policy.person(one)) is not None), None)

    def approvers(self, row: ApprovalRow) -> tuple[str, ...]:
        """By today's policy."""
        return self._policy.may_decide(in_force(row, self._policy)[0], escalated=row.escalated_at is not None)

    def groups(self, rows: Sequence[ApprovalRow]) -> frozenset[str]:
        """Those that decide over any of these; of a request that does not exist, those that may decide anything.

        So who asks for it waits, and is answered, as for a request of others.
        """
        if rows:
            return frozenset(one for row in rows for one in self.approvers(row) if one.startswith(GROUP))
        rules = [rule for rule in (self._policy.approvals.default, *self._policy.approvals.tools.values()) if rule]
        named = (one for rule in rules for terms in rule.all_terms() for one in terms.approvers)
        return frozenset(one for one in named if one.startswith(GROUP))
