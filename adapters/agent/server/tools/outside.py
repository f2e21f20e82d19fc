"""One request to a host that a tool may call: to no internal address, within a time, answered in so many bytes.

Never puts a secret, an address with its query or a body into an error for the log.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from adapters.agent.frames import clean, is_shallow, parsed
from adapters.agent.server.tool_kinds import LOOPBACK, Secret
from adapters.agent.server.tools.addresses import reachable
from adapters.agent.server.tools.call import ToolFailed
from adapters.agent.server.tools.settings import ToolSettings
from adapters.agent.tls import trusted

MAX_REDIRECTS = 3
MAX_TOLD_CHARS = 500  # of a service's own words about its failure
MAX_DEPTH = 100  # of a JSON text: it goes on inside frames, which may not be much deeper
NOT_REPEATED = "; whether it was done is not known, so do not repeat it"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    media_type: str
    text: str
    is_whole: bool

    def json(self) -> Any:
        """None: it is none, or not the whole of it came."""
        if not self.is_whole:
            return None
        return readable(self.text)


class Unsure(ToolFailed):
    """The request went out, and its answer does not say whether it was done."""


async def fetch(
    request: Request, *, hosts: Sequence[str], secret: Secret, settings: ToolSettings, writes: bool
) -> Answer:
    """The answer, when it is a good one. Raises `ToolFailed`; `writes` is about what is then said of trying again."""
    value = value_of(secret, settings)
    if value:
        request = replace(request, secret_headers={secret.secret_header: f"{secret.prefix}{value}"})
    async with in_time(settings, writes=writes):
        answer = await _followed(request, hosts, settings)
        answer = replace(answer, text=without(value, answer.text))
        if not 200 <= answer.status < 300:
            said = f": {answer.text[:MAX_TOLD_CHARS]}" if answer.text else ""
            raise failed(answer.status)(f"it answered {answer.status}{said}", for_log=f"it answered {answer.status}")
    return answer


def failed(status: int) -> type[ToolFailed]:
    """What an answer that is not a good one means: only 4xx says that nothing was done."""
    return ToolFailed if 400 <= status < 500 else Unsure


@asynccontextmanager
async def in_time(settings: ToolSettings, *, writes: bool) -> AsyncIterator[None]:
    """What is done in here is over in time; what the network does to it becomes a `ToolFailed`."""
    try:
        async with asyncio.timeout(settings.timeout_s):
            yield
    except Unsure as error:
        raise ToolFailed(f"{error}{NOT_REPEATED}" if writes else str(error), for_log=error.for_log) from None
    except (TimeoutError, httpx.TimeoutException) as error:
        late = f"it did not answer within {settings.timeout_s:g} s"
        raise ToolFailed(late + (NOT_REPEATED if writes else ""), for_log=late) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Never the error's own words: some quote a header.
        lost = f"it could not be reached ({type(error).__name__})"
        is_unsure = writes and not isinstance(error, httpx.ConnectError)
        raise ToolFailed(lost + (NOT_REPEATED if is_unsure else ""), for_log=lost) from None


def value_of(secret: Secret, settings: ToolSettings) -> str:
    """Empty where the tool has none. Raises `ToolFailed` for one that no header can carry."""
    value = settings.secrets.get(secret.secret, "").strip() if secret.secret else ""
    if not value.isprintable() or not value.isascii():
        raise ToolFailed("it is not available here", for_log="its secret cannot be sent in a header")
    return value


def without(secret: str, text: str) -> str:
    """Some services repeat what they were sent, as it is or inside JSON."""
    for form in filter(None, (secret, json.dumps(secret)[1:-1])):
        text = text.replace(form, "[secret]")
    return text


async def _followed(request: Request, hosts: Sequence[str], settings: ToolSettings) -> Answer:
    for _ in range(MAX_REDIRECTS + 1):
        async with opened(request, settings) as response:
            if not (response.has_redirect_location and request.method == "GET"):
                return await _read(response, settings.max_answer_bytes)
            request = _redirected(request, response, hosts)
    raise ToolFailed("it redirects in a circle", for_log="too many redirects")


def _redirected(request: Request, response: httpx.Response, hosts: Sequence[str]) -> Request:
    """Only to a host that is listed, and with the secret only to the very one it is for."""
    here = httpx.URL(request.url)
    there = here.join(response.headers["location"])
    if there.host not in hosts or not (there.scheme == "https" or there.host in LOOPBACK):
        raise ToolFailed("it redirects to a host that is not allowed", for_log="a redirect to a host not in hosts")
    is_same = (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
    return replace(request, url=str(there), secret_headers=request.secret_headers if is_same else {})


@asynccontextmanager
async def opened(request: Request, settings: ToolSettings) -> AsyncIterator[httpx.Response]:
    """The answer to one request, its body unread. Follows nothing. Raises `ToolFailed` and httpx's errors."""
    url = httpx.URL(request.url)
    addresses = await reachable(url.host, url.port or (443 if url.scheme == "https" else 80), settings)
    # A client for each call: a connection that is kept would be taken for another host at the same address.
    async with httpx.AsyncClient(
        verify=trusted(by_environment=False), trust_env=False, timeout=settings.timeout_s
    ) as client:
        response = await _sent(client, request, url, addresses)
        try:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise Unsure("it answered in a compressed form", for_log="a compressed answer")
            yield response
        finally:
            await response.aclose()


async def _sent(
    client: httpx.AsyncClient, request: Request, url: httpx.URL, addresses: Sequence[str]
) -> httpx.Response:
    """To the first address that takes the connection; its certificate is still that of the host's name."""
    body = {"Content-Type": "application/json"} if request.content is not None else {}
    own = {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"}
    headers = {"Accept": "application/json, text/*;q=0.9", **body, **request.headers, **request.secret_headers, **own}
    for at, address in enumerate(addresses):
        pinned = client.build_request(
            request.method,
            url.copy_with(host=address),
            headers=headers,
            content=request.content,
            extensions={"sni_hostname": url.host},
        )
        try:
            return await client.send(pinned, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            if at == len(addresses) - 1:
                raise
    raise ToolFailed("its host has no address", for_log="its host has no address")


async def _read(response: httpx.Response, limit: int) -> Answer:
    data, is_whole = await capped(response.aiter_raw(), limit)
    try:
        text = data.decode(response.charset_encoding or "utf-8", "replace")
    except (LookupError, ValueError):  # it names an encoding that there is not
        text = data.decode("utf-8", "replace")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Some encodings have halves of characters, which nothing that leaves here can carry.
    return Answer(response.status_code, media_type, clean(text.replace("\0", "")), is_whole)


async def capped(pieces: AsyncIterator[bytes], limit: int) -> tuple[bytes, bool]:
    """The first bytes, and whether they are all."""
    data = bytearray()
    async for piece in pieces:
        data += piece
        if len(data) > limit:
            return bytes(data[:limit]), False
    return bytes(data), True


def readable(text: str) -> Any:
    """What is in a JSON text, as our databases take it. None: it is none."""
    try:
        found = parsed(text)
    except ValueError:
        return None
    return clean(found) if is_shallow(found, MAX_DEPTH) else None
