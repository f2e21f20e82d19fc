"""How somebody decides by text: the code they are given; where the policy does not let them, where else they may."""

from datetime import timedelta
from typing import Any

from gateway import codes as makes
from gateway.approvals.seeing import Ballot, Seeing
from gateway.approvals.views import arguments_of, in_force, terms_of
from gateway.events import Identity
from gateway.policy import GROUP, Policy
from gateway.policy.words import misformed
from gateway.ports import Clock
from gateway.store import Tx, codes
from gateway.store.tables import ApprovalRow

CODE_LIVES = timedelta(minutes=30)


class Texted:
    def __init__(self, seeing: Seeing, policy: Policy, clock: Clock, *, key: str) -> None:
        """`key` makes the codes."""
        self._seeing = seeing
        self._policy = policy
        self._clock = clock
        self._key = key

    async def way(self, tx: Tx, row: ApprovalRow, address: str, account: str) -> dict[str, Any]:
        """What a message to this address says of deciding, as words of `AskApproval`; with the address's next code.

        There is none where the policy does not let them approve by text. It is good in the thread with `account`.
        """
        channel, _, own = address.partition(":")
        who = Identity(channel=channel, address=own)
        other = self.elsewhere(row, who)
        if self._seeing.voter(row, Ballot(who, via=channel)) is None or not approvable(row, self._policy, channel):
            return {"code_for": address, "elsewhere": other}
        return {"code_for": address, "code_n": await self._next_code(tx, row, address, account), "elsewhere": other}

    async def has_good(self, tx: Tx, row: ApprovalRow, address: str) -> bool:
        """Is a code of theirs for it out that has not run out?"""
        return any(one.approval_id == row.id for one in await codes.open_for(tx.db, address, self._clock()))

    async def _next_code(self, tx: Tx, row: ApprovalRow, address: str, account: str) -> int:
        """One that no other open request of theirs has."""
        now = self._clock()
        others = {
            makes.code(self._key, one.approval_id, address, one.n) for one in await codes.open_for(tx.db, address, now)
        }
        n = await codes.last(tx.db, row.id, address) + 1
        while makes.code(self._key, row.id, address, n) in others:
            n += 1
        until = min(now + CODE_LIVES, row.expires_at)
        await codes.give(tx, row.id, address, n, account=account, digest=row.digest, expires_at=until)
        return n

    def elsewhere(self, row: ApprovalRow, who: Identity) -> tuple[str, ...]:
        """Where this person sees the request, or can open it, and may approve it."""
        name, approvers = self._policy.person(who), self._seeing.approvers(row)
        in_a_group = any(one.startswith(GROUP) for one in approvers)  # only the channel itself knows of whom
        if name is None or (self._seeing.voter(row, Ballot(who, via=who.channel)) is None and not in_a_group):
            return ()
        terms = terms_of(row)
        places = (*terms.ask, *(terms.escalate_to if row.escalated_at else ()))
        in_slack = any(self._sees(place, self._policy.people[name].slack) for place in places)
        open_to_them = (("slack", in_slack), ("api", True))
        return tuple(one for one, there in open_to_them if there and approvable(row, self._policy, one))

    def _sees(self, place: str, own: str) -> bool:
        """Is it a Slack channel, or this person's own messages there?"""
        to = self._policy.destination(place)
        return (
            to.channel == "slack"
            and bool(own)
            and (to.key == own.rpartition("/")[2] or bool(misformed("slack", to.key)))
        )


def approvable(row: ApprovalRow, policy: Policy, surface: str) -> bool:
    """May it be approved there at all, this amount included?"""
    terms, _ = in_force(row, policy)
    return surface in terms.surfaces and terms.within_cap(surface, arguments_of(row))
