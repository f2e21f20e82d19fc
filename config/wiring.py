"""build(): the only list of what exists. No discovery, no decorators, no container."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.world import Sandbox
from adapters.slack.channel import SlackChannel
from adapters.sms.channel import SmsChannel
from config import boxed, schema
from config.keys import keys_of
from config.settings import Settings
from gateway import context
from gateway.approvals import Approvals
from gateway.attachments import Fetching
from gateway.by_words import ByWords
from gateway.catching_up import CatchingUp
from gateway.code_lock import CodeLock
from gateway.conversations import Conversations
from gateway.delivery import Delivery
from gateway.endings import Endings
from gateway.errors import ConfigError
from gateway.inbox import Inbox
from gateway.installations import Installed, Installing
from gateway.listeners import Listeners
from gateway.live import Live
from gateway.outbox import Outbox
from gateway.pages import Pages
from gateway.people import People
from gateway.policy import Policy
from gateway.ports import AgentPlatform, Channel, Clock, Engine, Groups, Installations, Listener, LiveReplies
from gateway.reaching import Reaching
from gateway.reconciling import Reconciling
from gateway.store import Store, database_url, marks
from gateway.sweep import Sweep
from gateway.tokens import Tokens
from gateway.turns import Turns
from gateway.web import api, api_page, app as web, pages as pages_page
from gateway.web.metrics import Metrics, route as metrics_page
from gateway.words import Words
from gateway.work.local import LocalEngine, sqlite_path
from gateway.work.postgres import PostgresEngine

HELP_OFF = "off"
SILENT = timedelta(seconds=20)  # the engine gives a sign of life every five


@dataclass(frozen=True, slots=True)
class Door:
    """What the adapters may do with the core."""

    inbox: Inbox
    approvals: Approvals
    reaching: Reaching
    installations: Installing


@dataclass(frozen=True, slots=True)
class Work:
    """What the engine runs."""

    conversations: Conversations
    delivery: Delivery
    sweeper: Sweep
    catching_up: CatchingUp
    reconciling: Reconciling
    listeners: Listeners
    stopping: asyncio.Event

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
        with context.about(conversation=conversation_id):
            await self.conversations.drain(conversation_id, control=control)

    async def deliver(self, lane: str) -> None:
        await self.delivery.deliver(lane)

    async def sweep(self) -> None:
        await self.sweeper.sweep()

    async def beat(self) -> None:
        await self.delivery.beat()

    async def catch_up(self) -> None:
        await self.catching_up.catch_up()
        await self.reconciling.look()

    async def listen(self) -> None:
        await self.listeners.run()

    def stop(self) -> None:
        self.stopping.set()


@dataclass(frozen=True, slots=True)
class Parts:
    app: Starlette
    store: Store
    engine: Engine
    work: Work
    door: Door


def now() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def build(
    settings: Settings,
    policy: Policy,
    platform: AgentPlatform,
    *,
    public_url: str,
    sandbox: Sandbox | None = None,
    clock: Clock = now,
    runs_engine: bool = True,
) -> AsyncIterator[Parts]:
    """Everything, wired; closed on the way out. Starts nothing. `runs_engine`: this process is to run the work too."""
    async with contextlib.AsyncExitStack() as stack:
        store = Store(
            settings.database_url, pool_size=settings.database_pool, through_pooler=bool(settings.database_direct_url)
        )
        stack.push_async_callback(store.aclose)
        engine = _engine(settings, store)
        world = sandbox.settings if sandbox else None
        keys = keys_of(settings)
        where: dict[str, Any] = {"public_url": lambda: public_url, "clock": clock}
        channels = build_channels(settings, world, **where, installed=Installed(store, keys, "slack"))
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        words, stopping, late_after = words_of(settings), asyncio.Event(), policy.operations.late_after
        alerts = [policy.destination(one) for one in policy.operations.alerts]
        pages = Pages(store, keys, where["public_url"], clock)
        outbox = Outbox(store, engine, channels, clock, alerts=alerts, pages=pages)
        delivery = Delivery(store, outbox, channels, clock, words, policy=policy, late_after=late_after, key=keys[0])
        people = People(policy, {name: one for name, one in channels.items() if isinstance(one, Groups)}, clock)
        approvals = Approvals(
            store, engine, outbox, policy, clock, words, people=people, channels=channels, key=keys[0]
        )
        endings = Endings(store, outbox, approvals, clock, words)
        live = Live(store, live_replies(channels), clock)
        fetching, slots = Fetching(channels, clock), settings.turn_slots
        turns = Turns(store, platform, endings, policy, clock, live, fetching, stopping=stopping, slots=slots)
        conversations = Conversations(store, engine, turns, endings, outbox, clock, words, stopping=stopping)
        inbox = Inbox(
            store,
            engine,
            outbox,
            policy,
            clock,
            ByWords(approvals, outbox, clock, words, keys, CodeLock(outbox, policy, clock)),
        )
        installing = Installing(store, outbox, keys, clock)
        door = Door(inbox, approvals, Reaching(store, outbox, policy, clock), installing)
        heads = policy.operations.heads and bool(policy.operations.alerts)
        daily: dict[str, Any] = {"heads": heads, "retention": policy.retention}
        sweep = Sweep(store, engine, approvals, outbox, clock, late_after=late_after, **daily)
        catching_up = CatchingUp(store, inbox, channels, clock, late_after=late_after)
        reconciling = Reconciling(store, platform, approvals, endings, clock)
        listeners = Listeners(store, outbox, door, listening(channels), clock)
        work = Work(conversations, delivery, sweep, catching_up, reconciling, listeners, stopping)
        routes: list[BaseRoute] = [route for channel in channels.values() for route in channel.routes(door)]
        if sandbox is not None:
            routes += sandbox.routes()
        routes.append(pages_page.route(pages))
        metrics = Metrics(store, clock, channels=tuple(channels))
        stack.push_async_callback(metrics.aclose)
        token = settings.ops.token.get_secret_value() if settings.ops.token else ""
        guard: dict[str, Any] = {"token": token, "open_without": not settings.has_channel}
        routes.append(metrics_page(metrics, **guard))
        routes += api_routes(api.Desk(store, policy, approvals, Tokens(store, policy, keys, clock), token), guard)
        yield Parts(web.build(routes, *readiness(store, clock, runs_engine=runs_engine)), store, engine, work, door)


def api_routes(desk: api.Desk, guard: Mapping[str, Any]) -> list[BaseRoute]:
    routes, schema = api.mounted(desk)
    return [*routes, *api_page.routes(schema, **guard)]


def words_of(settings: Settings) -> Words:
    """What we say, with what the environment says in its place."""
    said = settings.sms.help.strip() if settings.sms is not None else ""
    return replace(Words(), help="" if said.lower() == HELP_OFF else said) if said else Words()


def _engine(settings: Settings, store: Store) -> LocalEngine | PostgresEngine:
    if store.on_sqlite:
        return LocalEngine()
    direct = database_url(settings.database_direct_url or settings.database_url)
    return PostgresEngine(direct, turns=settings.turn_slots, pool_size=settings.engine_pool)


def build_channels(
    settings: Settings,
    world: SandboxSettings | None,
    *,
    public_url: Callable[[], str],
    clock: Clock,
    installed: Installations | None = None,
) -> dict[str, Channel]:
    """The channels whose variables are set; with the sandbox's world, those to it. `installed`: see `SlackChannel`."""
    slack = boxed.slack(world) if world else settings.slack
    sms = boxed.sms(world) if world else settings.sms
    channels: list[Channel] = []
    if slack is not None:
        channels.append(SlackChannel(slack, clock=clock, public_url=public_url, installed=installed))
    if sms is not None:
        channels.append(SmsChannel(sms, public_url=public_url, clock=clock))
    return {channel.name: channel for channel in channels}


@contextlib.asynccontextmanager
async def channels_beside(settings: Settings, clock: Clock = now) -> AsyncIterator[dict[str, Channel]]:
    """The channels alone, to ask them something, whatever else runs. Makes no database."""
    async with contextlib.AsyncExitStack() as stack:
        installed = None
        path = sqlite_path(database_url(settings.database_url))
        if settings.slack is not None and settings.slack.many and (path is None or path.is_file()):
            through_pooler = bool(settings.database_direct_url)
            store = await stack.enter_async_context(
                contextlib.aclosing(Store(settings.database_url, pool_size=2, through_pooler=through_pooler))
            )
            installed = Installed(store, keys_of(settings), "slack")
        where: dict[str, Any] = {"public_url": lambda: settings.public_url, "clock": clock}
        channels = build_channels(settings, None, **where, installed=installed)
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        yield channels


def live_replies(channels: Mapping[str, Channel]) -> dict[str, LiveReplies]:
    """The channels that can show a reply growing."""
    return {name: channel.live for name, channel in channels.items() if isinstance(channel, SlackChannel)}


def listening(channels: Mapping[str, Channel]) -> list[Listener]:
    """Of the channels that fetch what comes in."""
    slack = [channel for channel in channels.values() if isinstance(channel, SlackChannel)]
    return [channel.listener for channel in slack if channel.listener is not None]


def readiness(store: Store, clock: Clock, *, runs_engine: bool) -> tuple[dict[str, web.Ready], dict[str, web.Report]]:
    """What must be so for this process to be ready, and what is only reported."""

    async def database() -> str | None:
        await store.ping()
        return None

    async def migrations() -> str | None:
        return await schema.behind_now(store)

    async def silent() -> str | None:
        alive = await store.read(lambda db: marks.at(db, marks.ALIVE))
        if alive is not None and clock() - alive < SILENT:
            return None
        return f"no sign of life since {alive:%Y-%m-%d %H:%M:%S} UTC" if alive else "no sign of life yet"

    async def workers() -> str:
        return await silent() or "at work"

    checks: dict[str, web.Ready] = {"database": database, "migrations": migrations}
    return (checks | {"engine": silent}, {}) if runs_engine else (checks, {"workers": workers})


def check_gated(policy: Policy, gated: Mapping[str, tuple[str, ...]], known: Collection[str], name: str) -> None:
    """Default closed, said at the start: `gated` is each known agent's tools that may ask, `known` all their tools.

    Raises `ConfigError`.
    """
    for tool in policy.approvals.tools:
        if tool not in known:
            meant = get_close_matches(tool, sorted(known), 1)
            there = f"did you mean {meant[0]}?" if meant else f"there are: {', '.join(sorted(known)) or 'none'}"
            raise ConfigError(f"{name}: [approvals.tools.{tool}]: no agent in config/agents has that tool; {there}")
    for route in policy.routes:
        if route.agent not in gated:
            known = ", ".join(sorted(gated)) or "none"
            raise ConfigError(
                f"{name}: routes: there is no agent {route.agent!r} in config/agents (there are: {known})"
            )
        for tool in gated[route.agent]:
            rule = policy.rule_for(tool)
            for word in ("ask", "approvers"):
                if not getattr(rule, word):
                    raise ConfigError(
                        f"{name}: `{word}` is empty for the tool {tool}, which the agent {route.agent} can reach: "
                        f"nobody could approve it; set it in [approvals.default] or [approvals.tools.{tool}]"
                    )
