"""Buttons below a request on WhatsApp: when there are some, and what each says when it is pressed. Pure.

A payload is no secret and proves nothing: it names the request, the verdict, and what was shown.
"""

import re

from adapters.sms import render
from gateway.events import ApprovalView, AskApproval, Outbound, Pressed, Remind, Verdict

MAX_VARIABLE = 255  # characters of a variable's value
NOT_IN_A_VARIABLE = re.compile(r"[^\S ]| {5}|\{\{")  # a newline, a tab or five spaces are refused (error 21656)
SHOWN = 16  # characters of a digest in a payload
# The form of ours. Any other button of the company's own templates is a message like any other.
PAYLOAD = re.compile(r"([\w-]{1,64}):(approve|deny)(?::([0-9a-f]{8,64}))?", re.ASCII)


def variables(message: Outbound) -> dict[str, str] | None:
    """What fills the template that shows a request and both its buttons. None: this message goes out in words.

    A button is pressed in passing: where a denial needs a reason, or approving is asked once more, it takes words.
    """
    if not isinstance(message, AskApproval | Remind) or not message.code:
        return None
    asked, text = message.approval, render.above_buttons(message)
    if asked.destructive or asked.reason_required or not (render.shows_whole(asked) or asked.approve_unseen):
        return None
    if len(text) > MAX_VARIABLE or NOT_IN_A_VARIABLE.search(text):
        return None
    return {"1": text, "2": payload(asked, Verdict.APPROVE), "3": payload(asked, Verdict.DENY)}


def misfit(types: object) -> str:
    """Why a template with these contents does not show a request; empty: it does."""
    reply = types.get("twilio/quick-reply") if isinstance(types, dict) else None
    if not isinstance(reply, dict):
        return "it is no twilio/quick-reply"
    actions = reply.get("actions")
    says = [one.get("id") for one in actions if isinstance(one, dict)] if isinstance(actions, list) else []
    if "{{1}}" not in str(reply.get("body")):
        return "its body has no {{1}}"
    return "" if says == ["{{2}}", "{{3}}"] else "its two actions must have the ids {{2}} (approve) and {{3}} (deny)"


def payload(asked: ApprovalView, verdict: Verdict) -> str:
    """`<request>:approve:<beginning of the digest>`: after an edit the old button approves nothing."""
    return f"{asked.id}:{verdict.value}:{asked.digest[:SHOWN]}"


def read(written: str) -> Pressed | None:
    """What was pressed. None: no button of ours."""
    found = PAYLOAD.fullmatch(written)
    return found and Pressed(approval_id=found[1], verdict=Verdict(found[2]), digest=found[3] or "")
