"""Approvals and tokens for the command line, beside whatever runs: here nothing is sent, and no turn goes on.

What runs finds within a second what was written.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import boxed, running, wiring
from config.keys import keys_of
from config.settings import Settings
from gateway.approvals import Approvals
from gateway.installations import Installed
from gateway.outbox import Outbox
from gateway.people import People
from gateway.policy import Policy
from gateway.ports import Channel, Clock, Groups
from gateway.store import Store
from gateway.tokens import Tokens
from gateway.words import Words
from gateway.work.local import LocalEngine
from gateway.work.postgres import PostgresEngine

NOWHERE = "http://127.0.0.1:1"


@dataclass(frozen=True, slots=True)
class Desk:
    store: Store
    policy: Policy
    approvals: Approvals
    tokens: Tokens
    outbox: Outbox
    channels: dict[str, Channel]


@contextlib.asynccontextmanager
async def opened(settings: Settings, store: Store, clock: Clock = wiring.now) -> AsyncIterator[Desk]:
    """Raises `ConfigError` for a policy that cannot be read."""
    policy, keys = running.read_policy(settings), keys_of(settings)
    # Without a channel the sandbox is the world. It is in another process, and nothing is sent there from here; its
    # channels only say which queue a message joins.
    world = None if settings.has_channel else boxed.settings(NOWHERE, NOWHERE, Path())
    async with contextlib.AsyncExitStack() as stack:
        installed = Installed(store, keys, "slack")
        where: dict[str, Any] = {"public_url": lambda: settings.public_url, "clock": clock}
        channels = wiring.build_channels(settings, world, **where, installed=installed)
        for channel in channels.values():
            stack.push_async_callback(channel.aclose)
        engine = LocalEngine() if store.on_sqlite else PostgresEngine(store.url)
        alerts = [policy.destination(one) for one in policy.operations.alerts]
        outbox = Outbox(store, engine, channels, clock, alerts=alerts)
        people = People(policy, {name: one for name, one in channels.items() if isinstance(one, Groups)}, clock)
        approvals = Approvals(
            store, engine, outbox, policy, clock, Words(), people=people, channels=channels, key=keys[0]
        )
        yield Desk(store, policy, approvals, Tokens(store, policy, keys, clock), outbox, channels)
