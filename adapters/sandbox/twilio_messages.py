"""Twilio's message resources: a text is taken, fetched, listed. Answers what Twilio answers, errors included."""

from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox import twilio_templates as templates
from adapters.sandbox.phones import Phones, new_sid
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Thing
from adapters.sandbox.twilio_delivery import Delivery
from adapters.sandbox.twilio_rules import VERSION, TwilioSaysNo, check_message, segments


class Messages:
    def __init__(self, settings: SandboxSettings, phones: Phones, delivery: Delivery) -> None:
        self._settings = settings
        self._phones = phones
        self._delivery = delivery

    async def create(self, request: Request) -> Response:
        form = await request.form()
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        check_message(fields, self._settings, opted_out=self._phones.opted_out(fields.get("To", "")))
        body, buttons = templates.shown(fields)
        text = self._phones.keep(
            direction="outbound",
            ours=self._settings.our_end(fields["To"]),
            theirs=fields["To"],
            body=body,
            sid=new_sid(),
            status="queued",
            buttons=buttons,
        )
        answer, callback = JSONResponse(self._as_resource(text), status_code=201), fields.get("StatusCallback", "")
        if self._delivery.before_the_answer():
            await self._delivery.run(text, callback)
        else:
            # So that the client learns the sid before the first callback names it.
            answer.background = BackgroundTask(self._delivery.start, text, callback)
        return answer

    def fetch(self, request: Request) -> Response:
        text = self._phones.text(request.path_params["sid"])
        if text is None:
            raise TwilioSaysNo(20404, f"The requested resource {request.url.path} was not found", 404)
        return JSONResponse(self._as_resource(text))

    def list(self, request: Request) -> Response:
        asked = request.query_params
        shown = [
            resource
            for text in reversed(self._phones.texts())
            for resource in [self._as_resource(text)]
            if asked.get("To") in (None, resource["to"]) and asked.get("From") in (None, resource["from"])
            if _since(text, asked.get("DateSent>", ""))
        ]
        size, page = min(int(asked.get("PageSize", 50)), 1000), int(asked.get("Page", 0))
        path = f"/{VERSION}/Accounts/{self._settings.sms_account_sid}/Messages.json"

        def page_uri(number: int) -> str:
            return f"{path}?{urlencode(dict(asked) | {'PageSize': size, 'Page': number})}"

        return JSONResponse(
            {
                "first_page_uri": page_uri(0),
                "next_page_uri": page_uri(page + 1) if len(shown) > (page + 1) * size else None,
                "previous_page_uri": page_uri(page - 1) if page else None,
                "page": page,
                "page_size": size,
                "start": page * size,
                "end": min((page + 1) * size, len(shown)) - 1,
                "uri": page_uri(page),
                "messages": shown[page * size : (page + 1) * size],
            }
        )

    def _as_resource(self, text: Thing) -> Thing:
        account, sid = self._settings.sms_account_sid, text["sid"]
        uri = f"/{VERSION}/Accounts/{account}/Messages/{sid}"
        inbound = text["direction"] == "inbound"
        moment = format_datetime(datetime.fromisoformat(text["at"]))
        service = self._settings.sms_from
        error = text.get("error") or None
        return {
            "account_sid": account,
            "api_version": VERSION,
            "body": text["body"],
            "date_created": moment,
            "date_sent": moment if text["status"] != "queued" else None,
            "date_updated": moment,
            "direction": "inbound" if inbound else "outbound-api",
            "error_code": error,
            "error_message": f"Error {error}" if error else None,
            "from": text["number"] if inbound else text["ours"],
            "messaging_service_sid": service if service.startswith("MG") else None,
            "num_media": str(len(text.get("pictures", ()))),
            "num_segments": str(segments(text["body"])),
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": text["status"],
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": text["ours"] if inbound else text["number"],
            "uri": f"{uri}.json",
        }


def _since(text: Thing, asked: str) -> bool:
    """Twilio takes a date or a moment, both in UTC."""
    try:
        since = datetime.fromisoformat(asked)
    except ValueError:
        return True
    return datetime.fromisoformat(text["at"]) >= (since if since.tzinfo else since.replace(tzinfo=UTC))
