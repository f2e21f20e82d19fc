"""Our messages -> SMS text. Pure. What people or models wrote is shown as text; control characters are spelled out."""

import json
import unicodedata

from adapters.sms import segments
from gateway import sentences
from gateway.events import ApprovalState, ApprovalView, AskApproval, AskSeen, Outbound, Remind, Say, ShowOutcome

MAX_CHARS = 1600  # Twilio refuses a longer Body (error 21617)
TEST = (
    "This is a test of Gatehouse's approvals, and decides nothing. Please reply YES {code} to show that it reached you."
)
MAX_REQUEST = 480  # three segments; a request that needs more is not approved by text


def text_for(message: Outbound) -> str:
    text = _text(message)
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def _text(message: Outbound) -> str:
    match message:
        case Say():
            return message.text.strip()
        case AskApproval() | Remind():
            return _request(message)
        case ShowOutcome(approval=asked):
            return _outcome(asked)
        case AskSeen():
            return TEST.format(code=message.code)


def shows_whole(asked: ApprovalView) -> bool:
    """Nothing is cut off or hidden in the text."""
    hidden = set(asked.hidden) & set(asked.arguments or {})
    return asked.arguments is not None and not hidden and len(_what(asked)) <= MAX_REQUEST


def above_buttons(message: AskApproval | Remind) -> str:
    """A request in one line: what is asked, and until when."""
    return " ".join(_parts(message)).replace("\n", " ")


def _request(message: AskApproval | Remind) -> str:
    """Action and arguments first, in one segment if it fits. What cannot be shown whole cannot be approved here."""
    what, until = _parts(message)
    elsewhere = sentences.elsewhere(message.elsewhere)
    texts = [f"{what}\n{how} {until}" for how in _ways(message.approval, message.code, elsewhere)]
    return min(texts, key=segments.count)


def _parts(message: AskApproval | Remind) -> tuple[str, str]:
    asked = message.approval
    return _before(message) + _cut(_what(asked)), f"Expires {sentences.time(asked.expires_at)}."


def _before(message: AskApproval | Remind) -> str:
    if not isinstance(message, Remind):
        return ""
    if message.late:
        return "That code ran out and decided nothing.\n"
    # An edit voids the code, so a changed request comes anew, as a reminder does.
    return "Changed: " if message.approval.difference else "Reminder: "


def _ways(asked: ApprovalView, code: str, elsewhere: str) -> tuple[str, ...]:
    """How to decide, in the best words first. Without a code, the policy lets them decide elsewhere at best."""
    if not code:
        return (f"It cannot be decided by text.{elsewhere}",)
    approves, denies = shows_whole(asked) or asked.approve_unseen, not asked.reason_required
    if approves and denies:
        return f"Reply YES {code} to approve or NO {code}.", f"YES {code} or NO {code}?"
    if approves:
        return (f"Reply YES {code} to approve. A denial needs a reason, which a text cannot give.",)
    if denies:
        return (f"Not all of it is shown here, so it cannot be approved by text. Reply NO {code} to deny.",)
    return (f"Not all of it is shown here: it cannot be decided by text.{elsewhere}",)


def _outcome(asked: ApprovalView) -> str:
    """Without the reason of a denial: it may quote what only its surface should show."""
    by = f" by {_visible(asked.decided_by)}" if asked.decided_by else ""
    match asked.state:
        case ApprovalState.PENDING:
            said = "still open"
        case ApprovalState.EXPIRED:
            said = f"not decided: {_visible(asked.reason)}" if asked.reason else "not decided"
        case ApprovalState.CANCELLED:
            said = "withdrawn"
        case state:
            said = f"{state.value}{by}"
    return f"{_visible(asked.tool)}: {said}."


def _what(asked: ApprovalView) -> str:
    return _visible(f"{asked.tool}: {_arguments(asked)}")


def _arguments(asked: ApprovalView) -> str:
    if asked.arguments is None:
        return "the agent did not say with what"
    amount_first = sorted(asked.arguments.items(), key=lambda one: one[0] != "amount")
    shown = (f"{_bounded(name)}={_bounded(value)}" for name, value in amount_first)
    return ", ".join(shown) or "no arguments"


def _bounded(value: object) -> str:
    """A text that could pass for another argument is in quotes."""
    plain = isinstance(value, str) and not set(value) & set(',="') and value == value.strip()
    return str(value) if plain else json.dumps(value, ensure_ascii=False)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_REQUEST else text[: MAX_REQUEST - 1] + "…"


def _visible(text: str) -> str:
    return "".join(f"\\u{ord(c):04x}" if unicodedata.category(c)[0] == "C" else c for c in text)
