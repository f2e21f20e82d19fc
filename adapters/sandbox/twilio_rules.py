"""When Twilio refuses a message, and how many segments it counts. Pure."""

import re
from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from adapters.sandbox import twilio_templates as templates
from adapters.sandbox.cast import WHATSAPP
from adapters.sandbox.settings import SandboxSettings

VERSION = "2010-04-01"
MAX_CHARS = 1600
E164 = re.compile(r"\+[1-9]\d{6,14}")
GSM7 = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_DOUBLE = set("\f^{}\\[~]|€")


class TwilioSaysNo(Exception):
    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status

    def response(self) -> Response:
        body = {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }
        return JSONResponse(body, status_code=self.status)


def check_message(fields: Mapping[str, str], settings: SandboxSettings, *, opted_out: bool) -> None:
    """Raises `TwilioSaysNo` with the code Twilio would give. `opted_out`: whoever has `To` wants nothing from us."""
    to, body = fields.get("To", ""), fields.get("Body", "")
    if not to:
        raise TwilioSaysNo(21604, "A 'To' phone number is required.")
    if not E164.fullmatch(to.removeprefix(WHATSAPP)):
        raise TwilioSaysNo(21211, f"Invalid 'To' Phone Number: {to}")
    _check_sender(fields, settings)
    if to.removeprefix(WHATSAPP) == settings.our_number:
        raise TwilioSaysNo(21266, "'To' and 'From' number cannot be the same")
    if why := templates.refusal(fields):
        raise TwilioSaysNo(*why)
    if not body and "MediaUrl" not in fields and "ContentSid" not in fields:
        raise TwilioSaysNo(21602, "Message body is required.")
    if len(body) > MAX_CHARS:
        raise TwilioSaysNo(21617, "The concatenated message body exceeds the 1600 character limit")
    if opted_out:
        raise TwilioSaysNo(21610, "Attempt to send to unsubscribed recipient")


def _check_sender(fields: Mapping[str, str], settings: SandboxSettings) -> None:
    if service := fields.get("MessagingServiceSid"):
        if service != settings.sms_from:
            raise TwilioSaysNo(21701, f"The Messaging Service {service} does not exist")
    elif not fields.get("From"):
        raise TwilioSaysNo(21603, "A 'From' phone number is required.")
    elif fields["From"].startswith(WHATSAPP) != fields["To"].startswith(WHATSAPP):
        raise TwilioSaysNo(21910, "Invalid From and To pair. From and To should be of the same channel")
    elif fields["From"].removeprefix(WHATSAPP) != settings.our_number:
        raise TwilioSaysNo(21606, f"The 'From' phone number {fields['From']} is not yours to send from")


def counted(body: str) -> tuple[int, str]:
    """In how many segments it goes, and in which encoding."""
    if set(body) <= GSM7 | GSM7_DOUBLE:
        encoding, alone, joined = "GSM-7", 160, 153
        units = sum(2 if one in GSM7_DOUBLE else 1 for one in body)
    else:
        encoding, alone, joined = "UCS-2", 70, 67
        units = len(body.encode("utf-16-le", "surrogatepass")) // 2
    return max(1, -(-units // joined) if units > alone else 1), encoding


def segments(body: str) -> int:
    return counted(body)[0]


def media_path(account: str, text: str, picture: str) -> str:
    return f"/{VERSION}/Accounts/{account}/Messages/{text}/Media/{picture}"
