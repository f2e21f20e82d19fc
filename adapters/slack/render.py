"""Our messages -> Slack's text and Block Kit. Pure. What people or models wrote is shown as text, never parsed."""

from typing import Any

from adapters.slack import card, markdown, trial
from adapters.slack.parts import cut, escape, section, seen, time, visible, words
from gateway import sentences
from gateway.events import ApprovalView, AskApproval, AskSeen, Outbound, Remind, Say, ShowOutcome
from gateway.ports import Decision

MAX_OUTCOME = 2_000
MAX_WORDS = 7_600  # chat.postMessage takes 40,000, and escaping makes it up to five times as long
MAX_NOTE = 700
MAX_FALLBACK = 700  # chat.update takes 4,000, and escaping makes it up to five times as long


def message(out: Outbound) -> dict[str, Any]:
    """`text` and `blocks` of a message, for chat.postMessage and chat.update."""
    match out:
        case Say():
            return _said(out.text, out.note)
        case AskApproval(approval=asked):
            return _open(asked)
        case Remind(approval=asked):
            said = f"Reminder: {seen(asked.tool, 150)} still waits for a decision. Expires {time(asked.expires_at)}."
            return {"text": _fallback(said)}
        case AskSeen():
            return {"text": _fallback(f"{trial.TITLE}. {trial.TEXT}"), "blocks": trial.blocks(out.check_id)}
        case ShowOutcome(approval=asked) if card.is_open(asked):
            return _open(asked)
        case ShowOutcome(approval=asked):
            said = sentences.outcome(asked)
            blocks = [*card.request(asked), section(said, MAX_OUTCOME)]
            return {"text": _fallback(f"{asked.tool}: {said}"), "blocks": blocks}


def plain(out: Outbound) -> dict[str, Any] | None:
    """The words alone, for where Slack does not take the blocks. None: without its buttons it is of no use."""
    match out:
        case Say():
            return {"text": escape(cut(out.text.strip(), MAX_WORDS)), "blocks": []}
        case ShowOutcome(approval=asked) if not card.is_open(asked):
            return {"text": message(out)["text"], "blocks": []}
        case _:
            return None


def _open(asked: ApprovalView) -> dict[str, Any]:
    return {"text": _fallback(card.question(asked)), "blocks": [*card.request(asked), card.buttons(asked)]}


def growing(text: str) -> dict[str, Any]:
    """The beginning of a reply. It says that more is to come, also when nothing ever does."""
    first, *_ = [*markdown.pages(text), ""]
    return _said(f"{first} …")


def _said(text: str, note: str = "") -> dict[str, Any]:
    """The text beside the blocks is for notifications and for those who have the screen read to them."""
    below = [{"type": "context", "elements": [words(seen(note, MAX_NOTE))]}] if note else []
    blocks = [*markdown.blocks(text), *below]
    return {"text": escape(cut(text.strip(), MAX_FALLBACK)), **({"blocks": blocks} if blocks else {})}


def answer(decision: Decision) -> str:
    """What the person who tried to decide is told, and only they. Empty: the card says it."""
    return "" if decision.result == "decided" else escape(visible(sentences.answer(decision)))


def _fallback(text: str) -> str:
    return escape(seen(text, MAX_FALLBACK))
