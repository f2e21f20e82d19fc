"""The embedded agent server as an ASGI app: `/v1/ws/session` and REST for agents, also without `/v1`."""

import asyncio
import contextlib
import hmac
import ipaddress
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.websockets import WebSocket

from adapters.agent.server import definitions
from adapters.agent.server.agents import Agents
from adapters.agent.server.database import POOL_SIZE, Database
from adapters.agent.server.functional import Functional
from adapters.agent.server.limits import Limits
from adapters.agent.server.model_settings import ModelSettings
from adapters.agent.server.models import Models
from adapters.agent.server.refusals import Full
from adapters.agent.server.rest import Rest, refused, unknown_address
from adapters.agent.server.rows import tenant_of
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sessions import LOOK_EVERY_S, Sessions
from adapters.agent.server.sockets import Socket
from adapters.agent.server.store import Store
from adapters.agent.server.tools import Toolbox, ToolSettings
from gateway.errors import Foreign, NotProven, Refused

NO_KEY = "the API key is missing or wrong"


class ServerSettings(BaseModel):
    agents_dir: Path
    database_url: str
    pool_size: int = POOL_SIZE  # connections for queries on PostgreSQL; one more says that this server lives
    direct_url: str = ""  # for that one, where `database_url` is a pooler's in transaction mode
    model: ModelSettings = ModelSettings()
    tools: ToolSettings = ToolSettings()
    api_key: SecretStr | None = None  # None: any key, from this machine only
    approval_expires_after: timedelta = timedelta(days=8)  # longer than the gateway's own longest wait
    look_every_s: float = LOOK_EVERY_S
    limits: Limits = Limits()


def build(settings: ServerSettings) -> Starlette:
    """Raises `ConfigError`. The store is opened and closed by the app's lifespan."""
    limits = settings.limits
    files = definitions.load(settings.agents_dir)
    database = Database(settings.database_url, pool_size=settings.pool_size, direct_url=settings.direct_url)
    agents = Agents(files, database, limits)
    models = Models(settings.model)
    models.tell(files.values())
    toolbox = Toolbox(settings.tools)
    toolbox.tell(files.values())
    runtime = Runtime(models=models, toolbox=toolbox, limits=limits)
    sessions = Sessions(
        Store(database, limits), agents, runtime, approval_expires_after=settings.approval_expires_after
    )
    door = Door(settings, sessions)
    functional = Functional(runtime, database, within_s=limits.run_timeout)
    rest = Rest(agents, functional, sessions.erase, door.tenant, limits)
    routes = [*door.routes(), *rest.routes()]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await database.open()
        await sessions.look()
        looking = asyncio.create_task(sessions.keep_looking(settings.look_every_s))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            await sessions.close()
            await models.aclose()
            await database.close()

    unknown = {404: unknown_address, 405: unknown_address}
    return Starlette(routes=[Mount("/v1", routes=routes), *routes], lifespan=lifespan, exception_handlers=unknown)


class Door:
    """Who may come in, and where to."""

    def __init__(self, settings: ServerSettings, sessions: Sessions) -> None:
        self._api_key = settings.api_key
        self._limits = settings.limits
        self._sessions = sessions
        self._open: Counter[str] = Counter()

    def routes(self) -> list[BaseRoute]:
        return [WebSocketRoute("/ws/session", self._session)]

    async def _session(self, websocket: WebSocket) -> None:
        try:
            tenant = self._admitted(websocket)
        except Refused as error:
            await websocket.send_denial_response(refused(str(error), error.status))
            return
        self._open[tenant] += 1
        try:
            await Socket(websocket, self._sessions, tenant, self._limits).serve()
        finally:
            self._open[tenant] -= 1
            self._open = +self._open  # without those that are at 0

    def _admitted(self, websocket: WebSocket) -> str:
        tenant, most = self.tenant(websocket), self._limits.max_sockets
        if self._open[tenant] >= most:
            raise Full(f"{most} sockets with this key are open: close one, or set AGENT_SERVER__MAX_SOCKETS")
        return tenant

    def tenant(self, connection: HTTPConnection) -> str:
        """Whose sessions and agents a connection may see: a digest of its key. Raises `NotProven` or `Foreign`."""
        key = connection.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self._api_key is None:
            _check_is_local(connection)
        elif not hmac.compare_digest(key.encode(), self._api_key.get_secret_value().encode()):
            raise NotProven(NO_KEY)
        return tenant_of(key)


def _check_is_local(connection: HTTPConnection) -> None:
    """No web page either: a browser on this machine also says whose page it is, and which name led it here."""
    if connection.client is None or not _is_loopback(connection.client.host):
        raise NotProven(NO_KEY)
    host = connection.headers.get("host", "")
    if not _is_loopback(_name_of(host)):
        raise Foreign(f"the Host {host[:100]!r} is not this machine: without AGENT__API_KEY use 127.0.0.1 or localhost")
    origin = connection.headers.get("origin")
    if origin is not None and origin != f"http://{host}":
        raise Foreign(f"a page of {origin[:100]!r} may not come in without a key: set AGENT__API_KEY")


def _name_of(host: str) -> str:
    """Without its port. Empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
