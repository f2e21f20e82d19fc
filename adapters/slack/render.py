"""Our messages -> Slack's text and Block Kit. Pure. What people or models wrote is shown as text, never parsed."""

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from gateway.events import ApprovalState, ApprovalView, AskApproval, Outbound, Proof, Say, ShowOutcome
from gateway.ports import Decision

APPROVE, DENY, DENY_FORM, REASON = "approval_approve", "approval_deny", "approval_deny_form", "reason"

MAX_TEXT = 35_000  # Slack cuts a message at 40,000 characters
MAX_HEADER = 150
MAX_ARGUMENTS = 8_000  # a message whose blocks exceed about 13,200 characters is refused (msg_too_long)
MAX_QUOTE = 600
MAX_NAME = 80  # a longer one would push the address and its proof out of sight
MAX_NAMES = 500  # of each line that names people
MAX_OUTCOME = 2_000
MAX_FALLBACK = 700  # chat.update refuses a text over 4,000, and escaping makes it up to five times as long
NOT_YOURS = "This request is not yours to decide. Nothing was changed."
PROOFS = {Proof.CARRIER: "as the carrier says", Proof.PLATFORM: "signed in there", Proof.NONE: "not proven"}

LOOKS_EMPTY = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and marks that show as nothing

Block = dict[str, Any]


def escape(text: str) -> str:
    """Text that Slack shows as it is: no mention, link or broadcast in it is live."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def visible(text: str) -> str:
    """Text for an approver's eyes: what would hide or reorder it is spelled out (`\\u202e`)."""
    return "".join(f"\\u{ord(c):04x}" if _deceives(c) else c for c in text)


def _deceives(character: str) -> bool:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in "\n\t"
    return hidden or character in LOOKS_EMPTY


def message(out: Outbound) -> dict[str, Any]:
    """`text` and `blocks` of a message, for chat.postMessage and chat.update."""
    match out:
        case Say():
            return {"text": _cut(escape(out.text.strip()), MAX_TEXT)}
        case AskApproval(approval=asked):
            blocks = [*_request(asked), _buttons(asked) if can_be_approved(asked) else _too_much(asked)]
            return {"text": _fallback(_question(asked)), "blocks": blocks}
        case ShowOutcome(approval=asked):
            said = outcome(asked)
            return {"text": _fallback(f"{asked.tool}: {said}"), "blocks": [*_request(asked), _plain(said)]}


def can_be_approved(asked: ApprovalView) -> bool:
    """A card that cannot show the whole request has no Approve button: what is cut off is not approved."""
    named = len(visible(_question(asked))) <= MAX_HEADER
    return named and asked.arguments is not None and len(_arguments(asked)) <= MAX_ARGUMENTS


def deny_form(approval_id: str, asked: ApprovalView) -> dict[str, Any]:
    """The modal that asks for the reason of a denial."""
    field = {"type": "plain_text_input", "action_id": REASON, "multiline": True, "max_length": 1000}
    block = {
        "type": "input",
        "block_id": REASON,
        "optional": not asked.reason_required,
        "label": _words("Why? The agent is told, and may tell the customer."),
        "element": field,
    }
    return {
        "type": "modal",
        "callback_id": DENY_FORM,
        "private_metadata": approval_id,
        "title": _words("Deny this request"),
        "submit": _words("Deny"),
        "close": _words("Back"),
        "blocks": [_plain(f"{asked.tool} {_arguments(asked)[:300]}"), block],
    }


def answer(decision: Decision) -> str:
    """What the person who tried to decide is told, and only they. Empty: the card says it."""
    match decision.result:
        case "decided":
            return ""
        case "already" if decision.approval:
            return escape(visible(f"Already decided. {outcome(decision.approval)}"))
        case "changed":
            return "The request has changed since this card was made. Nothing was decided."
        case "reason_required":
            return "A reason is needed to deny this."
        case "paused":
            return "Approvals are paused by operations. Nothing was decided; the request stays open."
        case "unknown":
            return "This request is not known here (any more). Nothing was changed."
        case _:
            return NOT_YOURS


def outcome(asked: ApprovalView) -> str:
    if asked.trouble and asked.state is not ApprovalState.CANCELLED:
        decided = f"{asked.state.value.capitalize()} by {asked.decided_by or 'nobody'}"
        return f"{decided}, but the agent did not confirm it: {asked.trouble}. Look before you do it again."
    when = f", {_time(asked.decided_at)}" if asked.decided_at else ""
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


def _request(asked: ApprovalView) -> list[Block]:
    who = asked.requester
    name = f"{_seen(who.name, MAX_NAME)}, " if who.name else ""
    asker = f"{name}{who.address} on {asked.asked_in} ({PROOFS[who.proof]}), through the agent {asked.agent}"
    needs = f"Needs {asked.required} of: {_seen(', '.join(asked.approvers), MAX_NAMES)}."
    until = f"Expires {_time(asked.expires_at)}. Digest {asked.digest[:12]}"
    wrote = _seen(asked.message, MAX_QUOTE) or "(no words)"
    return [
        {"type": "header", "text": _words(_seen(_question(asked), MAX_HEADER))},
        {"type": "rich_text", "elements": [_line("Asked by ", bold=True, then=_seen(asker, MAX_NAMES))]},
        {"type": "rich_text", "elements": [_line("They wrote ", bold=True, then=wrote)]},
        {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [_text(_shown(asked))]}]},
        {"type": "context", "elements": [_words(f"{needs} {until}")]},
    ]


def _shown(asked: ApprovalView) -> str:
    whole = _arguments(asked)
    rest = len(whole) - MAX_ARGUMENTS
    return whole if rest <= 0 else f"{whole[:MAX_ARGUMENTS]}\n… {rest} more characters"


def _arguments(asked: ApprovalView) -> str:
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


def _buttons(asked: ApprovalView) -> Block:
    approve = {"type": "button", "action_id": APPROVE, "value": asked.id, "style": "primary", "text": _words("Approve")}
    return {"type": "actions", "elements": [approve, _deny(asked)]}


def _too_much(asked: ApprovalView) -> Block:
    return {"type": "actions", "elements": [_deny(asked)]}


def _deny(asked: ApprovalView) -> Block:
    return {"type": "button", "action_id": DENY, "value": asked.id, "style": "danger", "text": _words("Deny")}


def _line(label: str, *, bold: bool, then: str) -> Block:
    elements = [{**_text(label), "style": {"bold": bold}}, _text(then)]
    return {"type": "rich_text_section", "elements": elements}


def _plain(text: str) -> Block:
    return {"type": "section", "text": _words(_seen(text, MAX_OUTCOME))}


def _words(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}


def _question(asked: ApprovalView) -> str:
    return f"Approve {asked.tool}?"


def _fallback(text: str) -> str:
    return escape(_seen(text, MAX_FALLBACK))


def _seen(text: str, most: int) -> str:
    return _cut(visible(text[: most + 1]), most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%d %b %H:%M UTC")
