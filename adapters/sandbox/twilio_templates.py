"""The one content template that Twilio has in the sandbox: a request with two quick replies on WhatsApp. Pure."""

import json
import re
from collections.abc import Mapping

SID = "HX" + "0" * 31 + "1"
BODY = "A request waits for your decision: {{1}} Please choose one of the buttons below."
TITLES = {"2": "Approve", "3": "Deny"}
MAX_BODY = 1024
Buttons = list[dict[str, str]]


def definition() -> dict[str, object]:
    actions = [{"type": "QUICK_REPLY", "title": title, "id": f"{{{{{key}}}}}"} for key, title in TITLES.items()]
    return {"sid": SID, "types": {"twilio/quick-reply": {"body": BODY, "actions": actions}}}


def approval() -> dict[str, object]:
    return {"sid": SID, "whatsapp": {"type": "whatsapp", "name": "gatehouse_request", "status": "approved"}}


def refusal(fields: Mapping[str, str]) -> tuple[int, str] | None:
    """The code and the words with which Twilio refuses a message for its template."""
    sid, written = fields.get("ContentSid"), fields.get("ContentVariables")
    if sid is None:
        return (21654, "ContentSid Required") if written is not None else None
    if sid != SID:
        return 21655, f"The ContentSid {sid} is invalid"
    if "Body" in fields:
        return 21602, "Body and ContentSid exclude each other"
    values = _values(written or "{}")
    if set(values) != {"1", *TITLES} or not all(map(_can_be_filled_in, values.values())):
        return 21656, "The ContentVariables Parameter is invalid"
    if len(BODY.replace("{{1}}", values["1"])) > MAX_BODY:
        return 63021, "Channel invalid content error"
    return None


def shown(fields: Mapping[str, str]) -> tuple[str, Buttons]:
    """What stands on the phone: the text, and the buttons with what each says when it is pressed."""
    if "ContentSid" not in fields:
        return fields.get("Body", ""), []
    values = _values(fields["ContentVariables"])
    return BODY.replace("{{1}}", values["1"]), [{"title": name, "payload": values[key]} for key, name in TITLES.items()]


def _values(written: str) -> dict[str, str]:
    try:
        values = json.loads(written)
    except ValueError:
        return {}
    return values if isinstance(values, dict) and all(isinstance(one, str) for one in values.values()) else {}


def _can_be_filled_in(value: str) -> bool:
    """Twilio takes no empty value, and none with a newline, a tab or more than four spaces in a row."""
    return bool(value) and not re.search(r"[\n\r\t]| {5}", value)
