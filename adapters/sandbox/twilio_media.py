"""Twilio's media resources: what a text carries, asked for with credentials; its bytes, after a redirect, without."""

from datetime import datetime
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from adapters.sandbox.pictures import Pictures
from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Thing
from adapters.sandbox.twilio_rules import VERSION, TwilioSaysNo, media_path

# Somebody's file, from our own origin: a browser runs nothing that is in it.
HARMLESS = {"Content-Security-Policy": "default-src 'none'; sandbox", "X-Content-Type-Options": "nosniff"}


class Media:
    def __init__(self, settings: SandboxSettings, pictures: Pictures) -> None:
        self._settings = settings
        self._pictures = pictures

    def list(self, request: Request) -> Response:
        text, found = request.path_params["sid"], self._pictures.of(request.path_params["sid"])
        uri = f"/{VERSION}/Accounts/{self._settings.sms_account_sid}/Messages/{text}/Media.json?PageSize=50&Page=0"
        page = {"first_page_uri": uri, "next_page_uri": None, "previous_page_uri": None, "page": 0, "page_size": 50}
        rows = [self._as_resource(one) for one in found]
        return JSONResponse(page | {"start": 0, "end": max(len(rows) - 1, 0), "uri": uri, "media_list": rows})

    def fetch(self, request: Request) -> Response:
        """Without `.json`: where the bytes are, for whoever holds that address."""
        one = self._found(request)
        if request.path_params["media"].endswith(".json"):
            return JSONResponse(self._as_resource(one))
        return RedirectResponse(f"{self._settings.base}/sandbox/twilio-media/{one['key']}", 307)

    def delete(self, request: Request) -> Response:
        self._pictures.remove(self._found(request)["sid"])
        return Response(status_code=204)

    async def bytes(self, request: Request) -> Response:
        found = self._pictures.by_key(request.path_params["key"])
        if found is None:
            return Response("Not Found", status_code=404, headers=HARMLESS)
        return Response(found[0], media_type=found[1], headers=HARMLESS)

    def _found(self, request: Request) -> Thing:
        sid = request.path_params["media"].removesuffix(".json")
        one = self._pictures.find(request.path_params["sid"], sid)
        if one is None:
            raise TwilioSaysNo(20404, f"The requested resource {request.url.path} was not found", 404)
        return one

    def _as_resource(self, one: Thing) -> Thing:
        at = format_datetime(datetime.fromisoformat(one["at"]))
        return {
            "sid": one["sid"],
            "account_sid": self._settings.sms_account_sid,
            "parent_sid": one["text"],
            "content_type": one["type"],
            "date_created": at,
            "date_updated": at,
            "uri": media_path(self._settings.sms_account_sid, one["text"], one["sid"]) + ".json",
        }
