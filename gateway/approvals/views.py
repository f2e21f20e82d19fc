"""A request as surfaces see it, made from its rows. Changes nothing."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.approvals import around
from gateway.digests import canonical
from gateway.events import ApprovalState, ApprovalView
from gateway.policy import REQUESTER, Policy, Ruling, Terms, stricter
from gateway.store import votes
from gateway.store.evidence import EditRow
from gateway.store.tables import ApprovalRow

_views = TypeAdapter(ApprovalView)
HIDDEN = "(hidden here; open the whole request to see it)"


def stored(view: ApprovalView) -> str:
    return _views.dump_json(view).decode()


def under(row: ApprovalRow, terms: Terms) -> str:
    """What is stored of the view, with other terms."""
    reason = terms.reason == "required"
    view = replace(
        _views.validate_json(row.view), required=terms.required, approvers=terms.approvers, reason_required=reason
    )
    return stored(view)


def in_force(row: ApprovalRow, policy: Policy) -> tuple[Terms, Ruling]:
    """The stricter of then and now; and what today's policy says of it."""
    ruling = policy.ruling(row.tool, arguments_of(row))
    return stricter(terms_of(row), ruling.terms), ruling


def view_of(row: ApprovalRow, policy: Policy) -> ApprovalView:
    """The whole request as it stands now, without its votes and its difference."""
    terms, _ = in_force(row, policy)
    return replace(
        _asked_for(row, terms),
        arguments=arguments_of(row),
        digest=row.digest,
        expires_at=row.expires_at,
        state=ApprovalState(row.state),
        decided_by=row.decided_by or "",
        decided_at=row.decided_at,
        reason=row.reason,
        can_edit=terms.edit == "allow" and row.input_schema is not None and row.arguments is not None,
        input_schema=None if row.input_schema is None else json.loads(row.input_schema),
        destructive=terms.destructive,
        approve_unseen=terms.approve_unseen,
        hidden=terms.redact,
        reminded_at=row.reminded_at,
        escalated_at=row.escalated_at,
        held_at=row.held_at,
        applied=row.applied,
        trouble=row.trouble,
    )


def _asked_for(row: ApprovalRow, terms: Terms) -> ApprovalView:
    """What is stored of it. While it is open, whose word it needs is as it would be decided now."""
    view = _views.validate_json(row.view)
    if row.state != "pending":
        return view
    return replace(view, required=terms.required, approvers=terms.approvers, reason_required=terms.reason == "required")


async def whole(db: AsyncSession, row: ApprovalRow, policy: Policy) -> ApprovalView:
    """With whose approvals count, what was changed since the agent asked, and what was said around it."""
    view = view_of(row, policy)
    changes = difference(await first_arguments(db, row), view.arguments or {})
    recent, notes = await around.recent(db, row, policy), await around.beside(db, row, policy)
    return replace(view, votes=await _votes(db, row), difference=changes, recent=recent, notes=notes)


async def to_show(db: AsyncSession, row: ApprovalRow, policy: Policy) -> ApprovalView:
    """The same as it may go out to a surface: no hidden value is in it, nor what only an editor needs."""
    view = for_surfaces(view_of(row, policy), await first_arguments(db, row))
    return replace(view, votes=await _votes(db, row))


def for_surfaces(view: ApprovalView, first: dict[str, Any]) -> ApprovalView:
    """Hidden values are left out before anything is written of them. `first`: with which the agent asked. Pure."""
    changes = difference(first, view.arguments or {}, view.hidden)
    return replace(masked(view), difference=changes, input_schema=None)


def hidden_too(view: ApprovalView, policy: Policy) -> ApprovalView:
    """What was written under an earlier policy and goes out now: without the values that today's hides as well. Pure.

    The lines of a difference are not taken apart again: then none of them goes out.
    """
    today = policy.ruling(view.tool, view.arguments).terms.redact
    more = [name for name in today if name not in view.hidden and name in (view.arguments or {})]
    return replace(masked(replace(view, hidden=(*view.hidden, *more))), difference=()) if more else view


async def _votes(db: AsyncSession, row: ApprovalRow) -> tuple[str, ...]:
    return tuple(vote.person for vote in await votes.approving(db, row.id, row.digest) if vote.counts)


async def first_arguments(db: AsyncSession, row: ApprovalRow) -> dict[str, Any]:
    """With which the agent asked."""
    return _before(await votes.edits(db, row.id), row)


def _before(edits: Sequence[EditRow], row: ApprovalRow) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(edits[0].before) if edits else arguments_of(row) or {}
    return found


def masked(view: ApprovalView) -> ApprovalView:
    """Without the values of what is hidden."""
    if view.arguments is None:
        return view
    shown = {name: HIDDEN if name in view.hidden else value for name, value in view.arguments.items()}
    return replace(view, arguments=shown)


def difference(before: dict[str, Any], after: dict[str, Any], hidden: Collection[str] = ()) -> tuple[str, ...]:
    """A line for each argument that is another, `amount: 40 -> 35`. Of a hidden one it says no more than that."""
    names = dict.fromkeys((*before, *after))
    return tuple(
        f"{name}: changed (hidden here)"
        if name in hidden
        else f"{name}: {_written(before, name)} -> {_written(after, name)}"
        for name in names
        if canonical(before.get(name)) != canonical(after.get(name)) or (name in before) != (name in after)
    )


def _written(arguments: dict[str, Any], name: str) -> str:
    return json.dumps(arguments[name], ensure_ascii=False) if name in arguments else "(none)"


def arguments_of(row: ApprovalRow) -> dict[str, Any] | None:
    return None if row.arguments is None else json.loads(row.arguments)


def terms_of(row: ApprovalRow) -> Terms:
    """The policy's words for it when it was opened. A request of an earlier release has what its view says."""
    if row.terms is not None:
        return Terms.model_validate_json(row.terms)
    view = _views.validate_json(row.view)
    return Terms(required=view.required, reason="required" if view.reason_required else "optional")


def asks_requester_alone(rows: Sequence[ApprovalRow]) -> bool:
    """Of those that are open, or else of all: nobody but the customer was asked."""
    asked = [row for row in rows if row.state == "pending"] or rows
    places = [(*terms_of(row).ask, *(terms_of(row).escalate_to if row.escalated_at else ())) for row in asked]
    return bool(places) and all(place == REQUESTER for each in places for place in each)


def about(row: ApprovalRow) -> dict[str, Any]:
    """The keys by which an audit row or a message belongs to a request."""
    return {"conversation_id": row.conversation_id, "approval_id": row.id}
