"""Our messages -> Slack's text and Block Kit. Pure. What people or models wrote is shown as text, never parsed."""

from typing import Any

from adapters.slack import card
from adapters.slack.parts import cut, escape, section, seen, time, visible
from gateway import sentences
from gateway.events import ApprovalView, AskApproval, Outbound, Remind, Say, ShowOutcome
from gateway.ports import Decision

MAX_TEXT = 35_000  # Slack cuts a message at 40,000 characters
MAX_UPDATE = 4_000  # where posting cuts a text, chat.update refuses it
MAX_OUTCOME = 2_000
MAX_FALLBACK = 700  # of MAX_UPDATE: escaping makes it up to five times as long


def message(out: Outbound) -> dict[str, Any]:
    """`text` and `blocks` of a message, for chat.postMessage and chat.update."""
    match out:
        case Say():
            return {"text": cut(escape(out.text.strip()), MAX_TEXT)}
        case AskApproval(approval=asked):
            return _open(asked)
        case Remind(approval=asked):
            said = f"Reminder: {seen(asked.tool, 150)} still waits for a decision. Expires {time(asked.expires_at)}."
            return {"text": _fallback(said)}
        case ShowOutcome(approval=asked) if card.is_open(asked):
            return _open(asked)
        case ShowOutcome(approval=asked):
            said = sentences.outcome(asked)
            blocks = [*card.request(asked), section(said, MAX_OUTCOME)]
            return {"text": _fallback(f"{asked.tool}: {said}"), "blocks": blocks}


def _open(asked: ApprovalView) -> dict[str, Any]:
    return {"text": _fallback(card.question(asked)), "blocks": [*card.request(asked), card.buttons(asked)]}


def growing(text: str) -> dict[str, Any]:
    """The beginning of a reply. It says that more is to come, also when nothing ever does."""
    return {"text": cut(escape(text.strip()), MAX_UPDATE - 2) + " …"}


def can_be_changed_to(shown: dict[str, Any]) -> bool:
    """chat.update takes this text in place of another one."""
    return len(shown["text"]) <= MAX_UPDATE


def answer(decision: Decision) -> str:
    """What the person who tried to decide is told, and only they. Empty: the card says it."""
    return "" if decision.result == "decided" else escape(visible(sentences.answer(decision)))


def _fallback(text: str) -> str:
    return escape(seen(text, MAX_FALLBACK))
