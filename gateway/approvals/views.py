"""A request as surfaces see it, made from its rows. Changes nothing."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.digests import canonical
from gateway.events import ApprovalState, ApprovalView
from gateway.policy import Terms
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


def view_of(row: ApprovalRow) -> ApprovalView:
    """The whole request as it stands now, without its votes and its difference."""
    terms = terms_of(row)
    return replace(
        _views.validate_json(row.view),
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


async def whole(db: AsyncSession, row: ApprovalRow) -> ApprovalView:
    """With whose approvals count, and what was changed since the agent asked."""
    edits = await votes.edits(db, row.id)
    changes = difference(_before(edits, row), arguments_of(row) or {}) if edits else ()
    names = tuple(vote.person for vote in await votes.approving(db, row.id, row.digest) if vote.counts)
    return replace(view_of(row), votes=names, difference=changes)


async def first_arguments(db: AsyncSession, row: ApprovalRow) -> dict[str, Any]:
    """With which the agent asked."""
    return _before(await votes.edits(db, row.id), row)


def _before(edits: Sequence[EditRow], row: ApprovalRow) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(edits[0].before) if edits else arguments_of(row) or {}
    return found


def sendable(view: ApprovalView) -> ApprovalView:
    """What may go out to a surface: without the hidden values, and without what only an editor needs."""
    hidden = set(view.hidden)
    if view.arguments is not None and hidden:
        shown = {name: HIDDEN if name in hidden else value for name, value in view.arguments.items()}
        lines = tuple(line for line in view.difference if line.partition(":")[0] not in hidden)
        view = replace(view, arguments=shown, difference=lines)
    return replace(view, input_schema=None)


def difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """A line for each argument that is another, `amount: 40 -> 35`."""
    names = dict.fromkeys((*before, *after))
    return tuple(
        f"{name}: {_written(before, name)} -> {_written(after, name)}"
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


def about(row: ApprovalRow) -> dict[str, Any]:
    """The keys by which an audit row or a message belongs to a request."""
    return {"conversation_id": row.conversation_id, "approval_id": row.id}
