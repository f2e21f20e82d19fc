"""SMS through Twilio's REST API: sends, looks up, reads its list."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
from starlette.routing import BaseRoute
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from adapters.sms import buttons, inbound, keywords, lookup, render, replies
from adapters.sms.checks import Checks
from adapters.sms.client import Http, asked_to_wait
from adapters.sms.endpoint import Endpoint
from adapters.sms.lookup import segments_of
from adapters.sms.media import Media
from adapters.sms.refusals import meaning
from adapters.sms.settings import SmsSettings
from adapters.sms.template_check import TemplateCheck
from gateway.errors import TryLater, Uncertain, Unknowable
from gateway.events import ApprovalView, MediaRef, Outbound, Receipt, ThreadRef
from gateway.ports import Blob, Clock, Door, Finding, Missed, Pace

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
MOST_MISSED = 10_000
PERSON = Pace(timedelta(seconds=1), burst=5)  # Twilio drops what is over 30 texts to one number in 30 s (error 14107)


def _now() -> datetime:
    return datetime.now(UTC)


class SmsChannel:
    name = "sms"

    def __init__(self, settings: SmsSettings, *, public_url: Callable[[], str], clock: Clock = _now) -> None:
        """Made inside the running loop: it keeps one HTTP session until `aclose`."""
        self._settings = settings
        self._clock = clock
        self._public_url = public_url
        # No retries inside the client: it would repeat a POST, and the person would get the text twice.
        self._http = Http(pool_connections=True, timeout=TIMEOUT_S)
        self._client = Client(settings.account_sid, settings.tokens[0], http_client=self._http)
        if settings.api_url:
            self._client.api.base_url = settings.api_url.rstrip("/")
        self._checks = Checks(settings, self._client, clock, public_url)
        self._template = TemplateCheck(settings, self._client)
        self._media = Media(settings, self._client, self._http)

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        return Endpoint(self._settings, self._public_url).routes(door)

    @property
    def by_code(self) -> bool:
        return True

    @property
    def keeps_order(self) -> bool:
        return False

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        return replies.parts(to, text, link=link)

    def page(self, to: ThreadRef, text: str) -> str | None:
        return replies.page(to, text, most=self._settings.most_segments)

    def shows_whole(self, approval: ApprovalView) -> bool:
        return render.shows_whole(approval)

    def lane(self, to: ThreadRef) -> str:
        return f"sms:{to.key}"

    def pace(self, lane: str) -> Sequence[Pace]:
        rate = self._settings.rate
        return [PERSON, Pace(timedelta(seconds=1 / rate), burst=1, of="sms")] if rate else [PERSON]

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        """What came there through our messaging service is about the number of ours that we write from, too."""
        account = to.account if to.account != self._settings.sender else ""
        return keywords.consent_of(replace(to, account=account), ours=self._settings.sender_to(to.key))

    async def send(self, message: Outbound) -> Receipt:
        ours = self._sender_of(message)
        sender = {"messaging_service_sid": ours} if ours.startswith("MG") else {"from_": ours}
        callback = self._public_url().rstrip("/") + "/sms/status"
        try:
            sent = await self._client.messages.create_async(
                to=message.to.key, status_callback=callback, **sender, **self._content(message)
            )
        except TwilioRestException as error:
            raise meaning(error, retry_after=asked_to_wait()) from error
        except aiohttp.ClientConnectorError as error:
            raise TryLater("Twilio cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise Uncertain("Twilio's answer was lost") from error
        if not sent.sid:
            raise Uncertain("Twilio's answer had no sid")
        return Receipt(provider_id=sent.sid, segments=segments_of(sent))

    def _sender_of(self, message: Outbound) -> str:
        return message.to.account or self._settings.sender_to(message.to.key)

    def _content(self, message: Outbound) -> dict[str, str]:
        """Words; on WhatsApp a request as the template with its buttons, which also goes out after the 24 hours."""
        if (filled := self._filled(message)) is None:
            return {"body": render.text_for(message)}
        return {"content_sid": self._settings.whatsapp_template, "content_variables": json.dumps(filled)}

    def _filled(self, message: Outbound) -> dict[str, str] | None:
        has_buttons = self._settings.whatsapp_template and message.to.key.startswith(inbound.WHATSAPP)
        return buttons.variables(message) if has_buttons else None

    async def find(self, message: Outbound) -> Receipt | None:
        since = message.queued_at
        if since is None:
            raise Unknowable("nobody knows when it was first tried")
        filled, words = self._filled(message), render.text_for(message)
        return await lookup.find(
            self._client,
            to=message.to.key,
            ours=self._sender_of(message),
            since=since,
            says=lambda body: filled["1"] in body if filled else body == words,
        )

    async def missed(self, since: datetime) -> Sequence[Missed]:
        """Twilio calls a webhook once; what met a closed door is only in its list of messages."""
        try:
            texts = await self._client.messages.list_async(date_sent_after=since, limit=MOST_MISSED, page_size=1000)
        except (aiohttp.ClientError, TimeoutError, TwilioException, ValueError) as error:
            raise TryLater("Twilio's list of messages cannot be read at the moment") from error
        if len(texts) == MOST_MISSED:
            log.warning("Twilio lists %s texts or more since %s: the oldest are not looked at", MOST_MISSED, since)
        sent: dict[str, list[tuple[datetime, str]]] = {}
        for text in texts:
            if str(text.direction) == "outbound-api" and text.date_created and text.to and text.sid:
                sent.setdefault(text.to, []).append((text.date_created, text.sid))
        came = [text for text in texts if str(text.direction) == "inbound" and (text.date_created or since) > since]
        ours = {"ours": self._settings.sender, "whatsapp": self._settings.whatsapp}
        events = [inbound.from_list(text, **ours) for text in came]
        read = sorted((event for event in events if event), key=lambda event: event.sent_at or since)
        return [Missed(event, _after(sent.get(event.sender.address, []), event.sent_at)) for event in read]

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        return await self._media.fetch(media, most)

    async def check(self) -> Sequence[Finding]:
        return [*await self._checks.findings(), *await self._template.findings()]

    async def aclose(self) -> None:
        await self._http.close()  # type: ignore[no-untyped-call]


def _after(sent: Sequence[tuple[datetime, str]], then: datetime | None) -> tuple[str, ...]:
    return tuple(sid for at, sid in sent if then is None or at >= then)
