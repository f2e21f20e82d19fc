"""One request as Slack's blocks, with the buttons that decide it. Pure."""

import json
from typing import Any

from adapters.slack.parts import Block, button, labelled, preformatted, seen, time, visible, words
from gateway.events import ApprovalState, ApprovalView, Proof

APPROVE, DENY, OPEN, EDIT = "approval_approve", "approval_deny", "approval_open", "approval_edit"
DECIDES = "decide:"  # begins the id of a block of buttons; then the digest of what they decide about
DIGEST_CHARS = 16

MAX_HEADER = 150
MAX_ARGUMENTS = 7_500  # a message whose blocks exceed about 13,200 characters is refused (msg_too_long)
MAX_QUOTE = 600
MAX_NAME = 80  # a longer one would push the address and its proof out of sight
MAX_NAMES = 500  # of each line that names people
MAX_VOTES = 300
MAX_DIFFERENCE = 500
ENDED = {
    ApprovalState.APPROVED: "approved",
    ApprovalState.DENIED: "denied",
    ApprovalState.EXPIRED: "not decided",
    ApprovalState.CANCELLED: "withdrawn",
}
PROOFS = {
    Proof.CARRIER: "as the carrier says",
    Proof.PLATFORM: "signed in there",
    Proof.TOKEN: "by their own token",
    Proof.NONE: "not proven",
}


def shows_whole(asked: ApprovalView) -> bool:
    """Nothing is cut off or hidden on the card."""
    return asked.arguments is not None and not hides(asked) and _fits(asked)


def hides(asked: ApprovalView) -> bool:
    return bool(set(asked.hidden) & set(asked.arguments or {}))


def _fits(asked: ApprovalView) -> bool:
    return len(visible(question(asked))) <= MAX_HEADER and len(arguments(asked)) <= MAX_ARGUMENTS


def question(asked: ApprovalView) -> str:
    return f"Approve {asked.tool}?"


def ended(asked: ApprovalView) -> str:
    return f"{asked.tool}: {ENDED[asked.state]}"


def request(asked: ApprovalView) -> list[Block]:
    """All but its end: the buttons, or what became of it."""
    return [
        {"type": "header", "text": words(seen(question(asked) if is_open(asked) else ended(asked), MAX_HEADER))},
        *origin(asked),
        preformatted(_cut_arguments(asked)),
        *_changes(asked),
        *_votes(asked),
        {"type": "context", "elements": [words(_terms(asked))]},
    ]


def origin(asked: ApprovalView) -> list[Block]:
    """Whose words led to it."""
    who = asked.requester
    name = f"{seen(who.name, MAX_NAME)}, " if who.name else ""
    asker = f"{name}{who.address} on {asked.asked_in} ({PROOFS[who.proof]}), through the agent {asked.agent}"
    wrote = seen(asked.message, MAX_QUOTE) or "(no words)"
    return [labelled("Asked by", seen(asker, MAX_NAMES)), labelled("They wrote", wrote)]


def arguments(asked: ApprovalView) -> str:
    """All of them, as an approver reads them."""
    if asked.arguments is None:
        return "The agent platform did not say with which arguments."
    if not asked.arguments:
        return "(no arguments)"
    return visible("\n".join(f"{_name(name)}: {_value(value)}" for name, value in asked.arguments.items()))


def _name(name: str) -> str:
    return name.replace("\n", "\\n")


def _value(value: Any) -> str:
    """Later lines of a text are indented, so that none of them passes for another argument."""
    return value.replace("\n", "\n    ") if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _cut_arguments(asked: ApprovalView) -> str:
    whole = arguments(asked)
    rest = len(whole) - MAX_ARGUMENTS
    return whole if rest <= 0 else f"{whole[:MAX_ARGUMENTS]}\n… {rest} more characters"


def _changes(asked: ApprovalView) -> list[Block]:
    lines = "\n".join(asked.difference)
    return [labelled("Changed since the agent asked", seen(lines, MAX_DIFFERENCE))] if lines else []


def _votes(asked: ApprovalView) -> list[Block]:
    if not asked.votes or asked.required == 1:
        return []
    names = f"{len(asked.votes)} of {asked.required}: {', '.join(asked.votes)}"
    return [labelled("Approvals", seen(names, MAX_VOTES))]


def _terms(asked: ApprovalView) -> str:
    approvers = f"{asked.required} of: {seen(', '.join(asked.approvers), MAX_NAMES)}."
    told = [f"Needs {approvers} Expires {time(asked.expires_at)}." if is_open(asked) else f"Needed {approvers}"]
    if asked.reminded_at:
        told.append(f"Reminded {time(asked.reminded_at)}.")
    if asked.escalated_at:
        told.append(f"Escalated {time(asked.escalated_at)}: more people may decide.")
    if asked.held_at:
        told.append(f"Nobody decided by {time(asked.held_at)}: it is held open.")
    return " ".join([*told, f"Digest {asked.digest[:12]}"])


# --- buttons -----------------------------------------------------------------------------------------------


def buttons(asked: ApprovalView) -> Block:
    """What a card cannot show whole is opened first, and approved where all of it is seen."""
    is_cut = not shows_whole(asked) and asked.arguments is not None
    approving = [approve(asked)] if shows_whole(asked) or asked.approve_unseen else []
    editing = [button(EDIT, asked.id, "Edit")] if asked.can_edit else []
    deny = button(DENY, asked.id, "Deny", style="danger")
    if is_cut:
        return deciding(asked, *approving, button(OPEN, asked.id, "Open the whole request"), *editing, deny)
    return deciding(asked, *approving, *editing, deny, button(OPEN, asked.id, "Open"))


def deciding(asked: ApprovalView, *elements: Block, among: str = "") -> Block:
    """Buttons that know which arguments they stand beside. `among`: what tells them from others of the same digest."""
    block_id = f"{DECIDES}{asked.digest[:DIGEST_CHARS]}{among and ':'}{among}"
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def approve(asked: ApprovalView) -> Block:
    once_more = {"confirm": _confirm(asked)} if asked.destructive else {}
    return button(APPROVE, asked.id, "Approve", style="primary", **once_more)


def _confirm(asked: ApprovalView) -> Block:
    text = f"{seen(asked.tool, 150)} runs as soon as it is approved, and may not be undone."
    return {
        "title": words("Really approve this?"),
        "text": words(text),
        "confirm": words("Approve"),
        "deny": words("Go back"),
        "style": "danger",
    }


def is_open(asked: ApprovalView) -> bool:
    return asked.state is ApprovalState.PENDING
