"""The embedded agent server as an ASGI app: `/v1/ws/session` and REST for agents, also without `/v1`."""

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from adapters.agent.server import definitions
from adapters.agent.server.database import POOL_SIZE, Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.sessions import LOOK_EVERY_S, Sessions
from adapters.agent.server.sockets import Socket
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition


class ServerSettings(BaseModel):
    agents_dir: Path
    database_url: str
    pool_size: int = POOL_SIZE  # connections for queries on PostgreSQL; one more says that this server lives
    direct_url: str = ""  # for that one, where `database_url` is a pooler's in transaction mode
    api_key: SecretStr | None = None  # None: any key, from this machine only
    approval_expires_after: timedelta = timedelta(days=8)  # longer than the gateway's own longest wait
    look_every_s: float = LOOK_EVERY_S


def build(settings: ServerSettings) -> Starlette:
    """Raises `ConfigError`. The store is opened and closed by the app's lifespan."""
    agents = definitions.load(settings.agents_dir)
    database = Database(settings.database_url, pool_size=settings.pool_size, direct_url=settings.direct_url)
    sessions = Sessions(Store(database), agents, approval_expires_after=settings.approval_expires_after)
    door = Door(settings.api_key, agents, sessions)

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
            await database.close()

    return Starlette(routes=[Mount("/v1", routes=door.routes()), *door.routes()], lifespan=lifespan)


class Door:
    """Who may come in, and where to."""

    def __init__(self, api_key: SecretStr | None, agents: Mapping[str, AgentDefinition], sessions: Sessions) -> None:
        self._api_key = api_key
        self._agents = agents
        self._sessions = sessions

    def routes(self) -> list[BaseRoute]:
        return [
            WebSocketRoute("/ws/session", self._session),
            Route("/agent", self._agent, methods=["GET"]),
            Route("/agents", self._list, methods=["GET"]),
        ]

    async def _session(self, websocket: WebSocket) -> None:
        tenant = self._tenant(websocket)
        if tenant is None:
            await websocket.send_denial_response(_refused())
            return
        await Socket(websocket, self._sessions, tenant).serve()

    async def _agent(self, request: Request) -> JSONResponse:
        if self._tenant(request) is None:
            return _refused()
        wanted = request.query_params.get("id") or request.query_params.get("name") or ""
        found = self._agents.get(wanted)
        return JSONResponse({"object": stored(found)}) if found else JSONResponse({"error": "no such agent"}, 404)

    async def _list(self, request: Request) -> JSONResponse:
        if self._tenant(request) is None:
            return _refused()
        try:
            limit, offset = (int(request.query_params.get(name, default)) for name, default in PAGE)
        except ValueError:
            return JSONResponse({"error": "limit and offset must be numbers"}, 422)
        listed = list(self._agents.values())[max(offset, 0) :][: max(limit, 0)]
        return JSONResponse({"objects": [stored(agent) for agent in listed]})

    def _tenant(self, connection: HTTPConnection) -> str | None:
        """Whose sessions a connection may see: a digest of its key. None: it may not come in."""
        key = connection.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if self._api_key is None:
            if not _is_local(connection):
                return None
        elif not hmac.compare_digest(key.encode(), self._api_key.get_secret_value().encode()):
            return None
        return hashlib.sha256(key.encode()).hexdigest()


PAGE = (("limit", "50"), ("offset", "0"))


def stored(agent: AgentDefinition) -> dict[str, Any]:
    """The agent as REST clients read it."""
    return {
        "_id": agent.id,
        "name": agent.name,
        "agent_type": agent.agent_type,
        "instructions": agent.instructions,
        "llm_client_key": {"provider": agent.provider, "model_id": agent.model},
        "memory_config": {"enable_session_memory": agent.memory.session, "enable_global_memory": False},
        "tools": {agent.tool_id(tool.name): _stored_tool(agent, tool) for tool in agent.tools},
        "inputs": {},
        "outputs": {},
        "mainBranch": "main",
    }


def _stored_tool(agent: AgentDefinition, tool: ToolDefinition) -> dict[str, Any]:
    inputs = {name: {"type": "dynamic", "value": parameter.description} for name, parameter in tool.parameters.items()}
    return {
        "id": agent.tool_id(tool.name),
        "name": tool.name,
        "description": tool.description,
        "approval_config": tool.approval,
        "value": {"node_type": "custom_tool", "tool_type": tool.function_name, "inputs": inputs},
    }


def _refused() -> JSONResponse:
    return JSONResponse({"error": "the API key is missing or wrong"}, 401)


def _is_local(connection: HTTPConnection) -> bool:
    try:
        return connection.client is not None and ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
