"""The processes: `run` (everything), `web`, `worker`. Each ends within 15 s of SIGTERM, taking nothing new."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server import app as agent_server, definitions
from adapters.agent.server.tools import ToolSettings, secrets_in
from adapters.sandbox.world import Sandbox
from config import boxed, schema, teams, wiring
from config.serving import bind, serving
from config.settings import Settings
from config.stopping import first_of, stopped_by_signal
from config.wiring import Parts
from gateway import policy as policies
from gateway.errors import ConfigError
from gateway.policy import Policy
from gateway.ports import AgentPlatform, Clock
from gateway.store import database_url, leases
from gateway.work.local import only_engine, sqlite_path

log = logging.getLogger(__name__)

AGENTS = Path("config/agents")
SANDBOX_STATE = Path("var/sandbox.db")


def read_policy(settings: Settings) -> Policy:
    """The policy file, checked against the agents we can see. Raises `ConfigError`."""
    path = settings.gateway_config
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"GATEWAY_CONFIG: {path} cannot be read ({error}); set it to the path of gateway.toml"
        ) from error
    policy = policies.read(text, str(path))
    if settings.slack is not None and settings.slack.many:
        teams.check(policy, str(path))
    if settings.agent_platform() is None:
        agents = definitions.load(AGENTS)
        known = {tool.name for agent in agents.values() for tool in agent.tools}
        wiring.check_gated(policy, {name: agent.gated_tools for name, agent in agents.items()}, known, str(path))
    return policy


@dataclass(frozen=True, slots=True)
class Live:
    """A gateway that answers at `url` and works."""

    url: str
    parts: Parts
    sandbox: Sandbox | None
    tasks: "tuple[asyncio.Task[None], ...]"  # the door and the engine; neither ends by itself but by a fault


async def run(settings: Settings, *, many: bool = False) -> None:
    """Everything in one process, until SIGTERM or SIGINT. With no channel configured, the sandbox is the world.

    `many`: its two workspaces are yet to install the app.
    """
    policy = read_policy(settings)
    if many and settings.has_channel:
        raise ConfigError("--many is about the sandbox, and a channel is configured: leave it out")
    if many:
        teams.check(policy, str(settings.gateway_config))
    stop = stopped_by_signal()
    async with live(settings, policy, by_oauth=many) as gateway:
        if gateway.sandbox is not None:
            log.info("no channel is configured, so here is a sandbox: open %s/sandbox", gateway.url)
            if many:
                log.info("install the app in its workspaces: open %s/slack/install", gateway.url)
        else:
            log.info("ready at %s", gateway.url)
        await first_of(stop, *gateway.tasks)
        log.info("stopping: nothing new is taken, what runs may end")


@contextlib.asynccontextmanager
async def live(
    settings: Settings,
    policy: Policy,
    *,
    sandbox_state: Path = SANDBOX_STATE,
    clock: Clock = wiring.now,
    by_oauth: bool = False,
) -> AsyncIterator[Live]:
    """The whole gateway in this process. Leaving closes the door first, then lets what runs end for a while.

    `by_oauth`: the sandbox's two workspaces are installed by OAuth, where else the first one is there from the start.
    """
    async with contextlib.AsyncExitStack() as stack:
        await _prepare_database(settings, stack)
        listening = bind(settings.bind or "127.0.0.1", settings.port)
        here = f"http://127.0.0.1:{listening.getsockname()[1]}"
        public_url = settings.public_url or here
        sandbox = None
        if not settings.has_channel:
            sandbox = boxed.sandbox(here, public_url, sandbox_state, clock, by_oauth=by_oauth)
        if sandbox is not None:
            stack.push_async_callback(sandbox.aclose)
        platform = await stack.enter_async_context(agent_platform(settings))
        parts_of = wiring.build(settings, policy, platform, public_url=public_url, sandbox=sandbox, clock=clock)
        parts = await stack.enter_async_context(parts_of)
        if parts.store.on_sqlite:
            await parts.store.write(leases.drop_all)  # the lock file says that nobody else is at work
        closing = asyncio.Event()
        # Left in this order: the door is closed, then what runs may end.
        working = await stack.enter_async_context(contextlib.AsyncExitStack())
        async with serving(parts.app, listening) as door:
            engine = asyncio.create_task(parts.engine.run(parts.work, _until(closing)))
            working.push_async_callback(_finish, engine, closing)
            try:
                yield Live(here, parts, sandbox, (door, engine))
            finally:
                if sandbox is not None:
                    sandbox.stop_waiting()


async def web(settings: Settings) -> None:
    """Endpoints alone: events are kept here and worked on by workers. PostgreSQL only."""
    _need_a_world(settings, "web")
    policy = read_policy(settings)
    await _need_schema(settings)
    stop = stopped_by_signal()
    listening = bind(settings.bind or "0.0.0.0", settings.port)  # noqa: S104 - the platform's router must reach it
    platform = AgentClient(settings.agent_platform() or AgentSettings(url="http://127.0.0.1:1/v1"))
    parts_of = wiring.build(settings, policy, platform, public_url=settings.public_url, runs_engine=False)
    async with contextlib.aclosing(platform), parts_of as parts, serving(parts.app, listening) as door:
        log.info("web: ready on port %s", listening.getsockname()[1])
        await first_of(stop, door)
        log.info("web: stopping")


async def worker(settings: Settings) -> None:
    """Turns, sends and timers. PostgreSQL only; any number."""
    _need_a_world(settings, "worker")
    policy = read_policy(settings)
    await _need_schema(settings)
    stop = stopped_by_signal()
    async with contextlib.AsyncExitStack() as stack:
        platform = await stack.enter_async_context(agent_platform(settings))
        parts_of = wiring.build(settings, policy, platform, public_url=settings.public_url)
        parts = await stack.enter_async_context(parts_of)
        log.info("worker: ready")
        await parts.engine.run(parts.work, _until(stop))


async def serve_agents(settings: Settings, port: int, folder: Path = AGENTS) -> None:
    """The embedded agent server alone. Its definitions are read before it says that it listens."""
    stop = stopped_by_signal()
    made = _agent_app(settings, folder)
    listening = bind(settings.bind or "127.0.0.1", port, named="--port")
    log.info("the agent server listens on http://%s:%s/v1", *listening.getsockname()[:2])
    async with serving(made, listening) as door:
        await first_of(stop, door)


@contextlib.asynccontextmanager
async def agent_platform(settings: Settings) -> AsyncIterator[AgentPlatform]:
    """The platform the environment names, or the embedded one, on a loopback port of its own."""
    async with contextlib.AsyncExitStack() as stack:
        where = settings.agent_platform()
        if where is None:
            listening = bind("127.0.0.1", 0)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
            _ = await stack.enter_async_context(serving(_agent_app(settings), listening))
            where = AgentSettings(url=url, api_key=settings.agent.api_key)
        client = AgentClient(where)
        stack.push_async_callback(client.aclose)
        yield client


def _agent_app(settings: Settings, folder: Path = AGENTS) -> Starlette:
    limits = settings.agent_server
    url = settings.embedded_database_url
    schema.reachable(url, "AGENT_SERVER__DATABASE_URL")
    return agent_server.build(
        agent_server.ServerSettings(
            agents_dir=folder,
            database_url=url,
            direct_url=settings.database_direct_url if url == settings.database_url else "",
            pool_size=settings.agent_server_pool,
            model=settings.model,
            tools=ToolSettings(
                secrets=secrets_in(os.environ), timeout_s=limits.tool_timeout, max_answer_bytes=limits.max_tool_bytes
            ),
            api_key=settings.agent.api_key,
            limits=limits,
        )
    )


def _until(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def wait() -> None:
        await event.wait()

    return wait


async def _finish(engine: "asyncio.Task[None]", closing: asyncio.Event) -> None:
    closing.set()
    await engine


async def _prepare_database(settings: Settings, stack: contextlib.AsyncExitStack) -> None:
    path = sqlite_path(database_url(settings.database_url))
    if path is not None:
        stack.enter_context(only_engine(path))
        await asyncio.to_thread(schema.migrate, settings.database_url)
    await _need_schema(settings)


async def _need_schema(settings: Settings) -> None:
    reason = await asyncio.to_thread(schema.behind, settings.database_url)
    if reason is not None:
        raise ConfigError(f"DATABASE_URL: {reason}")


def _need_a_world(settings: Settings, command: str) -> None:
    if sqlite_path(database_url(settings.database_url)) is not None:
        raise ConfigError(f"DATABASE_URL is SQLite, which one process owns: use `gateway run`, not `gateway {command}`")
    if not settings.has_channel:
        raise ConfigError(
            f"no channel is configured: set SLACK__ or SMS__ variables for `gateway {command}` "
            "(the sandbox comes with `gateway run`)"
        )
