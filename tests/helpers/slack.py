"""Slack's requests, made and signed by hand: an events callback, a click, a submitted form."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode


def signed(secret: str, payload: dict[str, Any], *, at: float | None = None) -> dict[str, Any]:
    """`content` and `headers` for httpx: JSON for an event, a form for what a person clicked."""
    if "event" in payload or payload.get("type") in ("url_verification", "app_rate_limited"):
        content, kind = json.dumps(payload).encode(), "application/json"
    else:
        content = urlencode({"payload": json.dumps(payload)}).encode()
        kind = "application/x-www-form-urlencoded"
    return {"content": content, "headers": headers_for(secret, content, at=at) | {"content-type": kind}}


def headers_for(secret: str, content: bytes, *, at: float | None = None) -> dict[str, str]:
    """The proof of these bytes."""
    stamp = str(int(time.time() if at is None else at))
    proof = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + content, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={proof}"}


def message(
    text: str, *, user: str = "U0CUSTOMER", channel: str = "D0CUSTOMER", ts: str, **more: Any
) -> dict[str, Any]:
    event = {"type": "message", "channel_type": "im", "user": user, "channel": channel, "ts": ts, "text": text, **more}
    grants = [{"team_id": "T0TEAM", "user_id": "U0BOT", "is_bot": True}]
    return {
        "type": "event_callback",
        "team_id": "T0TEAM",
        "api_app_id": "A0APP",
        "event_id": f"Ev{ts.replace('.', '')}{event['type']}",
        "event_time": int(float(ts)),
        "authorizations": grants,
        "event": event,
    }


def click(user: str, team: str, channel: str, card: dict[str, Any], action: str, **more: Any) -> dict[str, Any]:
    rows = [block for block in card["blocks"] if block["type"] == "actions"]
    row, button = next((row, one) for row in rows for one in row["elements"] if one["action_id"] == action)
    where = {"block_id": row["block_id"], "action_ts": "1.0"}
    pressed = {"type": "button", "action_id": action, "value": button["value"], **where}
    return {
        "type": "block_actions",
        "api_app_id": "A0APP",
        "token": "legacy",
        "trigger_id": "1.2.abc",
        "user": {"id": user, "name": user.lower(), "team_id": team},
        "team": {"id": team, "domain": "acme"},
        "container": {"type": "message", "message_ts": card["ts"], "channel_id": channel},
        "channel": {"id": channel, "name": "ops"},
        "message": {"ts": card["ts"], "blocks": card["blocks"]},
        "actions": [pressed],
        **more,
    }
