"""A file that came with a message: looked up, and downloaded with the bot's token from Slack's own hosts only."""

from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError

from adapters.slack.refusals import error_code, meaning
from adapters.slack.workspaces import Workspaces
from gateway.errors import FileTooLarge, GiveUp, TryLater, Uncertain, WillNeverArrive
from gateway.ports import Blob

GONE = "it is gone from Slack"
FORBIDDEN = "Slack does not let this app have it"
NO_SCOPE = "this app may not read files: it lacks the scope files:read"
REASONS = {
    "file_not_found": GONE,
    "file_deleted": GONE,
    "file_not_available": GONE,
    "missing_scope": NO_SCOPE,
    "access_denied": FORBIDDEN,
    "no_permission": FORBIDDEN,
    "not_visible": FORBIDDEN,
}
MODES = {
    "tombstone": GONE,
    "hidden_by_limit": "Slack hides it: the workspace is over its limit of files",
    "external": "it is kept outside Slack",
}
ALLOWED = "slack.com"
HTML = "text/html"


class Files:
    """`api_url`: its host counts as one of Slack's, at its own port and in its own scheme."""

    def __init__(self, workspaces: Workspaces, api_url: str) -> None:
        self._workspaces = workspaces
        self._api = urlsplit(api_url)

    async def fetch(self, team: str, file_id: str, most: int) -> Blob:
        """Its bytes. Raises `TryLater` or `GiveUp`."""
        told = await self._told(team, file_id)
        if reason := MODES.get(str(told.get("mode"))) or (GONE if told.get("is_deleted") else ""):
            raise GiveUp(reason)
        size = told.get("size")
        if isinstance(size, int) and size > most:
            raise FileTooLarge(f"it has {size} bytes")
        url = str(told.get("url_private_download") or told.get("url_private") or "")
        if told.get("is_external") or not self._is_slacks(url):
            raise GiveUp(MODES["external"])
        data = await self._download(url, await self._workspaces.token(team), told, most)
        mime_type = str(told.get("mimetype") or "application/octet-stream")
        return Blob(data, mime_type, str(told.get("name") or ""))

    async def _told(self, team: str, file_id: str) -> dict[str, Any]:
        """What Slack says of it now; the event may have said less (`file_access: check_file_info`)."""
        client = await self._workspaces.of(team)
        try:
            answer = await client.files_info(file=file_id)
        except SlackApiError as error:
            raise _refusal(error) from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise TryLater(f"Slack did not say what the file is ({type(error).__name__})") from error
        told = answer.get("file")
        if not isinstance(told, dict):
            raise TryLater("Slack's answer names no file")
        return told

    def _is_slacks(self, url: str) -> bool:
        """The token goes nowhere else."""
        try:
            where, port = urlsplit(url), urlsplit(url).port
        except ValueError:
            return False
        host = where.hostname or ""
        if where.username is not None or where.password is not None:
            return False
        if (where.scheme, host, port) == (self._api.scheme, self._api.hostname, self._api.port):
            return True
        return where.scheme == "https" and port in (None, 443) and (host == ALLOWED or host.endswith("." + ALLOWED))

    async def _download(self, url: str, token: str, told: dict[str, Any], most: int) -> bytes:
        try:
            # A redirect leads to the page where people sign in, or to a host that must not see the token.
            async with self._workspaces.http.get(url, headers=_bearer(token), allow_redirects=False) as answer:
                _check(answer)
                data = await _capped(answer, most)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TryLater(f"a file of Slack could not be downloaded ({type(error).__name__})") from error
        if answer.content_type == HTML and _is_page_instead(told, len(data)):
            raise GiveUp(NO_SCOPE)
        return data


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status == 429 or answer.status >= 500:
        wait = answer.headers.get("Retry-After", "")
        raise TryLater(f"Slack said HTTP {answer.status}", retry_after=float(wait) if wait.isdecimal() else None)
    if answer.status in (404, 410):
        raise GiveUp(GONE)
    if 300 <= answer.status < 400:
        raise GiveUp(NO_SCOPE)
    if answer.status != 200:
        raise GiveUp(FORBIDDEN)


async def _capped(answer: aiohttp.ClientResponse, most: int) -> bytes:
    data = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        data += piece
        if len(data) > most:
            raise FileTooLarge(f"it has more than {most} bytes")
    return bytes(data)


def _is_page_instead(told: dict[str, Any], got: int) -> bool:
    """Without the right to it Slack gives the page where people sign in, with status 200."""
    return str(told.get("mimetype")) != HTML or told.get("size") != got


def _refusal(error: SlackApiError) -> TryLater | GiveUp:
    said = error_code(error)
    if reason := REASONS.get(said):
        return GiveUp(reason)
    meant = meaning(error)
    if isinstance(meant, Uncertain):
        return TryLater(str(meant))  # nothing was written: asking twice is safe
    return GiveUp(FORBIDDEN) if isinstance(meant, WillNeverArrive) else meant
