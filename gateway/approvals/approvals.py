"""Approvals as the rest of the gateway and every surface know them. The parts are in the files beside this one."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit, context
from gateway.approvals.deadlines import Deadlines
from gateway.approvals.deciding import MAX_REASON, Deciding
from gateway.approvals.opening import Asker, Opening
from gateway.approvals.seeing import Ballot, Seeing
from gateway.approvals.settling import Settling
from gateway.approvals.showing import Showing
from gateway.approvals.successors import Successors
from gateway.approvals.texted import Texted
from gateway.events import ApprovalAsked, ApprovalView, Identity, ThreadRef, Verdict
from gateway.outbox import Outbox
from gateway.people import Membership, People
from gateway.policy import Policy
from gateway.ports import Channel, Clock, Decision, Engine
from gateway.store import Store, Tx, docket, requests
from gateway.store.columns import storable
from gateway.store.tables import ApprovalRow, ConversationRow
from gateway.words import Words

log = logging.getLogger(__name__)

MOST_WAITING = 100  # in one person's inbox
A_PAGE = 200  # rows read at a time


class Approvals:
    def __init__(
        self,
        store: Store,
        engine: Engine,
        outbox: Outbox,
        policy: Policy,
        clock: Clock,
        words: Words,
        *,
        people: People | None = None,
        channels: Mapping[str, Channel],
        key: str = "",
    ) -> None:
        """`key` makes the codes by which people decide where there are no buttons."""
        self._store = store
        self._people = people or People(policy, {}, clock)
        by_code = [name for name, channel in channels.items() if channel.by_code]
        self._seeing = Seeing(policy, clock)
        self._texted = texted = Texted(self._seeing, policy, clock, key=key)
        self._showing = showing = Showing(outbox, policy, texted, by_code=by_code)
        self._settling = Settling(engine, showing, clock)
        self._opening = Opening(outbox, self._settling, showing, policy, clock, words)
        successors = Successors(self._opening, self._settling, showing, policy, clock)
        self._deadlines = Deadlines(store, outbox, self._opening, successors, self._settling, showing, clock, words)
        self._deciding = Deciding(self._seeing, self._settling, showing, self._deadlines, policy, clock, channels)

    # --- the agent's side ----------------------------------------------------------------------------------

    async def open(
        self, tx: Tx, asked: Sequence[ApprovalAsked], conversation: ConversationRow, *, turn_id: int, session_id: str,
        requester: Identity, message: str,
    ) -> bool:  # fmt: skip
        """Write a turn's requests, their deadlines and what shows them. Twice is once. True when somebody is asked."""
        asker = Asker(requester=requester, message=message, turn_id=turn_id, session_id=session_id)
        return await self._opening.open(tx, asked, conversation, asker)

    async def applied(self, tx: Tx, rows: Sequence[ApprovalRow]) -> None:
        """The agent took these answers, and the turn went on."""
        await self._settling.applied(tx, rows)

    async def not_yet_applied(self, tx: Tx, approval_id: str, why: str) -> None:
        """The decision stays, and the agent has not taken it yet: said once on every surface."""
        await self._settling.not_yet_applied(tx, approval_id, why)

    async def show(self, tx: Tx, row: ApprovalRow, *, stage: str) -> None:
        """Change every surface that shows the request to how it stands; once a `stage`."""
        await self._showing.show(tx, row, stage=stage)

    async def abandon(self, tx: Tx, turn_id: int, why: str) -> None:
        """The turn ended without them: what is open is withdrawn, what was decided is shown as not confirmed."""
        await self._settling.abandon(tx, turn_id, why)

    async def withdraw(self, tx: Tx, approval_id: str, why: str) -> None:
        """The platform waits for it no longer; the lane goes on. Nothing happens to a settled request."""
        await self._settling.withdraw(tx, approval_id, why)

    # --- people's side -------------------------------------------------------------------------------------

    async def read(self, approval_id: str, who: Identity, *, whole: bool = False, via: str = "") -> Decision:
        """What `who` may see of it. `whole`: all of it, and that they opened it is kept: the answer shows it."""
        if not whole:
            ballot = await self._ballot(approval_id, who, via)
            return await self._store.read(lambda db: self._seeing.read(db, approval_id, ballot))
        decision = await self.whole(approval_id, who, via=via)
        if decision.approval is not None:
            await self.opened(approval_id, who, via=via, digest=decision.approval.digest)
        return decision

    async def whole(self, approval_id: str, who: Identity, *, via: str) -> Decision:
        """All of it, for a surface that has yet to show it: whether it did, `opened` says."""
        ballot = await self._ballot(approval_id, who, via)
        return await self._store.read(lambda db: self._seeing.whole(db, approval_id, ballot))

    async def opened(self, approval_id: str, who: Identity, *, via: str, digest: str) -> None:
        """`who` had all of it before their eyes, with the arguments of this digest: it counts when they approve."""
        ballot = await self._ballot(approval_id, who, via, digest)
        await self._store.write_patiently(lambda tx: self._seeing.opened(tx, approval_id, ballot))

    async def theirs(self, who: Identity, *, every: bool = False, limit: int) -> list[ApprovalRow]:
        """The requests that `who` may see, open or all, newest first: others' take no place among them."""
        found: list[ApprovalRow] = []
        after: ApprovalRow | None = None
        while len(found) < limit:
            rows = await self._store.read(lambda db, after=after: self._page(db, every, after))  # type: ignore[misc]
            if not rows:
                break
            ballot = Ballot(who=who, via="", membership=await self._people.membership(who, self._seeing.groups(rows)))
            found += [row for row in rows if self._seeing.voter(row, ballot) is not None]
            after = rows[-1]
        return found[:limit]

    async def waiting(self, who: Identity) -> list[ApprovalView]:
        """The open requests that `who` may decide, without hidden values, the first to expire first."""
        rows = sorted(await self.theirs(who, limit=MOST_WAITING), key=lambda row: row.expires_at)
        return await self._store.read(lambda db: self._seeing.shown(db, rows))

    async def _page(self, db: AsyncSession, every: bool, after: ApprovalRow | None) -> list[ApprovalRow]:
        return await docket.requests(db, open_only=not every, after=after, limit=A_PAGE)

    async def decide(
        self,
        approval_id: str,
        who: Identity,
        verdict: Verdict,
        *,
        via: str,
        reason: str = "",
        digest: str = "",
    ) -> Decision:
        """Decide once: who may, still pending, digest equal, vote, audit and control event in one transaction."""
        why = storable(reason.strip())[:MAX_REASON]
        with context.about(approval=approval_id):
            ballot = await self._ballot(approval_id, who, via, digest)
            decision = await self._store.write_patiently(
                lambda tx: self._deciding.decide(tx, approval_id, ballot, verdict, reason=why)
            )
            log.info("%s by %s via %s", decision.result, audit.pseudonym(who), via)
        return decision

    async def decide_in(
        self, tx: Tx, approval_id: str, who: Identity, verdict: Verdict, *, via: str, digest: str
    ) -> Decision:
        """`decide` inside the caller's transaction; a group's member is not known by it."""
        ballot = Ballot(who=who, via=via, digest=digest, membership=Membership())
        return await self._deciding.decide(tx, approval_id, ballot, verdict, reason="")

    async def renew_in(
        self, tx: Tx, approval_id: str, who: Identity, *, via: str, to: ThreadRef, key: str
    ) -> Decision | None:
        """A code of theirs ran out: they are sent another one, with what is asked; `decided` means that it is so.

        None: one that is good is out already. Anything else is the answer, as to a decision.
        """
        ballot = Ballot(who=who, via=via, membership=Membership())
        return await self._deciding.renew(tx, approval_id, ballot, to, key=key)

    async def elsewhere(self, db: AsyncSession, approval_ids: Sequence[str], who: Identity) -> list[str]:
        """The other surfaces on which `who` may approve any of these."""
        rows = [row for one in dict.fromkeys(approval_ids) if (row := await requests.get(db, one)) is not None]
        return list(dict.fromkeys(surface for row in rows for surface in self._texted.elsewhere(row, who)))

    async def edit(
        self, approval_id: str, who: Identity, arguments: dict[str, Any], *, via: str, digest: str
    ) -> Decision:
        """Change the arguments before anybody approves: validated, kept, shown as a difference, digested anew."""
        with context.about(approval=approval_id):
            ballot = await self._ballot(approval_id, who, via, digest)
            decision = await self._store.write_patiently(
                lambda tx: self._deciding.edit(tx, approval_id, ballot, arguments)
            )
            log.info("%s by %s via %s", decision.result, audit.pseudonym(who), via)
        return decision

    async def deny_all(
        self, conversation_id: int, who: Identity, *, reason: str, via: str
    ) -> list[tuple[str, Decision]]:
        """Deny whatever a conversation still asks for, each by itself."""
        rows = await self._store.read(lambda db: requests.open_of(db, conversation_id))
        return [(row.id, await self.decide(row.id, who, Verdict.DENY, reason=reason, via=via)) for row in rows]

    async def _ballot(self, approval_id: str, who: Identity, via: str, digest: str = "") -> Ballot:
        """Groups are looked up before the transaction: it must not wait for a network."""
        row = await self._store.read(lambda db: requests.get(db, approval_id))
        groups = self._seeing.groups([] if row is None else [row])
        return Ballot(who=who, via=via, digest=digest, membership=await self._people.membership(who, groups))

    # --- time's side ---------------------------------------------------------------------------------------

    async def ring(self, tx: Tx, kind: str, approval_id: str) -> bool:
        """A timer of a request is due. False: it is set anew, and not done."""
        return await self._deadlines.ring(tx, kind, approval_id)

    async def look_around(self) -> None:
        """For the sweep: what reaches nobody ends, what missed somebody escalates, what waited is shown."""
        await self._deadlines.look_around()
