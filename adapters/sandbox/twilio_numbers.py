"""What an account has at Twilio: itself, its number, short code or service, and where these send what comes in.

As the sandbox is set up for its gateway, unless a test says how somebody set it up otherwise.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.state import Notebook, Thing
from adapters.sandbox.twilio_rules import VERSION, TwilioSaysNo

DATE = "Thu, 01 Jan 2026 00:00:00 +0000"
ISO_DATE = "2026-01-01T00:00:00Z"
NUMBER = "PN" + "0" * 32
SHORT_CODE = "SC" + "0" * 32


class Numbers:
    def __init__(self, settings: SandboxSettings, notes: Notebook) -> None:
        self._settings = settings
        self._notes = notes

    def set(self, what: str, **words: Any) -> None:
        """Somebody changes `what` at Twilio: account, number, short_code or service. `gone=True`: it is taken away."""
        self._notes.put("at_twilio", what, (self._notes.get("at_twilio", what) or {}) | words)

    def account(self) -> Thing:
        sid = self._settings.sms_account_sid
        usual = {
            "sid": sid,
            "owner_account_sid": sid,
            "friendly_name": "Sandbox",
            "status": "active",
            "type": "Trial",
            "auth_token": None,
            "date_created": DATE,
            "date_updated": DATE,
            "uri": f"/{VERSION}/Accounts/{sid}.json",
            "subresource_uris": {"messages": f"/{VERSION}/Accounts/{sid}/Messages.json"},
        }
        return usual | self._changes("account")

    def list_numbers(self, request: Request) -> Response:
        asked, number = request.query_params.get("PhoneNumber", ""), self._number()
        mine = not self._is_short(self._settings.our_number) and asked in number["phone_number"]
        return self._page(request, "incoming_phone_numbers", [number] if mine else [])

    def list_short_codes(self, request: Request) -> Response:
        asked, code = request.query_params.get("ShortCode", ""), self._short_code()
        mine = self._is_short(self._settings.our_number) and asked in code["short_code"]
        return self._page(request, "short_codes", [code] if mine else [])

    def service(self, request: Request) -> Response:
        self._check_service(request)
        sid = self._settings.sms_from
        usual = {
            "account_sid": self._settings.sms_account_sid,
            "sid": sid,
            "friendly_name": "Sandbox",
            "date_created": ISO_DATE,
            "date_updated": ISO_DATE,
            "inbound_request_url": self._inbound,
            "inbound_method": "POST",
            "fallback_url": self._inbound,
            "fallback_method": "POST",
            "status_callback": None,
            "sticky_sender": True,
            "mms_converter": True,
            "smart_encoding": False,
            "area_code_geomatch": True,
            "validity_period": 36000,
            "usecase": "undeclared",
            "us_app_to_person_registered": False,
            "use_inbound_webhook_on_number": False,
            "url": f"https://messaging.twilio.com/v1/Services/{sid}",
            "links": {"phone_numbers": f"https://messaging.twilio.com/v1/Services/{sid}/PhoneNumbers"},
        }
        return JSONResponse(usual | self._changes("service"))

    def service_numbers(self, request: Request) -> Response:
        self._check_service(request)
        number = self._number()
        able = [
            name for key, name in (("mms", "MMS"), ("sms", "SMS"), ("voice", "Voice")) if number["capabilities"][key]
        ]
        row = {
            "account_sid": self._settings.sms_account_sid,
            "service_sid": self._settings.sms_from,
            "sid": number["sid"],
            "date_created": ISO_DATE,
            "date_updated": ISO_DATE,
            "phone_number": number["phone_number"],
            "country_code": "US",
            "capabilities": able,
            "url": f"https://messaging.twilio.com/v1/Services/{self._settings.sms_from}/PhoneNumbers/{number['sid']}",
        }
        return self._meta_page(request, "phone_numbers", [] if "gone" in number else [row])

    def service_short_codes(self, request: Request) -> Response:
        self._check_service(request)
        return self._meta_page(request, "short_codes", [])

    @property
    def _inbound(self) -> str:
        return self._settings.public_url.rstrip("/") + "/sms/inbound#rc=3&rp=all"

    def _number(self) -> Thing:
        account = self._settings.sms_account_sid
        usual = {
            "sid": NUMBER,
            "account_sid": account,
            "phone_number": self._settings.our_number,
            "friendly_name": "Sandbox",
            "api_version": VERSION,
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "date_created": DATE,
            "date_updated": DATE,
            "sms_application_sid": "",
            "sms_url": self._inbound,
            "sms_method": "POST",
            "sms_fallback_url": self._inbound,
            "sms_fallback_method": "POST",
            "status_callback": "",
            "status": "in-use",
            "uri": f"/{VERSION}/Accounts/{account}/IncomingPhoneNumbers/{NUMBER}.json",
        }
        return usual | self._changes("number")

    def _short_code(self) -> Thing:
        account = self._settings.sms_account_sid
        usual = {
            "sid": SHORT_CODE,
            "account_sid": account,
            "short_code": self._settings.our_number,
            "friendly_name": "Sandbox",
            "api_version": VERSION,
            "date_created": DATE,
            "date_updated": DATE,
            "sms_url": self._inbound,
            "sms_method": "POST",
            "sms_fallback_url": self._inbound,
            "sms_fallback_method": "POST",
            "uri": f"/{VERSION}/Accounts/{account}/SMS/ShortCodes/{SHORT_CODE}.json",
        }
        return usual | self._changes("short_code")

    def _changes(self, what: str) -> Thing:
        return self._notes.get("at_twilio", what) or {}

    def _check_service(self, request: Request) -> None:
        sid = request.path_params["service"]
        if sid != self._settings.sms_from or "gone" in self._changes("service"):
            raise TwilioSaysNo(20404, f"The requested resource /Services/{sid} was not found", 404)

    @staticmethod
    def _is_short(number: str) -> bool:
        return not number.startswith("+")

    def _page(self, request: Request, name: str, rows: list[Thing]) -> Response:
        shown = [row for row in rows if "gone" not in row]
        uri = f"{request.url.path.removeprefix('/sandbox/twilio')}?PageSize=50&Page=0"
        page = {"first_page_uri": uri, "next_page_uri": None, "previous_page_uri": None, "page": 0, "page_size": 50}
        return JSONResponse(page | {"start": 0, "end": max(len(shown) - 1, 0), "uri": uri, name: shown})

    def _meta_page(self, request: Request, name: str, rows: list[Thing]) -> Response:
        url = f"https://messaging.twilio.com{request.url.path.removeprefix('/sandbox/twilio')}?PageSize=50&Page=0"
        pages = {"first_page_url": url, "next_page_url": None, "previous_page_url": None, "url": url}
        return JSONResponse({"meta": {"page": 0, "page_size": 50, "key": name, **pages}, name: rows})
