"""Twilio's endpoints and its REST API: the only I/O of SMS."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from adapters.sms import inbound, render
from gateway import clocks
from gateway.errors import GiveUp, KeyRefused, TryLater, Uncertain, Unknowable, WillNeverArrive
from gateway.events import ApprovalView, MediaRef, Outbound, Receipt, ThreadRef
from gateway.ports import Blob, Clock, Door, Finding, Missed, Pace
from gateway.web.guard import capped_body, refusing

log = logging.getLogger(__name__)

MAX_BODY = 256 * 1024  # bytes; Twilio's largest webhook is a few KB
TIMEOUT_S = 15.0
MOST_MISSED = 10_000
LOOK_BACK = 50  # texts to one person, newest first
CLOCKS_APART = timedelta(minutes=5)
TOO_MANY = 20429  # Twilio's code beside HTTP 429
EMPTY = Response("<Response/>", media_type="text/xml")


class SmsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    account_sid: str = Field(pattern=r"^AC\w+$")
    auth_token: SecretStr
    sender: str = Field(alias="from", min_length=1)
    api_url: str = ""

    @field_validator("auth_token")
    @classmethod
    def has_one(cls, tokens: SecretStr) -> SecretStr:
        if not tokens.get_secret_value().replace(",", " ").strip():
            raise ValueError("it holds no token: set it to the account's auth token, or to several, newest first")
        return tokens

    @property
    def tokens(self) -> list[str]:
        """Newest first; more than one during a rotation."""
        return [token.strip() for token in self.auth_token.get_secret_value().split(",") if token.strip()]


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
        self._http = AsyncTwilioHttpClient(pool_connections=True, timeout=TIMEOUT_S)
        self._client = Client(settings.account_sid, settings.tokens[0], http_client=self._http)
        if settings.api_url:
            self._client.api.base_url = settings.api_url.rstrip("/")

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        async def text(request: Request) -> Response:
            event = inbound.read(await self._proven(request), ours=self._settings.sender)
            await door.inbox.add(event)
            return EMPTY

        async def status(request: Request) -> Response:
            await door.inbox.report(inbound.read_status(await self._proven(request)))
            return EMPTY

        return [
            Route("/sms/inbound", refusing(text), methods=["POST"]),
            Route("/sms/status", refusing(status), methods=["POST"]),
        ]

    async def _proven(self, request: Request) -> FormData:
        body = await capped_body(request, MAX_BODY)
        query = request.url.query
        url = self._public_url().rstrip("/") + request.url.path + (f"?{query}" if query else "")
        signature = request.headers.get("x-twilio-signature")
        settings = self._settings
        return inbound.proven_form(url, body, signature, tokens=settings.tokens, account_sid=settings.account_sid)

    @property
    def by_code(self) -> bool:
        return True

    def parts(self, text: str) -> Sequence[str]:
        return [text]

    def shows_whole(self, approval: ApprovalView) -> bool:
        return render.shows_whole(approval)

    def lane(self, to: ThreadRef) -> str:
        return f"sms:{to.key}"

    def pace(self, lane: str) -> Pace | None:
        return None

    async def send(self, message: Outbound) -> Receipt:
        text, ours = render.text_for(message), message.to.account or self._settings.sender
        sender = {"messaging_service_sid": ours} if ours.startswith("MG") else {"from_": ours}
        callback = self._public_url().rstrip("/") + "/sms/status"
        try:
            sent = await self._client.messages.create_async(
                to=message.to.key, body=text, status_callback=callback, **sender
            )
        except TwilioRestException as error:
            raise _ours(error) from error
        except aiohttp.ClientConnectorError as error:
            raise TryLater("Twilio cannot be reached") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:  # ValueError: an answer that is no JSON
            raise Uncertain("Twilio's answer was lost") from error
        if not sent.sid:
            raise Uncertain("Twilio's answer had no sid")
        return Receipt(provider_id=sent.sid, segments=_number(sent.num_segments))

    async def find(self, message: Outbound) -> Receipt | None:
        """The newest text to this person with these words, not older than our first try. Twilio takes no id of ours."""
        since = message.queued_at
        if since is None:
            raise Unknowable("nobody knows when it was first tried")
        try:
            texts = await self._client.messages.list_async(to=message.to.key, limit=LOOK_BACK)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryLater("Twilio cannot be asked at the moment") from error
        except (TwilioException, ValueError) as error:
            if _passing(error):
                raise TryLater("Twilio cannot be asked at the moment") from error
            raise Unknowable("Twilio does not show us its messages") from error
        words = render.text_for(message)
        same = [text for text in texts if text.body == words and text.sid and _not_before(text.date_created, since)]
        same.sort(key=lambda text: text.date_created or since, reverse=True)
        return Receipt(provider_id=str(same[0].sid)) if same else None

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
            if str(text.direction) != "inbound" and text.date_created and text.to and text.sid:
                sent.setdefault(text.to, []).append((text.date_created, text.sid))
        came = [text for text in texts if str(text.direction) == "inbound" and (text.date_created or since) > since]
        events = [inbound.from_list(text, ours=self._settings.sender) for text in came]
        read = sorted((event for event in events if event), key=lambda event: event.sent_at or since)
        return [Missed(event, _after(sent.get(event.sender.address, []), event.sent_at)) for event in read]

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        raise GiveUp("files of text messages are not fetched yet")

    async def check(self) -> Sequence[Finding]:
        """Is the account active, is what we send from in it, and are we at one about the time?"""
        before = self._clock()
        try:
            answer = await self._client.api.v2010.accounts(self._settings.account_sid).fetch_with_http_info_async()
            after, has_sender = self._clock(), await self._has_sender()
        except (aiohttp.ClientError, TimeoutError):
            return [Finding(False, "sms: Twilio cannot be reached", "see SMS__API_URL and this machine's network")]
        except TwilioRestException as error:
            return [Finding(False, f"sms: {_ours(error)}", "see SMS__ACCOUNT_SID and SMS__AUTH_TOKEN")]
        except (TwilioException, ValueError):
            return [Finding(False, "sms: Twilio's answer cannot be read", "see SMS__API_URL")]
        account = Finding(answer.data.status == "active", f"sms: the Twilio account is {answer.data.status}")
        sender = Finding(has_sender, f"sms: {self._settings.sender} is {'in' if has_sender else 'not in'} the account")
        if not has_sender:
            sender = replace(sender, advice="see SMS__FROM")
        return [account, sender, *clocks.by_header("sms", (answer.headers or {}).get("Date"), before, after)]

    async def _has_sender(self) -> bool:
        ours = self._settings.sender
        if ours.startswith("MG"):
            if self._settings.api_url:
                self._client.messaging.base_url = self._settings.api_url.rstrip("/")
            try:
                return bool((await self._client.messaging.v1.services(ours).fetch_async()).sid)
            except TwilioRestException as error:
                if error.status == 404:
                    return False
                raise
        if ours.startswith("+"):
            numbers = await self._client.incoming_phone_numbers.list_async(phone_number=ours, limit=LOOK_BACK)
            return any(one.phone_number == ours for one in numbers)
        return any(one.short_code == ours for one in await self._client.short_codes.list_async(short_code=ours))

    async def aclose(self) -> None:
        await self._http.close()


def _after(sent: Sequence[tuple[datetime, str]], then: datetime | None) -> tuple[str, ...]:
    return tuple(sid for at, sid in sent if then is None or at >= then)


def _number(written: object) -> int:
    return int(written) if isinstance(written, str) and written.isascii() and written.isdigit() else 0


def _passing(error: Exception) -> bool:
    """A page that did not come: the client keeps the answer as the second argument of its error."""
    status = getattr(error.args[1], "status_code", 0) if len(error.args) > 1 else 0
    return bool(status == 429 or status >= 500)


def _not_before(created: datetime | None, since: datetime) -> bool:
    """Twilio's clock is not ours. What is older and was ours is known by its receipt."""
    return created is not None and created >= since - CLOCKS_APART


def _ours(error: TwilioRestException) -> Exception:
    said = f"Twilio said {error.status}, code {error.code}"
    if error.status == 429 or error.code == TOO_MANY:
        return TryLater(said)
    if error.status >= 500:
        return Uncertain(said)
    if error.status in (401, 403):
        return KeyRefused(f"{said}: check SMS__ACCOUNT_SID and SMS__AUTH_TOKEN")
    return WillNeverArrive(said)
