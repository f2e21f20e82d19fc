"""What somebody who tried to decide is told, the same on every surface. Pure.

Nothing about a request to somebody who may not decide it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway.events import ApprovalState, ApprovalView
from gateway.policy import REQUESTER
from gateway.ports import Decision

NOT_YOURS = "This request is not yours to decide. Nothing was changed."


SEEN = {
    "seen": "Thank you. Your click reached us; it decided nothing.",
    "not_yours": "This test is for somebody else. Nothing was changed.",
    "over": "This test is over. Nothing was changed.",
}
SURFACES = {"slack": "in Slack", "api": "with gateway approvals"}
FIXED = {
    "unknown": "This request is not known here (any more). Nothing was changed.",
    "unsure": "Whether this request is yours to decide could not be looked up. Nothing was changed; try again.",
    "changed": "The request has changed since it was shown. Nothing was decided; look at it again.",
    "reason_required": "A reason is needed to deny this. Nothing was decided.",
    "paused": "Approvals are paused by operations. Nothing was decided; the request stays open.",
    "unseen": "Not all of the request was shown. Nothing was decided: open the whole of it first.",
    "elsewhere": "This request cannot be decided here, or not for this amount. Nothing was decided.",
    "forbidden": "The policy does not allow that for this request. Nothing was changed; it can be denied.",
    "invalid": "The tool does not take these arguments. Nothing was changed.",
}


def answer(decision: Decision) -> str:
    """One line for the result; an edit that was refused has its problems beside it."""
    asked = decision.approval
    if decision.result in FIXED:
        return FIXED[decision.result]
    if asked is None:
        return NOT_YOURS
    match decision.result:
        case "decided":
            return f"{asked.state.value.capitalize()}: {asked.tool}."
        case "voted":
            return f"Noted: {asked.tool} has {len(asked.votes)} of {asked.required} approvals."
        case "edited":
            return f"Changed: {asked.tool}. Whoever approved it before must look again."
        case "already":
            decided = asked.state in (ApprovalState.APPROVED, ApprovalState.DENIED)
            return f"{'Already decided' if decided else 'Too late'}. {outcome(asked)}"
        case _:
            return NOT_YOURS


def outcome(asked: ApprovalView) -> str:
    """What became of it."""
    if asked.trouble and asked.state is not ApprovalState.CANCELLED:
        decided = f"{asked.state.value.capitalize()} by {asked.decided_by or 'nobody'}"
        return f"{decided}, but the agent did not confirm it: {asked.trouble}. Look before you do it again."
    when = f", {time(asked.decided_at)}" if asked.decided_at else ""
    if asked.waiting and not asked.applied and asked.decided_by:
        return f"{asked.state.value.capitalize()} by {asked.decided_by}{when}, not yet applied: {asked.waiting}."
    match asked.state:
        case ApprovalState.APPROVED:
            done = "The agent went on with it." if asked.applied else "It is being carried out."
            return f"Approved by {asked.decided_by}{when}. {done}"
        case ApprovalState.DENIED:
            why = f" Reason: {asked.reason}" if asked.reason else ""
            return f"Denied by {asked.decided_by}{when}.{why}"
        case ApprovalState.EXPIRED:
            return f"Not decided: {asked.reason}{when}. The agent was told that nobody decided."
        case ApprovalState.CANCELLED:
            return f"Withdrawn{when}. {asked.reason}".strip()
        case ApprovalState.PENDING:
            return "Waiting for a decision."


def elsewhere(surfaces: Sequence[str]) -> str:
    """Where else somebody may decide, for those who read it in a text. Empty: nowhere."""
    where = " or ".join(SURFACES[one] for one in surfaces if one in SURFACES)
    return f" Decide it {where}." if where else ""


def by_whom(asked: ApprovalView) -> str:
    """Who decided and when, to one of those who did."""
    who = "you" if asked.decided_by == REQUESTER else asked.decided_by
    return f"By {who}{f', {time(asked.decided_at)}' if asked.decided_at else ''}."


def time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %b %H:%M UTC")


def end(at: datetime) -> str:
    """The whole minute at which it is over: who comes then must not be early."""
    return time(at + timedelta(minutes=1, microseconds=-1))
