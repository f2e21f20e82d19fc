"""The embedded agent server as an ASGI app: `/v1/ws/session` and REST for agents, also without `/v1`."""

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.websockets import WebSocket

from adapters.agent.server import definitions
from adapters.agent.server.agents import Agents
from adapters.agent.server.database import POOL_SIZE, Database
from adapters.agent.server.functional import Functional
from adapters.agent.server.model_settings import ModelSettings
from adapters.agent.server.models import Models
from adapters.agent.server.rates import Rates
from adapters.agent.server.rest import Rest, refused, unknown_address
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sessions import LOOK_EVERY_S, Sessions
from adapters.agent.server.sockets import Socket
from adapters.agent.server.store import Store
from adapters.agent.server.tools import Toolbox, ToolSettings


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
    requests_per_second: float = 50  # of REST with one key, on average; 0: no limit
    requests_at_once: int = 200
    max_request_bytes: int = 16 * 1024 * 1024
    frames_per_second: float = 100  # of one socket, on average; 0: no limit
    frames_at_once: int = 2000


def build(settings: ServerSettings) -> Starlette:
    """Raises `ConfigError`. The store is opened and closed by the app's lifespan."""
    files = definitions.load(settings.agents_dir)
    database = Database(settings.database_url, pool_size=settings.pool_size, direct_url=settings.direct_url)
    agents = Agents(files, database)
    models = Models(settings.model)
    models.tell(files.values())
    toolbox = Toolbox(settings.tools)
    toolbox.tell(files.values())
    runtime = Runtime(models=models, toolbox=toolbox)
    sessions = Sessions(Store(database), agents, runtime, approval_expires_after=settings.approval_expires_after)
    door = Door(settings, sessions)
    rates = Rates(settings.requests_per_second, settings.requests_at_once)
    functional = Functional(runtime, database)
    rest = Rest(agents, functional, rates, door.tenant, max_bytes=settings.max_request_bytes)
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
        self._settings = settings
        self._sessions = sessions

    def routes(self) -> list[BaseRoute]:
        return [WebSocketRoute("/ws/session", self._session)]

    async def _session(self, websocket: WebSocket) -> None:
        tenant = self.tenant(websocket)
        if tenant is None:
            await websocket.send_denial_response(refused("the API key is missing or wrong", 401))
            return
        rates = Rates(self._settings.frames_per_second, self._settings.frames_at_once)
        await Socket(websocket, self._sessions, tenant, rates).serve()

    def tenant(self, connection: HTTPConnection) -> str | None:
        """Whose sessions and agents a connection may see: a digest of its key. None: it may not come in."""
        key = connection.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self._api_key is None:
            if not _is_local(connection):
                return None
        elif not hmac.compare_digest(key.encode(), self._api_key.get_secret_value().encode()):
            return None
        return hashlib.sha256(key.encode()).hexdigest()


def _is_local(connection: HTTPConnection) -> bool:
    try:
        return connection.client is not None and ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
