"""How Slack and Twilio prove a request. Pure: no network, no clock."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping


def slack_headers(secret: str, body: bytes, timestamp: int) -> dict[str, str]:
    basis = b"v0:%d:%s" % (timestamp, body)
    digest = hmac.new(secret.encode(), basis, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": str(timestamp), "X-Slack-Signature": f"v0={digest}"}


def twilio_headers(auth_token: str, url: str, form: Mapping[str, str]) -> dict[str, str]:
    return {"X-Twilio-Signature": twilio_signature(auth_token, url, form.items())}


def twilio_signature(auth_token: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    basis = url + "".join(name + value for name, value in sorted(set(pairs)))
    return b64encode(hmac.new(auth_token.encode(), basis.encode(), hashlib.sha1).digest()).decode()
