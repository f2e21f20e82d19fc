"""THE decision primitive, used by every surface: who may, still open, same arguments, once; and edits before it."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.approvals import edits
from gateway.approvals.deadlines import Deadlines
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.views import about, arguments_of, first_arguments, sendable, terms_of, under, view_of, whole
from gateway.digests import canonical, digest_of
from gateway.events import Identity, Verdict
from gateway.people import Membership
from gateway.policy import REQUESTER, Policy, Ruling, Terms, stricter
from gateway.ports import Channel, Clock, Decision, Result
from gateway.store import Tx, pauses, requests, votes
from gateway.store.columns import storable
from gateway.store.tables import ApprovalRow, VoteRow

log = logging.getLogger(__name__)

MAX_REASON = 2_000
SHORTEST_DIGEST = 8  # of one that names the arguments somebody saw; it is no secret


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


class Deciding:
    def __init__(
        self,
        settling: Settling,
        showing: Showing,
        deadlines: Deadlines,
        policy: Policy,
        clock: Clock,
        channels: Mapping[str, Channel],
    ) -> None:
        self._settling = settling
        self._showing = showing
        self._deadlines = deadlines
        self._policy = policy
        self._clock = clock
        self._channels = channels

    # --- each in the caller's transaction ------------------------------------------------------------------

    async def read(self, db: AsyncSession, approval_id: str, ballot: Ballot) -> Decision:
        """What somebody may see of it on a surface. Changes nothing."""
        decision, _ = await self._may(db, await requests.get(db, approval_id), ballot)
        if decision.approval is None:
            return decision
        seen = replace(sendable(decision.approval), input_schema=decision.approval.input_schema)
        return replace(decision, approval=seen)

    async def open_whole(self, tx: Tx, approval_id: str, ballot: Ballot) -> Decision:
        """All of it; that they had it before their eyes is kept."""
        row, now = await requests.get(tx.db, approval_id), self._clock()
        decision, voter = await self._may(tx.db, row, ballot)
        if row is not None and voter is not None and row.state == "pending" and row.arguments is not None:
            await votes.keep_opening(tx, row.id, voter.name, row.digest, now)
            facts: dict[str, Any] = {"via": ballot.via, "digest": row.digest}
            await audit.note(tx, "opened whole", now, **about(row), who=audit.pseudonym(ballot.who), **facts)
        return decision

    async def decide(self, tx: Tx, approval_id: str, ballot: Ballot, verdict: Verdict, *, reason: str) -> Decision:
        found = await self._open(tx, approval_id, ballot)
        if isinstance(found, Decision):
            return found
        row, voter = found
        terms, ruling = self._terms(row)
        refusal = await self._refusal(tx, row, voter, ballot, terms, ruling, verdict, reason)
        if refusal is not None:
            facts: dict[str, Any] = {"via": ballot.via, "why": refusal}
            await audit.note(tx, "refused", self._clock(), **about(row), who=audit.pseudonym(ballot.who), **facts)
            return Decision(result=refusal, approval=await whole(tx.db, row))
        return await self._vote(tx, row, voter, ballot, terms, verdict, reason)

    async def edit(self, tx: Tx, approval_id: str, ballot: Ballot, arguments: dict[str, Any]) -> Decision:
        found = await self._open(tx, approval_id, ballot)
        if isinstance(found, Decision):
            return found
        row, voter = found
        view, (terms, _) = await whole(tx.db, row), self._terms(row)
        if terms.edit == "forbid" or not view.can_edit or ballot.via not in terms.surfaces:
            return Decision(result="forbidden", approval=view)
        if not _names(ballot.digest, row.digest):
            return Decision(result="changed", approval=view)
        schema = view.input_schema or {}
        fixed = edits.fixed(arguments_of(row) or {}, schema)
        problems = edits.problems(edits.free(arguments, fixed), schema)
        arguments = {**arguments, **fixed}
        if problems := problems or edits.taken_out(await first_arguments(tx.db, row), arguments):
            return Decision(result="invalid", approval=view, problems=problems)
        before, after = row.arguments or "{}", storable(canonical(arguments))
        digest, now = digest_of(row.tool, arguments), self._clock()
        if digest == row.digest:
            return Decision(result="edited", approval=view)
        ruling = self._policy.ruling(row.tool, arguments)
        # Other arguments may meet another condition: what holds for them is shown, and never less than before.
        terms, before_them = stricter(terms_of(row), ruling.terms), terms_of(row).ask
        if ruling.says == "deny" or not terms.ask or not terms.approvers:
            return Decision(result="forbidden", approval=view)
        await requests.change(
            tx,
            row.id,
            seen=row.digest,
            arguments=after,
            digest=digest,
            terms=terms.model_dump_json(),
            view=under(row, terms),
        )
        kept: dict[str, Any] = {"digest_before": row.digest, "digest_after": digest, "via": ballot.via}
        await votes.keep_edit(tx, approval_id=row.id, person=voter.name, before=before, after=after, at=now, **kept)
        await audit.note(tx, "edited", now, **about(row), who=audit.pseudonym(ballot.who), **kept)
        row = await self._settling.fresh(tx, row.id)
        number = len(await votes.edits(tx.db, row.id))
        await self._showing.show(tx, row, stage=f"edited:{number}")
        await self._showing.recode(tx, row, stage=f"edited:{number}")
        if not row.waits_unseen:
            await self._showing.ask(tx, row, [one for one in terms.ask if one not in before_them])
        return Decision(result="edited", approval=await whole(tx.db, row))

    # --- may they? -----------------------------------------------------------------------------------------

    async def _open(self, tx: Tx, approval_id: str, ballot: Ballot) -> Decision | tuple[ApprovalRow, Voter]:
        """The request under its lock, still open and theirs to decide; else the answer."""
        row, now = await self._settling.locked(tx, approval_id), self._clock()
        decision, voter = await self._may(tx.db, row, ballot)
        if row is None or voter is None:
            where = {} if row is None else about(row)
            facts: dict[str, Any] = {"via": ballot.via, "why": decision.result}
            await audit.note(tx, "refused", now, **where, who=audit.pseudonym(ballot.who), **facts)
            return decision
        if row.state != "pending":
            return decision
        if row.expires_at <= now and (row.held_at is not None or terms_of(row).on_unanswered != "hold"):
            await self._deadlines.ring(tx, "expiry", row.id)
            row = await self._settling.fresh(tx, row.id)
            return Decision(result="already", approval=await whole(tx.db, row))
        return row, voter

    async def _may(self, db: AsyncSession, row: ApprovalRow | None, ballot: Ballot) -> tuple[Decision, Voter | None]:
        """What this person may do now, by today's policy."""
        if row is None:
            return Decision(result="unknown"), None
        voter = self._voter(row, ballot)
        if voter is None:
            return Decision(result="not_allowed" if ballot.membership.sure else "unsure"), None
        return Decision(result="decided" if row.state == "pending" else "already", approval=await whole(db, row)), voter

    def _voter(self, row: ApprovalRow, ballot: Ballot) -> Voter | None:
        terms, _ = self._terms(row)
        approvers = self._policy.may_decide(terms, escalated=row.escalated_at is not None)
        name = self._policy.named(approvers, ballot.who, ballot.membership.groups)
        if not self._same_person(view_of(row).requester, ballot.who):
            return None if name is None else Voter(name)
        if name is not None and terms.self_approval:
            return Voter(name)
        if REQUESTER in approvers:
            return Voter(self._policy.person(ballot.who) or REQUESTER, counts=terms.required == 1)
        return None

    def _same_person(self, requester: Identity, who: Identity) -> bool:
        known = self._policy.person(requester)
        same = (requester.channel, requester.address) == (who.channel, who.address)
        return same or (known is not None and known == self._policy.person(who))

    def approvers(self, row: ApprovalRow) -> tuple[str, ...]:
        """By today's policy."""
        return self._policy.may_decide(self._terms(row)[0], escalated=row.escalated_at is not None)

    def _terms(self, row: ApprovalRow) -> tuple[Terms, Ruling]:
        """The stricter of then and now."""
        ruling = self._policy.ruling(row.tool, arguments_of(row))
        return stricter(terms_of(row), ruling.terms), ruling

    async def _refusal(
        self,
        tx: Tx,
        row: ApprovalRow,
        voter: Voter,
        ballot: Ballot,
        terms: Terms,
        ruling: Ruling,
        verdict: Verdict,
        reason: str,
    ) -> Result | None:
        if ballot.digest and not _names(ballot.digest, row.digest):
            return "changed"
        if ballot.via not in terms.surfaces:
            return "elsewhere"
        if verdict is Verdict.DENY:
            return "reason_required" if terms.reason == "required" and not reason else None
        if await pauses.approving(tx.db):
            return "paused"
        if ruling.says == "deny":
            return "forbidden"
        if not terms.within_cap(ballot.via, arguments_of(row)):
            return "elsewhere"
        if terms.approve_unseen:
            return None
        if row.arguments is None:
            return "unseen"
        if self._saw_whole(row, ballot) or await votes.has_opened(tx.db, row.id, voter.name, row.digest):
            return None
        return "unseen"

    def _saw_whole(self, row: ApprovalRow, ballot: Ballot) -> bool:
        """Could the surface show all of it? Elsewhere, whoever names the digest has read what it covers."""
        channel = self._channels.get(ballot.via)
        return bool(ballot.digest) if channel is None else channel.shows_whole(sendable(view_of(row)))

    # --- the vote ------------------------------------------------------------------------------------------

    async def _vote(
        self, tx: Tx, row: ApprovalRow, voter: Voter, ballot: Ballot, terms: Terms, verdict: Verdict, reason: str
    ) -> Decision:
        now, who = self._clock(), ballot.who
        vote: dict[str, Any] = {"verdict": verdict.value, "reason": reason, "via": ballot.via, "digest": row.digest}
        identity = f"{who.channel}:{who.account}/{who.address}"  # read again by `_counts`
        new = await votes.add(
            tx, approval_id=row.id, person=voter.name, identity=identity, counts=voter.counts, at=now, **vote
        )
        if new or verdict is Verdict.DENY:
            facts = {**vote, "reason": _digest(reason), "proof": who.proof.value}
            await audit.note(tx, "voted", now, **about(row), who=audit.pseudonym(who), **facts)
        if verdict is Verdict.DENY:
            return await self._end(tx, row, "denied", [voter.name], ballot, reason)
        approvers, given = self.approvers(row), await votes.approving(tx.db, row.id, row.digest)
        approving = [one for one in given if self._counts(one, voter, approvers)]
        # One address is one person, also when it was named by a group at one time and by itself at another.
        names = list(dict.fromkeys({one.identity: one.person for one in approving}.values()))
        if len(names) >= terms.required:
            return await self._end(tx, row, "approved", names, ballot, reason)
        if new:
            await self._showing.show(tx, row, stage=f"vote:{len(names)}:{row.digest[:16]}")
        return Decision(result="voted", approval=await whole(tx.db, row))

    def _counts(self, vote: VoteRow, voter: Voter, approvers: tuple[str, ...]) -> bool:
        """Who voted earlier must be named by today's file; who is in a group was looked up when they voted."""
        channel, _, rest = vote.identity.partition(":")
        account, _, address = rest.partition("/")
        who = Identity(channel=channel, account=account, address=address)
        named = self._policy.named(approvers, who, groups=approvers) is not None
        return vote.counts and (named or vote.person == voter.name)

    async def _end(
        self, tx: Tx, row: ApprovalRow, state: str, names: list[str], ballot: Ballot, reason: str
    ) -> Decision:
        by = ", ".join(names)
        settled = await self._settling.settle(tx, row, state=state, by=by, via=ballot.via, reason=reason)
        assert settled is not None  # the conversation's lock was ours when we saw it pending
        facts: dict[str, Any] = {
            "state": state,
            "digest": row.digest,
            "via": ballot.via,
            "policy": self._policy.version,
        }
        facts |= {"proof": ballot.who.proof.value, "reason": _digest(reason), "votes": len(names)}
        await audit.note(tx, "decided", self._clock(), **about(row), who=audit.pseudonym(ballot.who), **facts)
        return Decision(result="decided", approval=await whole(tx.db, settled))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


def _names(written: str, digest: str) -> bool:
    """Is it the digest, or enough of its beginning?"""
    return len(written) >= SHORTEST_DIGEST and digest.startswith(written)
