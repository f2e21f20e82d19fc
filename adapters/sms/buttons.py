"""Buttons below a request on WhatsApp: what each says when it is pressed. Pure.

A payload is no secret and proves nothing: it names the request, the verdict, and what was shown.
"""

import re

from gateway.events import ApprovalView, Pressed, Verdict

SHOWN = 16  # characters of a digest in a payload
# The form of ours. Any other button of the company's own templates is a message like any other.
PAYLOAD = re.compile(r"([\w-]{1,64}):(approve|deny)(?::([0-9a-f]{8,64}))?", re.ASCII)


def payload(asked: ApprovalView, verdict: Verdict) -> str:
    """`<request>:approve:<beginning of the digest>`: after an edit the old button approves nothing."""
    return f"{asked.id}:{verdict.value}:{asked.digest[:SHOWN]}"


def read(written: str) -> Pressed | None:
    """What was pressed. None: no button of ours."""
    found = PAYLOAD.fullmatch(written)
    return found and Pressed(approval_id=found[1], verdict=Verdict(found[2]), digest=found[3] or "")
