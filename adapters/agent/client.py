"""`AgentPlatform` over the session protocol: a socket for each session in use, one HTTP client for REST.

Posts nothing twice and dials nothing twice: that is decided where the rows are.
"""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from adapters.agent.attached import connect_to, created
from adapters.agent.line import PING_EVERY_S, REPLY_WITHIN_S, Line, pinging, reading_line
from adapters.agent.pool import LINGER_S, MOST, Pool
from adapters.agent.schemas import ToolSchemas
from adapters.agent.tls import trusted
from gateway.errors import AgentRefused, AgentUnavailable, GatewayError
from gateway.ports import AgentLine, Finding

MAX_FRAME_BYTES = 64 * 1024 * 1024
CLOSE_WITHIN_S = 2.0
REFUSING = {401, 403, 404}
NOT_OFFERED = {404, 405, 501}


class AgentSettings(BaseModel):
    """Where the agent platform is: `url` is the REST base, `ws_url` the sockets' if that differs."""

    url: str
    api_key: SecretStr | None = None
    ws_url: str | None = None

    @property
    def socket_url(self) -> str:
        base = (self.ws_url or self.url).rstrip("/")
        scheme, separator, rest = base.partition("://")
        return f"{ {'http': 'ws', 'https': 'wss'}.get(scheme, scheme) }{separator}{rest}/ws/session"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key.get_secret_value()}"} if self.api_key else {}


class AgentClient:
    def __init__(
        self,
        settings: AgentSettings,
        *,
        reply_within_s: float = REPLY_WITHIN_S,
        ping_every_s: float = PING_EVERY_S,
        linger_s: float = LINGER_S,
        most: int = MOST,
    ) -> None:
        """A session's line stays open for `linger_s` after use; at most `most` are open at once."""
        self._settings = settings
        self._reply_within_s = reply_within_s
        self._ping_every_s = ping_every_s
        self._lines = Pool(self._connected_to, wait_s=reply_within_s, linger_s=linger_s, most=most)
        self._http = rest_client(settings, timeout_s=10)
        self._schemas = ToolSchemas(self._http)

    async def open_session(self, agent: str) -> str:
        async with self._socket() as socket, reading_line(socket, self._reply_within_s) as line:
            return await created(line, agent)

    def attach(self, session_id: str) -> AbstractAsyncContextManager[AgentLine]:
        return self._lines.leased(session_id)

    @asynccontextmanager
    async def _connected_to(self, session_id: str) -> AsyncIterator[Line]:
        async with self._socket() as socket, reading_line(socket, self._reply_within_s) as line:
            await connect_to(line, session_id)
            async with pinging(line, session_id, self._ping_every_s):
                yield line

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        socket = await self._connected_socket()
        try:
            yield socket
        finally:
            try:
                # `close_timeout` does not count while the platform reads nothing of what we have sent.
                async with asyncio.timeout(2 * CLOSE_WITHIN_S):
                    await socket.close()
            except TimeoutError:
                pass
            finally:
                socket.transport.abort()  # also when the closing handshake was cancelled

    async def _connected_socket(self) -> ClientConnection:
        proxy: Literal[True] | None = None if _is_loopback(self._settings.socket_url) else True
        try:
            return await connect(
                self._settings.socket_url,
                additional_headers=self._settings.headers,
                max_size=MAX_FRAME_BYTES,
                ping_interval=20,
                ping_timeout=20,
                open_timeout=self._reply_within_s,
                close_timeout=CLOSE_WITHIN_S,
                compression=None,  # costs 40 KiB of memory for each idle socket
                proxy=proxy,
            )
        except InvalidStatus as error:
            raise _upgrade_error(error.response.status_code) from error
        except InvalidURI as error:
            raise AgentRefused("the agent platform's address is not one (AGENT__URL, AGENT__WS_URL)") from error
        except (ValueError, ImportError) as error:
            # A host or port that cannot be one; a proxy of the environment of a kind we do not speak.
            what = f"the agent platform cannot be dialled as it is configured ({type(error).__name__})"
            raise AgentRefused(f"{what}; see AGENT__URL, AGENT__WS_URL and the proxy's address") from error
        except (InvalidHandshake, OSError, EOFError, TimeoutError) as error:
            raise AgentUnavailable(f"the agent platform cannot be reached ({type(error).__name__})") from error

    async def erase(self, session_id: str) -> bool:
        """An extension of ours: a platform without it knows no such address or method."""
        try:
            response = await self._http.delete(f"/sessions/{quote(session_id, safe='')}")
        except httpx.HTTPError as error:
            raise AgentUnavailable(f"the agent platform cannot be reached ({type(error).__name__})") from error
        if response.status_code in NOT_OFFERED:
            return False
        if response.status_code in REFUSING:
            raise AgentRefused(f"the agent platform refuses the key (HTTP {response.status_code}); see AGENT__API_KEY")
        if not response.is_success:
            raise AgentUnavailable(f"the agent platform did not erase a session (HTTP {response.status_code})")
        return True

    async def input_schema(self, agent: str, tool: str) -> dict[str, Any] | None:
        return (await self._schemas.of(agent)).get(tool)

    async def check(self) -> Sequence[Finding]:
        try:
            response = await self._http.get("/agents", params={"limit": 1})
        except httpx.HTTPError as error:
            return [Finding(False, f"agent platform: no answer ({type(error).__name__})", "see AGENT__URL")]
        if response.status_code in (401, 403):
            return [Finding(False, f"agent platform: key refused ({response.status_code})", "see AGENT__API_KEY")]
        if not response.is_success:
            return [Finding(False, f"agent platform: HTTP {response.status_code}", "see AGENT__URL")]
        return [Finding(True, "agent platform: answers")]

    async def aclose(self) -> None:
        await self._lines.aclose()
        await self._http.aclose()


def _upgrade_error(status: int) -> GatewayError:
    if status in REFUSING:
        return AgentRefused(
            f"the agent platform refused the connection (HTTP {status}); see AGENT__URL, AGENT__API_KEY"
        )
    return AgentUnavailable(f"the agent platform did not open a socket (HTTP {status})")


def rest_client(settings: AgentSettings, *, timeout_s: float) -> httpx.AsyncClient:
    """The platform's REST door; the caller closes it. Raises what httpx raises of an address that is none."""
    is_elsewhere = not _is_loopback(settings.url)  # a proxy of the environment cannot reach our own machine
    return httpx.AsyncClient(
        base_url=settings.url.rstrip("/"),
        headers=settings.headers,
        timeout=timeout_s,
        verify=trusted(by_environment=is_elsewhere),
        trust_env=is_elsewhere,
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
