"""What came with a text: downloaded from Twilio's API with the account's credentials, which go nowhere else."""

from urllib.parse import urljoin

import aiohttp
from twilio.base.exceptions import TwilioException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from yarl import URL

from adapters.sms import kinds
from adapters.sms.places import Places
from adapters.sms.settings import SmsSettings
from gateway.errors import FileTooLarge, GiveUp, KeyRefused, TryLater
from gateway.events import MediaRef
from gateway.ports import Blob

GONE = "it is gone from Twilio"
FORBIDDEN = "Twilio does not let us have it"
ELSEWHERE = "it is not kept with our account at Twilio"
ANOTHER_KIND = "files of its kind are not taken from texts"
REFUSED = "Twilio said 401 when asked for a file: check SMS__ACCOUNT_SID and SMS__AUTH_TOKEN"
TIMEOUT_S = 30.0
MOST_HOPS = 3
MOST_LISTED = 20
REDIRECTS = (301, 302, 303, 307, 308)


class Media:
    def __init__(self, settings: SmsSettings, client: Client, http: AsyncTwilioHttpClient) -> None:
        self._places = Places(settings.account_sid, settings.api_url)
        self._credentials = aiohttp.BasicAuth(settings.account_sid, settings.tokens[0])
        self._client = client
        self._http = http

    async def fetch(self, media: MediaRef, most: int) -> Blob:
        """Its bytes. Raises `TryLater` or `GiveUp`."""
        where, said = media.where, kinds.kind_of(media.mime_type)
        if listed := self._places.listed(where):
            where, said = await self._listed(*listed)
        path = self._places.path_of(where)
        if path is None:
            raise GiveUp(ELSEWHERE)
        if said not in kinds.GENERIC and not kinds.is_taken(said):
            raise GiveUp(ANOTHER_KIND)
        data, answered = await self._download(self._places.api + path, most)
        kind = kinds.settled(said, answered)
        if not kinds.is_taken(kind):
            raise GiveUp(ANOTHER_KIND)
        return Blob(data, kind, media.name or kinds.name_of(kind))

    async def _listed(self, message: str, number: int) -> tuple[str, str]:
        """Where the file is and of what type: the list of messages only counts them."""
        try:
            files = await self._client.messages(message).media.list_async(limit=MOST_LISTED)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryLater("Twilio cannot be asked for a file at the moment") from error
        except (TwilioException, ValueError) as error:
            raise _refusal(error) from error
        files.sort(key=lambda file: str(file.sid))
        if number >= len(files):
            raise GiveUp(GONE)
        uri = str(files[number].uri).removesuffix(".json")
        return self._places.api + uri, kinds.kind_of(str(files[number].content_type))

    async def _download(self, url: str, most: int) -> tuple[bytes, str]:
        """The bytes, and what type the answer says they are."""
        credentials: aiohttp.BasicAuth | None = self._credentials
        try:
            for _ in range(1 + MOST_HOPS):
                async with self._get(url, credentials) as answer:
                    if answer.status not in REDIRECTS:
                        _check(answer, asked_with_credentials=credentials is not None)
                        return await _capped(answer, most), answer.content_type
                    url, credentials = urljoin(url, answer.headers.get("Location", "")), None
                if not self._places.may_follow(url):
                    raise GiveUp(ELSEWHERE)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryLater(f"a file of Twilio's could not be downloaded ({type(error).__name__})") from error
        except ValueError as error:  # an address that is none
            raise GiveUp(ELSEWHERE) from error
        raise GiveUp(ELSEWHERE)

    def _get(self, url: str, credentials: aiohttp.BasicAuth | None) -> "aiohttp.client._RequestContextManager":
        assert self._http.session is not None
        return self._http.session.get(
            URL(url, encoded=True),  # as it came: written anew, the signature in it would not hold
            auth=credentials,
            allow_redirects=False,
            headers={"Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )


def _check(answer: aiohttp.ClientResponse, *, asked_with_credentials: bool) -> None:
    if answer.status == 429 or answer.status >= 500:
        wait = answer.headers.get("Retry-After", "")
        raise TryLater(f"Twilio said HTTP {answer.status}", retry_after=float(wait) if wait.isdecimal() else None)
    if answer.status in (404, 410):
        raise GiveUp(GONE)
    if answer.status == 401 and asked_with_credentials:
        raise KeyRefused(REFUSED)
    if answer.status != 200:
        raise GiveUp(FORBIDDEN)


async def _capped(answer: aiohttp.ClientResponse, most: int) -> bytes:
    if (answer.content_length or 0) > most:
        raise FileTooLarge(f"it has {answer.content_length} bytes")
    data = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        data += piece
        if len(data) > most:
            raise FileTooLarge(f"it has more than {most} bytes")
    return bytes(data)


def _refusal(error: Exception) -> TryLater | GiveUp:
    """The client keeps the answer to a page that did not come as the second argument of its error."""
    match getattr(error.args[1], "status_code", 0) if len(error.args) > 1 else 0:
        case 404:
            return GiveUp(GONE)
        case 403:
            return GiveUp(FORBIDDEN)
        case 401:
            return KeyRefused(REFUSED)
    return TryLater("Twilio cannot be asked for a file at the moment")
