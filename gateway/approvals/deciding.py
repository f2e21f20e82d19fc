"""THE decision primitive, used by every surface: who may, still open, same arguments, once; and edits before it."""

import hashlib
import logging
from collections.abc import Mapping
from typing import Any

from gateway import audit
from gateway.approvals import edits
from gateway.approvals.deadlines import Deadlines
from gateway.approvals.seeing import Ballot, Seeing, Voter
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.texted import approvable
from gateway.approvals.views import (
    about,
    arguments_of,
    first_arguments,
    in_force,
    masked,
    terms_of,
    to_show,
    under,
    view_of,
)
from gateway.digests import canonical, digest_of
from gateway.events import Identity, ThreadRef, Verdict
from gateway.policy import Policy, Ruling, Terms, stricter
from gateway.ports import Channel, Clock, Decision, Result
from gateway.store import Tx, pauses, requests, votes
from gateway.store.columns import storable
from gateway.store.tables import ApprovalRow, VoteRow

log = logging.getLogger(__name__)

MAX_REASON = 2_000
SHORTEST_DIGEST = 8  # of one that names the arguments somebody saw; it is no secret


class Deciding:
    def __init__(
        self,
        seeing: Seeing,
        settling: Settling,
        showing: Showing,
        deadlines: Deadlines,
        policy: Policy,
        clock: Clock,
        channels: Mapping[str, Channel],
    ) -> None:
        self._seeing = seeing
        self._settling = settling
        self._showing = showing
        self._deadlines = deadlines
        self._policy = policy
        self._clock = clock
        self._channels = channels

    # --- each in the caller's transaction ------------------------------------------------------------------

    async def decide(self, tx: Tx, approval_id: str, ballot: Ballot, verdict: Verdict, *, reason: str) -> Decision:
        found = await self._open(tx, approval_id, ballot)
        if isinstance(found, Decision):
            return found
        row, voter = found
        terms, ruling = in_force(row, self._policy)
        refusal = await self._refusal(tx, row, voter, ballot, terms, ruling, verdict, reason)
        if refusal is not None:
            facts: dict[str, Any] = {"via": ballot.via, "why": refusal}
            await audit.note(tx, "refused", self._clock(), **about(row), who=audit.pseudonym(ballot.who), **facts)
            return Decision(result=refusal, approval=await to_show(tx.db, row, self._policy))
        return await self._vote(tx, row, voter, ballot, terms, verdict, reason)

    async def renew(self, tx: Tx, approval_id: str, ballot: Ballot, to: ThreadRef, *, key: str) -> Decision | None:
        """Their code ran out: they are sent another one at `to`. None: one that is good is out already.

        `decided` means here what it means in `read`; anything else is the answer, as to a decision.
        """
        found = await self._open(tx, approval_id, ballot)
        if isinstance(found, Decision):
            return found
        row, _ = found
        if not approvable(row, self._policy, ballot.via):
            return Decision(result="elsewhere", approval=await to_show(tx.db, row, self._policy))
        if not await self._showing.renew(tx, row, to, f"{ballot.via}:{ballot.who.address}", key=key):
            return None
        facts: dict[str, Any] = {"via": ballot.via}
        await audit.note(tx, "code renewed", self._clock(), **about(row), who=audit.pseudonym(ballot.who), **facts)
        return Decision(result="decided", approval=await to_show(tx.db, row, self._policy))

    async def edit(self, tx: Tx, approval_id: str, ballot: Ballot, arguments: dict[str, Any]) -> Decision:
        found = await self._open(tx, approval_id, ballot)
        if isinstance(found, Decision):
            return found
        row, voter = found
        view, (terms, _) = await to_show(tx.db, row, self._policy), in_force(row, self._policy)
        if terms.edit == "forbid" or not view.can_edit or ballot.via not in terms.surfaces:
            return Decision(result="forbidden", approval=view)
        if not _names(ballot.digest, row.digest):
            return Decision(result="changed", approval=view)
        schema = view_of(row, self._policy).input_schema or {}
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
        if await votes.has_opened(tx.db, row.id, voter.name, row.digest):  # and the rest is what they wrote themselves
            await votes.keep_opening(tx, row.id, voter.name, digest, now)
        await audit.note(tx, "edited", now, **about(row), who=audit.pseudonym(ballot.who), **kept)
        row = await self._settling.fresh(tx, row.id)
        number = len(await votes.edits(tx.db, row.id))
        await self._showing.show(tx, row, stage=f"edited:{number}")
        await self._showing.recode(tx, row, stage=f"edited:{number}")
        if not row.waits_unseen:
            await self._showing.ask(tx, row, [one for one in terms.ask if one not in before_them])
        return Decision(result="edited", approval=await to_show(tx.db, row, self._policy))

    # --- may they? -----------------------------------------------------------------------------------------

    async def _open(self, tx: Tx, approval_id: str, ballot: Ballot) -> Decision | tuple[ApprovalRow, Voter]:
        """The request under its lock, still open and theirs to decide; else the answer."""
        # Before the request is read: the end of a pause changes both at once.
        paused = await pauses.approving(tx.db)
        row, now = await self._settling.locked(tx, approval_id), self._clock()
        decision, voter = await self._seeing.may(tx.db, row, ballot)
        if row is None or voter is None:
            where = {} if row is None else about(row)
            facts: dict[str, Any] = {"via": ballot.via, "why": "unknown" if row is None else decision.result}
            await audit.note(tx, "refused", now, **where, who=audit.pseudonym(ballot.who), **facts)
            return decision
        if row.state != "pending":
            return decision
        if row.expires_at <= now and not paused and (row.held_at is not None or terms_of(row).on_unanswered != "hold"):
            await self._deadlines.ring(tx, "expiry", row.id)
            row = await self._settling.fresh(tx, row.id)
            return Decision(result="already", approval=await to_show(tx.db, row, self._policy))
        return row, voter

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
        """Could the surface show all of it? Elsewhere, whoever names all of the digest has read what it covers.

        Its beginning stands also on a card that cuts or hides something, and all of it beside what is hidden.
        """
        view = view_of(row, self._policy)
        if (channel := self._channels.get(ballot.via)) is not None:
            return channel.shows_whole(masked(view))
        return ballot.digest == row.digest and masked(view) == view

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
        approvers, given = self._seeing.approvers(row), await votes.approving(tx.db, row.id, row.digest)
        approving = [one for one in given if self._counts(one, voter, approvers)]
        # One address is one person, also when it was named by a group at one time and by itself at another.
        names = list(dict.fromkeys({one.identity: one.person for one in approving}.values()))
        if len(names) >= terms.required:
            return await self._end(tx, row, "approved", names, ballot, reason)
        if new:
            await self._showing.show(tx, row, stage=f"vote:{len(names)}:{row.digest[:16]}")
        return Decision(result="voted", approval=await to_show(tx.db, row, self._policy))

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
        told = f"{ballot.via}:{ballot.who.address}"
        settled = await self._settling.settle(tx, row, state=state, by=by, via=ballot.via, reason=reason, told=told)
        assert settled is not None  # the conversation's lock was ours when we saw it pending
        facts: dict[str, Any] = {
            "state": state,
            "digest": row.digest,
            "via": ballot.via,
            "policy": self._policy.version,
        }
        facts |= {"proof": ballot.who.proof.value, "reason": _digest(reason), "votes": len(names)}
        await audit.note(tx, "decided", self._clock(), **about(row), who=audit.pseudonym(ballot.who), **facts)
        return Decision(result="decided", approval=await to_show(tx.db, settled, self._policy))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


def _names(written: str, digest: str) -> bool:
    """Is it the digest, or enough of its beginning?"""
    return len(written) >= SHORTEST_DIGEST and digest.startswith(written)
