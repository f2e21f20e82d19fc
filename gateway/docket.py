"""What waits for a decision and what was decided, for the command line and the API. Changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.approvals.views import in_force, terms_of, to_show, view_of, whole
from gateway.events import ApprovalView
from gateway.policy import Policy
from gateway.store import docket, requests, sendings
from gateway.store.tables import ApprovalRow

ERASED = "(erased)"
SHORTEST_START = 8  # characters of an id
LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request without anybody's words. `requester`: a name of the directory, else a pseudonym."""

    id: str
    tool: str
    conversation: int
    requester: str
    state: str
    votes: int
    required: int
    created_at: datetime
    expires_at: datetime
    decided_by: str
    decided_at: datetime | None
    applied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message that put it before somebody's eyes. `status`: as in the outbox."""

    where: str
    status: str
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Somebody had the whole of it before their eyes, with the arguments of this digest."""

    who: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Voted:
    who: str
    verdict: str
    via: str
    reason: str
    digest: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All of a request, with what people wrote."""

    entry: Entry
    request: ApprovalView
    shown: tuple[Shown, ...]
    opened: tuple[Opened, ...]
    votes: tuple[Voted, ...]


async def entries(
    db: AsyncSession, policy: Policy, *, every: bool = False, conversation: int | None = None, limit: int = LIMIT
) -> list[Entry]:
    """The open ones, or all; the newest first."""
    rows = await docket.requests(db, open_only=not every, conversation_id=conversation, limit=limit)
    return await of_rows(db, policy, rows)


async def case(db: AsyncSession, policy: Policy, approval_id: str) -> Case | None:
    """None: there is no such request."""
    row = await requests.get(db, approval_id)
    if row is None:
        return None
    (entry,) = await of_rows(db, policy, [row])
    asks = await sendings.shown(db, approval_id)
    seen = await docket.openings(db, approval_id)
    votes = await docket.votes_on(db, approval_id)
    return Case(
        entry=entry,
        request=await whole(db, row, policy),
        shown=tuple(Shown(where=_place(one.payload), status=one.status, at=one.sent_at) for one in asks),
        opened=tuple(Opened(who=one.person, digest=one.digest, at=one.at) for one in seen),
        votes=tuple(
            Voted(who=one.person, verdict=one.verdict, via=one.via, reason=one.reason, digest=one.digest, at=one.at)
            for one in votes
        ),
    )


async def shown(db: AsyncSession, policy: Policy, approval_id: str) -> ApprovalView | None:
    """As it may go out to a surface. None: there is no such request."""
    row = await requests.get(db, approval_id)
    return None if row is None else await to_show(db, row, policy)


async def called(db: AsyncSession, start: str) -> Sequence[str]:
    """The ids that begin so: one, none, or two for "several". A whole id is always the one."""
    if await requests.get(db, start) is not None:
        return [start]
    return await docket.beginning_with(db, start) if len(start) >= SHORTEST_START else []


async def of_rows(db: AsyncSession, policy: Policy, rows: Sequence[ApprovalRow]) -> list[Entry]:
    """As lists have them."""
    votes = await docket.votes_for(db, [row.id for row in rows]) if rows else {}
    return [_entry(row, policy, votes.get(row.id, 0)) for row in rows]


def _entry(row: ApprovalRow, policy: Policy, votes: int) -> Entry:
    who = view_of(row, policy).requester
    return Entry(
        id=row.id,
        tool=row.tool,
        conversation=row.conversation_id,
        requester=policy.person(who) or audit.pseudonym(who),
        state=row.state,
        votes=votes,
        required=_required(row, policy),
        created_at=row.created_at,
        expires_at=row.expires_at,
        decided_by=row.decided_by or "",
        decided_at=row.decided_at,
        applied=row.applied,
    )


def _required(row: ApprovalRow, policy: Policy) -> int:
    terms = in_force(row, policy)[0] if row.state == "pending" else terms_of(row)
    return terms.required


def _place(payload: str) -> str:
    to = json.loads(payload).get("to")
    if to is None:
        return ERASED
    return f"{to['channel']}:{to['account']}/{to['key']}" if to["account"] else f"{to['channel']}:{to['key']}"
