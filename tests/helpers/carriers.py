"""Stand-ins for Slack's and Twilio's APIs that know nothing of the sandbox: they note what they are told."""

import base64
import hashlib
import hmac
import itertools
import json
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

SECRET, TOKEN = "8f742231b10e8888abcd99yyyzzz85a5", "12345678901234567890123456789012"
ACCOUNT, NUMBER = "AC" + "a" * 32, "+15557770000"


class Carriers:
    """`slack` holds (method, arguments) and `texts` the forms posted to Messages, in order."""

    def __init__(self) -> None:
        self.slack: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[dict[str, str]] = []
        self._ts = itertools.count(1)
        self.app = Starlette(
            routes=[
                Route("/api/{method}", self._slack, methods=["POST", "GET"]),
                Route("/2010-04-01/Accounts/{sid}/Messages.json", self._messages, methods=["POST"]),
            ]
        )

    def called(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.slack if name == method]

    async def _slack(self, request: Request) -> JSONResponse:
        if request.headers.get("content-type", "").startswith("application/json"):
            arguments = dict(await request.json())
        else:
            arguments = {name: str(value) for name, value in (await request.form()).items()}
        for name in ("blocks", "view", "metadata"):
            if isinstance(arguments.get(name), str):
                arguments[name] = json.loads(arguments[name])
        self.slack.append((request.path_params["method"], arguments))
        ts = arguments.get("ts") or f"1700000000.{next(self._ts):06d}"
        return JSONResponse({"ok": True, "channel": arguments.get("channel"), "ts": ts, "message": {"ts": ts}})

    async def _messages(self, request: Request) -> JSONResponse:
        form = {name: str(value) for name, value in (await request.form()).items()}
        self.texts.append(form)
        sid = f"SM{len(self.texts):032d}"
        body = {"sid": sid, "status": "queued", "to": form["To"], "from": form.get("From"), "body": form["Body"]}
        return JSONResponse(body | {"account_sid": ACCOUNT, "error_code": None}, status_code=201)


def text(public_url: str, body: str, *, sender: str, sid: str, to: str = NUMBER, token: str = TOKEN) -> dict[str, Any]:
    """A text as Twilio sends it, signed over the public address: `content` and `headers` for httpx."""
    fields = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": sender, "To": to, "Body": body, "NumMedia": "0"}
    signed = public_url + "/sms/inbound" + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    return {"content": urlencode(fields).encode(), "headers": headers}
