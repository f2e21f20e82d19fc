"""Stand-ins for Slack's and Twilio's APIs that know nothing of the sandbox: they note what they are told."""

import base64
import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from tests.helpers.halt import Halt

SECRET, TOKEN = "8f742231b10e8888abcd99yyyzzz85a5", "12345678901234567890123456789012"
ACCOUNT, NUMBER = "AC" + "a" * 32, "+15557770000"


@dataclass(frozen=True, slots=True)
class Sending:
    """A text on its way out. `who` sends it; `taken`: the carrier has it, and the sender does not know yet."""

    who: str
    to: str
    body: str
    taken: bool


class Carriers:
    """`slack` holds (method, arguments) and `texts` the forms posted to Messages, in order.

    Everything is also there below `/NAME`, for a process called so. With `shows_texts` Twilio's list of messages can
    be asked for; without, it is refused. A text waits at `halt` before it is taken, and again before the answer.
    """

    def __init__(self, *, shows_texts: bool = False) -> None:
        self.slack: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[dict[str, str]] = []
        self.listed: list[dict[str, Any]] = []
        self.lookups = 0
        self.halt: Halt[Sending] | None = None
        self.files: dict[str, tuple[str, bytes]] = {}  # of texts, by their sid: kind and bytes
        self.downloads: list[tuple[str, str]] = []  # path and authorization
        self.refuses: dict[str, str] = {}  # what Slack says of a method instead of doing it
        self._shows_texts = shows_texts
        self._ts = itertools.count(1)
        routes: list[BaseRoute] = [
            Route("/api/{method}", self._slack, methods=["POST", "GET"]),
            Route("/2010-04-01/Accounts/{sid}/Messages.json", self._messages, methods=["POST"]),
            Route("/2010-04-01/Accounts/{sid}/Messages.json", self._list, methods=["GET"]),
            Route("/2010-04-01/Accounts/{sid}/Messages/{message}/Media/{media}", self._media, methods=["GET"]),
            Route("/cdn/{media}", self._file, methods=["GET"]),
        ]
        self.app = Starlette(routes=[*routes, Mount("/{who}", routes=routes)])

    def called(self, method: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.slack if name == method]

    def posts(self, channel: str) -> dict[str, str]:
        """The texts that stand in a channel of Slack, by their time."""
        standing: dict[str, str] = {}
        for method, arguments in self.slack:
            if arguments.get("channel") != channel:
                continue
            if method == "chat.startStream":
                standing[arguments["ts"]] = arguments["markdown_text"]
            elif method in ("chat.postMessage", "chat.update"):
                standing[arguments["ts"]] = arguments["text"]
            elif method == "chat.delete":
                standing.pop(arguments["ts"], None)
        return standing

    def came_in(self, body: str, *, sender: str, sid: str) -> None:
        """The carrier has a text for us, whether or not it could hand it over."""
        self._keep(sid, sender, NUMBER, body, "inbound", "received")

    async def _slack(self, request: Request) -> JSONResponse:
        if request.headers.get("content-type", "").startswith("application/json"):
            arguments = dict(await request.json())
        else:
            arguments = {name: str(value) for name, value in (await request.form()).items()}
        arguments |= request.query_params
        for name in ("blocks", "view", "metadata"):
            if isinstance(arguments.get(name), str):
                arguments[name] = json.loads(arguments[name])
        ts = arguments.get("ts") or f"1700000000.{next(self._ts):06d}"
        method = request.path_params["method"]
        if method in self.refuses:
            return JSONResponse({"ok": False, "error": self.refuses[method]})
        self.slack.append((method, arguments | {"ts": ts}))
        return JSONResponse({"ok": True, "channel": arguments.get("channel"), "ts": ts, "message": {"ts": ts}})

    async def _messages(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        who, to, body = request.path_params.get("who", ""), form["To"], form["Body"]
        if not await self._goes_on(Sending(who, to, body, taken=False)):
            return Response(status_code=503)
        self.texts.append(form)
        sid = f"SM{len(self.texts):032d}"
        self._keep(sid, form.get("From", NUMBER), to, body, "outbound-api", "sent")
        await self._goes_on(Sending(who, to, body, taken=True))
        answer = {"sid": sid, "status": "queued", "to": to, "from": form.get("From"), "body": body}
        return JSONResponse(answer | {"account_sid": ACCOUNT, "error_code": None}, status_code=201)

    async def _media(self, request: Request) -> Response:
        """Twilio has the bytes elsewhere, for whoever comes with the address it gives."""
        self.downloads.append((request.url.path, request.headers.get("authorization", "")))
        media = request.path_params["media"]
        return RedirectResponse(f"/cdn/{media}") if media in self.files else Response(status_code=404)

    async def _file(self, request: Request) -> Response:
        self.downloads.append((request.url.path, request.headers.get("authorization", "")))
        kind, data = self.files[request.path_params["media"]]
        return Response(data, media_type=kind)

    async def _list(self, request: Request) -> JSONResponse:
        if not self._shows_texts:
            return JSONResponse({"code": 20003, "message": "Permission denied", "status": 403}, status_code=403)
        self.lookups += 1
        asked = request.query_params
        since = _time(asked.get("DateSent>"))
        shown = [
            one
            for one in reversed(self.listed)
            if asked.get("To") in (None, one["to"])
            and asked.get("From") in (None, one["from"])
            and (since is None or parsedate_to_datetime(one["date_sent"]) >= since)
        ]
        return JSONResponse({"messages": shown[: int(asked.get("PageSize", 50))], "next_page_uri": None})

    def _keep(self, sid: str, sender: str, to: str, body: str, direction: str, status: str) -> None:
        moment = format_datetime(datetime.now(UTC))
        which = {"sid": sid, "account_sid": ACCOUNT, "direction": direction, "status": status}
        times = {"date_created": moment, "date_sent": moment, "date_updated": moment}
        words = {"from": sender, "to": to, "body": body, "num_media": "0", "num_segments": "1"}
        self.listed.append({**which, **times, **words, "error_code": None, "messaging_service_sid": None})

    async def _goes_on(self, sending: Sending) -> bool:
        return self.halt is None or await self.halt.pass_by(sending)


def _time(asked: str | None) -> datetime | None:
    """Twilio takes a date or a moment; both are in UTC."""
    return datetime.fromisoformat(asked).replace(tzinfo=UTC) if asked else None


def text(public_url: str, body: str, *, sender: str, sid: str, to: str = NUMBER, token: str = TOKEN) -> dict[str, Any]:
    """A text as Twilio sends it, signed over the public address: `content` and `headers` for httpx."""
    fields = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": sender, "To": to, "Body": body, "NumMedia": "0"}
    signed = public_url + "/sms/inbound" + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
    return {"content": urlencode(fields).encode(), "headers": headers}
