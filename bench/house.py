"""The gateway as it is measured: wired as in production, with a channel that takes a message at once."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal, cast

from starlette.routing import BaseRoute

from adapters.agent.client import AgentClient, AgentSettings
from bench.handlers import Empty, Holding, Note
from config import running, schema, wiring
from config.settings import AgentServerVariables, Settings
from config.wiring import Parts, Work, now
from gateway import policy as policies
from gateway.approvals import Approvals
from gateway.conversations import Conversations
from gateway.delivery import Delivery
from gateway.endings import Endings
from gateway.events import Identity, MediaRef, MessageReceived, Outbound, Proof, Receipt, ThreadRef
from gateway.live import Live
from gateway.outbox import Outbox
from gateway.ports import AgentPlatform, Blob, Door, Finding, Missed, Pace
from gateway.store import Store, leases
from gateway.turns import Turns
from gateway.words import Words
from gateway.work.local import only_engine, sqlite_path

Kind = Literal["empty", "holding", "turns"]
OURS = "+15557770000"
NOWHERE = "http://127.0.0.1:1"  # what is never called
POLICY = policies.read(
    """
[[routes]]
channel = "sms"
agent = "support"

[people.ana]
slack = "U0ANA"

[approvals.default]
ask = ["slack:C0OPS"]
approvers = ["ana"]
"""
)


def settings_for(url: str, folder: Path) -> Settings:
    """The defaults on this database, whatever the environment says."""
    if url.startswith("sqlite"):
        agent_server = AgentServerVariables(database_url=f"sqlite:///{folder}/agent.db")
        return Settings.model_construct(database_url=url, port=0, agent_server=agent_server)
    return Settings.model_construct(database_url=url, port=0)


@contextlib.asynccontextmanager
async def opened(url: str, folder: Path, kind: Kind | None) -> AsyncIterator[tuple[Parts, Work]]:
    """The parts, and the work of this kind; with None there is no work here, only a door."""
    settings = settings_for(url, folder)
    async with contextlib.AsyncExitStack() as stack:
        if kind == "turns":
            platform = await stack.enter_async_context(running.agent_platform(settings))
        else:
            platform = AgentClient(AgentSettings(url=f"{NOWHERE}/v1"))
            stack.push_async_callback(platform.aclose)
        parts = await stack.enter_async_context(wiring.build(settings, POLICY, platform, public_url=NOWHERE))
        match kind:
            case "turns":
                yield parts, _whole(settings, parts, platform)
            case "holding":
                yield parts, _instead(parts.work, Holding(parts.store))
            case _:
                yield parts, _instead(parts.work, Empty(parts.store))


def _instead(work: Work, conversations: Empty | Holding) -> Work:
    """The real work, but for what it does in a lane."""
    return dataclasses.replace(work, conversations=cast(Conversations, conversations))


def _whole(settings: Settings, parts: Parts, platform: AgentPlatform) -> Work:
    """The real work, with the channel put in."""
    store, engine, words, stopping = parts.store, parts.engine, Words(), parts.work.stopping
    channels, late_after = {"sms": Instant()}, POLICY.operations.late_after
    outbox = Outbox(store, engine, channels, now, alerts=[])
    delivery = Delivery(store, outbox, channels, now, words, late_after=late_after)
    approvals = Approvals(store, engine, outbox, POLICY, now, words)
    endings = Endings(store, outbox, approvals, now, words)
    live = Live(store, {}, now)
    turns = Turns(store, platform, endings, POLICY, now, live, stopping=stopping, slots=settings.turn_slots)
    conversations = Conversations(store, engine, turns, endings, outbox, now, words, stopping=stopping)
    return dataclasses.replace(parts.work, conversations=conversations, delivery=delivery)


@contextlib.asynccontextmanager
async def at_work(parts: Parts, work: Work) -> AsyncIterator[None]:
    """The engine runs; leaving lets what runs end."""
    closing = asyncio.Event()

    async def stopped() -> None:
        await closing.wait()

    engine = asyncio.create_task(parts.engine.run(work, stopped))
    try:
        yield
    finally:
        closing.set()
        await engine


def notes(work: Work) -> list[Note]:
    """What the empty handler has noted."""
    handler: object = work.conversations
    return handler.notes if isinstance(handler, Empty) else []


@contextlib.asynccontextmanager
async def owned(url: str) -> AsyncIterator[None]:
    """SQLite as its only engine finds it at a start; PostgreSQL as it is."""
    path = sqlite_path(Store(url).url)
    with only_engine(path) if path else contextlib.nullcontext():
        if path:
            await asyncio.to_thread(schema.migrate, url)
            store = Store(url)
            await store.write(leases.drop_all)
            await store.aclose()
        yield


def text(number: int, event_id: str, words: str) -> MessageReceived:
    """What the SMS adapter makes of a text from the phone `number`."""
    phone = f"+1555{number:07d}"
    sender = Identity(channel="sms", account=OURS, address=phone, proof=Proof.CARRIER)
    thread = ThreadRef("sms", OURS, phone)
    return MessageReceived(event_id=event_id, message_id=event_id, thread=thread, sender=sender, text=words)


class Instant:
    """A channel whose carrier takes every message at once."""

    name = "sms"

    def __init__(self) -> None:
        self._sent = 0

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        return ()

    @property
    def keeps_order(self) -> bool:
        return True

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        return [text]

    def page(self, to: ThreadRef, text: str) -> str | None:
        return None

    def lane(self, to: ThreadRef) -> str:
        return f"sms:{to.account}:{to.key}"

    def pace(self, lane: str) -> Sequence[Pace]:
        return ()

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        return None

    async def send(self, message: Outbound) -> Receipt:
        self._sent += 1
        return Receipt(provider_id=f"SM{self._sent:032d}")

    async def find(self, message: Outbound) -> Receipt | None:
        return None

    async def missed(self, since: object) -> Sequence[Missed]:
        return ()

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        return Blob(b"", media.mime_type)

    async def check(self) -> Sequence[Finding]:
        return ()

    async def aclose(self) -> None: ...
