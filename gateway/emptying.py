"""What is left of a request and of what showed it when people's words go: who decided, when, on which tool. Pure."""

from dataclasses import replace
from datetime import datetime

from pydantic import TypeAdapter

from gateway.digests import canonical
from gateway.events import ApprovalView, AskApproval, Identity, Remind, ShowOutcome, outbounds
from gateway.policy import folded
from gateway.store.erasing import NOTHING
from gateway.store.tables import ApprovalRow

ERASED = "(erased)"
ARGUMENTS = {"arguments": ERASED}
NO_ARGUMENTS = canonical(ARGUMENTS)

_views = TypeAdapter(ApprovalView)


def request(row: ApprovalRow) -> dict[str, str | None]:
    """The columns of a request that change. Why nobody decided is a sentence of ours, and stays; so do the policy's
    words for it. A schema may name what a session was about.
    """
    return {
        "view": _views.dump_json(_view(_view_of(row))).decode(),
        "arguments": row.arguments and NO_ARGUMENTS,
        "input_schema": None,
        "reason": row.reason if row.state == "expired" or not row.reason else ERASED,
        "trouble": row.trouble and ERASED,
    }


def card(payload: str) -> str:
    """What shows a request, without its words, still on its way to where it was going."""
    try:
        message = outbounds.validate_json(payload)
    except ValueError:
        return NOTHING
    if not isinstance(message, AskApproval | Remind | ShowOutcome):
        return NOTHING
    return outbounds.dump_json(replace(message, approval=_view(message.approval))).decode()


def is_empty(payload: str) -> bool:
    """Are the words of a message gone?"""
    if payload == NOTHING:
        return True
    try:
        message = outbounds.validate_json(payload)
    except ValueError:
        return False
    if not isinstance(message, AskApproval | Remind | ShowOutcome):
        return False
    return (message.approval.message, message.approval.arguments) == (ERASED, ARGUMENTS)


def goes_to(payload: str, channel: str, key: str) -> bool:
    """Whichever of our accounts it goes from."""
    try:
        to = outbounds.validate_json(payload).to
    except ValueError:
        return False
    return (to.channel, folded(to.channel, to.key)) == (channel, folded(channel, key))


def _view_of(row: ApprovalRow) -> ApprovalView:
    try:
        return _views.validate_json(row.view)
    except ValueError:
        return _bare(row.id, row.tool, row.digest, row.expires_at)  # what nobody can read is erased like any other


def _bare(id: str, tool: str, digest: str, expires_at: datetime) -> ApprovalView:
    nobody = Identity(channel="", address=ERASED)
    return ApprovalView(
        id=id,
        tool=tool,
        arguments=None,
        digest=digest,
        requester=nobody,
        asked_in="",
        agent="",
        message=ERASED,
        required=1,
        approvers=(),
        reason_required=False,
        expires_at=expires_at,
    )


def _view(view: ApprovalView) -> ApprovalView:
    requester = Identity(channel=view.requester.channel, address=ERASED, proof=view.requester.proof)
    reason, trouble, waiting = (said and ERASED for said in (view.reason, view.trouble, view.waiting))
    gone = replace(view, requester=requester, message=ERASED, arguments=ARGUMENTS, difference=(), input_schema=None)
    return replace(gone, reason=reason, trouble=trouble, waiting=waiting)
