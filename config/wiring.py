"""build(): the only list of what exists. No discovery, no decorators, no container."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.world import Sandbox
from adapters.slack.channel import SlackChannel, SlackSettings
from adapters.sms.channel import SmsChannel, SmsSettings
from config import schema
from config.settings import Settings
from gateway import context
from gateway.approvals import Approvals
from gateway.catching_up import CatchingUp
from gateway.conversations import Conversations
from gateway.delivery import Delivery
from gateway.endings import Endings
from gateway.errors import ConfigError
from gateway.inbox import Inbox
from gateway.outbox import Outbox
from gateway.policy import Policy, place
from gateway.ports import AgentPlatform, Channel, Clock, Engine
from gateway.store import Store, database_url, marks
from gateway.sweep import Sweep
from gateway.turns import Turns
from gateway.web import app as web
from gateway.web.metrics import Metrics
from gateway.web.metrics import route as metrics_page
from gateway.words import Words
from gateway.work.local import LocalEngine
from gateway.work.postgres import PostgresEngine

SILENT = timedelta(seconds=20)  # the engine gives a sign of life every five


@dataclass(frozen=True, slots=True)
class Door:
    """What the adapters may do with the core."""

    inbox: Inbox
    approvals: Approvals


@dataclass(frozen=True, slots=True)
class Work:
    """What the engine runs."""

    conversations: Conversations
    delivery: Delivery
    sweeper: Sweep
    catching_up: CatchingUp
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
        channels = build_channels(settings, sandbox, public_url=lambda: public_url, clock=clock)
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        words, stopping, late_after = Words(), asyncio.Event(), policy.operations.late_after
        outbox = Outbox(store, engine, channels, clock, alerts=[place(one) for one in policy.operations.alerts])
        delivery = Delivery(store, outbox, channels, clock, words, late_after=late_after)
        approvals = Approvals(store, engine, outbox, policy, clock, words)
        endings = Endings(store, outbox, approvals, clock, words)
        turns = Turns(store, platform, endings, policy, clock, stopping=stopping, slots=settings.turn_slots)
        conversations = Conversations(store, engine, turns, endings, outbox, clock, words, stopping=stopping)
        inbox = Inbox(store, engine, outbox, policy, clock)
        door = Door(inbox, approvals)
        sweep = Sweep(store, engine, approvals, outbox, clock, words, late_after=late_after)
        catching_up = CatchingUp(store, inbox, channels, clock, late_after=late_after)
        work = Work(conversations, delivery, sweep, catching_up, stopping)
        routes: list[BaseRoute] = [route for channel in channels.values() for route in channel.routes(door)]
        if sandbox is not None:
            routes += sandbox.routes()
        metrics = Metrics(store, clock, channels=tuple(channels))
        stack.push_async_callback(metrics.aclose)
        token = settings.ops.token.get_secret_value() if settings.ops.token else ""
        routes.append(metrics_page(metrics, token=token, open_without=not settings.has_channel))
        yield Parts(web.build(routes, *readiness(store, clock, runs_engine=runs_engine)), store, engine, work, door)


def _engine(settings: Settings, store: Store) -> LocalEngine | PostgresEngine:
    if store.on_sqlite:
        return LocalEngine()
    direct = database_url(settings.database_direct_url or settings.database_url)
    return PostgresEngine(direct, turns=settings.turn_slots, pool_size=settings.engine_pool)


def build_channels(
    settings: Settings, sandbox: Sandbox | None, *, public_url: Callable[[], str], clock: Clock
) -> dict[str, Channel]:
    """The channels whose variables are set; with the sandbox, its own."""
    slack = sandbox_slack(sandbox.settings) if sandbox else settings.slack
    sms = sandbox_sms(sandbox.settings) if sandbox else settings.sms
    channels: list[Channel] = []
    if slack is not None:
        channels.append(SlackChannel(slack, clock=clock))
    if sms is not None:
        channels.append(SmsChannel(sms, public_url=public_url, clock=clock))
    return {channel.name: channel for channel in channels}


def build_sandbox(url: str, public_url: str, state: Path, clock: Clock = now) -> Sandbox:
    """The outside world in a box, reached at the gateway's own `url`; its credentials live as long as the process."""
    return Sandbox(
        SandboxSettings(
            gateway_url=url,
            public_url=public_url,
            state_path=state,
            slack_signing_secret=secrets.token_hex(16),
            slack_bot_token="xoxb-" + secrets.token_hex(12),
            sms_account_sid="AC" + secrets.token_hex(16),
            sms_auth_token=secrets.token_hex(16),
        ),
        clock=lambda: clock().timestamp(),
    )


def sandbox_slack(world: SandboxSettings) -> SlackSettings:
    return SlackSettings.model_validate(
        {
            "signing_secret": world.slack_signing_secret,
            "bot_token": world.slack_bot_token,
            "api_url": f"{world.base}/sandbox/slack/api/",
        }
    )


def sandbox_sms(world: SandboxSettings) -> SmsSettings:
    return SmsSettings.model_validate(
        {
            "account_sid": world.sms_account_sid,
            "auth_token": world.sms_auth_token,
            "from": world.sms_from,
            "api_url": f"{world.base}/sandbox/twilio",
        }
    )


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


def check_gated(policy: Policy, gated: Mapping[str, tuple[str, ...]], name: str) -> None:
    """Default closed, said at the start: `gated` is each known agent's tools that may ask. Raises `ConfigError`."""
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
