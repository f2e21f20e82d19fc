"""The core's door as adapters see it, writing down what they do; and outside systems that answer as they are told."""

import asyncio
import contextlib
import socket
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from config.serving import bind, serving
from gateway.doors import Seen
from gateway.events import ApprovalView, DeliveryReported, Identity, MessageReceived, Verdict
from gateway.ports import Added, Decision, Installation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class RecordingInbox:
    kept: list[MessageReceived] = field(default_factory=list)
    reports: list[DeliveryReported] = field(default_factory=list)
    limited: list[tuple[str, str, datetime]] = field(default_factory=list)
    edits: list[MessageReceived] = field(default_factory=list)
    withdrawals: list[MessageReceived] = field(default_factory=list)
    fails: Exception | None = None
    says: Added = Added.KEPT

    async def add(self, event: MessageReceived) -> Added:
        if self.fails is not None:
            raise self.fails
        self.kept.append(event)
        return self.says

    async def edited(self, message: MessageReceived) -> bool:
        if self.fails is not None:
            raise self.fails
        self.edits.append(message)
        return True

    async def withdrawn(self, message: MessageReceived) -> bool:
        if self.fails is not None:
            raise self.fails
        self.withdrawals.append(message)
        return True

    async def report(self, report: DeliveryReported) -> None:
        if self.fails is not None:
            raise self.fails
        self.reports.append(report)

    async def held_back(self, channel: str, account: str, minute: datetime) -> None:
        self.limited.append((channel, account, minute))


@dataclass
class RecordingApprovals:
    """`reads` and `decides` are what the core will say."""

    reads: Decision = field(default_factory=lambda: Decision(result="unknown"))
    decides: Decision = field(default_factory=lambda: Decision(result="decided"))
    asked: list[tuple[str, Identity]] = field(default_factory=list)
    openings: list[tuple[str, Identity, str, str]] = field(default_factory=list)
    decided: list[tuple[str, Identity, Verdict, str, str]] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    fails: Exception | None = None
    gate: asyncio.Event | None = None  # set: look-ups wait for it
    waits: list[ApprovalView] = field(default_factory=list)
    has_opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, approval_id: str, who: Identity, *, whole: bool = False, via: str = "") -> Decision:
        self.asked.append((approval_id, who))
        return await self._looked_up()

    async def whole(self, approval_id: str, who: Identity, *, via: str) -> Decision:
        return await self._looked_up()

    async def _looked_up(self) -> Decision:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return self.reads

    async def opened(self, approval_id: str, who: Identity, *, via: str, digest: str) -> None:
        self.openings.append((approval_id, who, via, digest))
        self.has_opened.set()

    async def waiting(self, who: Identity) -> list[ApprovalView]:
        self.asked.append(("", who))
        return self.waits

    async def decide(
        self,
        approval_id: str,
        who: Identity,
        verdict: Verdict,
        *,
        reason: str = "",
        digest: str = "",
        via: str,
    ) -> Decision:
        if self.fails is not None:
            raise self.fails
        self.decided.append((approval_id, who, verdict, reason, via))
        self.digests.append(digest)
        return self.decides


@dataclass
class RecordingReaching:
    says: Seen = "seen"
    pressed: list[tuple[str, Identity]] = field(default_factory=list)

    async def seen(self, check: str, who: Identity) -> Seen:
        self.pressed.append((check, who))
        return self.says


@dataclass
class RecordingInstallations:
    """Keeps them in memory, and is what a channel reads of them too."""

    kept: dict[str, tuple[str, str]] = field(default_factory=dict)  # by account: secret and name
    removals: list[tuple[str, datetime]] = field(default_factory=list)
    states: set[str] = field(default_factory=set)
    fails: Exception | None = None

    async def keep(self, channel: str, account: str, secret: str, *, name: str) -> None:
        self.kept[account] = (secret, name)

    async def remove(self, channel: str, account: str, *, before: datetime) -> bool:
        if self.fails is not None:
            raise self.fails
        self.removals.append((account, before))
        return self.kept.pop(account, None) is not None

    async def new_state(self) -> str:
        self.states.add(made := f"state-{len(self.states)}")
        return made

    async def use_state(self, state: str) -> bool:
        there = state in self.states
        self.states.discard(state)
        return there

    async def secret(self, account: str) -> str | None:
        if self.fails is not None:
            raise self.fails
        return self.kept[account][0] if account in self.kept else None

    async def all(self) -> list[Installation]:
        return [Installation(account=one, name=name, installed_at=EPOCH) for one, (_, name) in self.kept.items()]


@dataclass
class RecordingDoor:
    inbox: RecordingInbox = field(default_factory=RecordingInbox)
    approvals: RecordingApprovals = field(default_factory=RecordingApprovals)
    reaching: RecordingReaching = field(default_factory=RecordingReaching)
    installations: RecordingInstallations = field(default_factory=RecordingInstallations)


@dataclass(frozen=True)
class Call:
    """One request that an outside system got. `what` is the rest of its path."""

    what: str
    told: dict[str, Any]
    authorization: str = ""


class OutsideSystem:
    """A web service on a real port: writes calls down, and answers as it was told, else with `usual(call)`."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.base = ""
        self._answers: defaultdict[str, deque[Response]] = defaultdict(deque)
        self._called = asyncio.Condition()
        self.app = Starlette(routes=[Route("/{what:path}", self._answer, methods=["GET", "POST"])])

    def usual(self, call: Call) -> Response:
        return JSONResponse({"ok": True})

    def will_answer(self, what: str, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The next call of `what` gets this: a response as it is, or a value as JSON."""
        answer = body if isinstance(body, Response) else JSONResponse(body, status_code=status, headers=headers)
        self._answers[what].append(answer)

    def told(self, what: str) -> list[dict[str, Any]]:
        return [call.told for call in self.calls if call.what == what]

    async def gets(self, what: str) -> dict[str, Any]:
        """The one call of `what`, which may still be on its way: who clicked is told after the click is answered."""
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: self.told(what))
        (told,) = self.told(what)
        return told

    async def gets_all(self, what: str, count: int) -> list[dict[str, Any]]:
        """The calls of `what`, once there are so many."""
        async with asyncio.timeout(10), self._called:
            await self._called.wait_for(lambda: len(self.told(what)) >= count)
        return self.told(what)

    async def _answer(self, request: Request) -> Response:
        told: dict[str, Any] = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("application/json"):
            told |= await request.json()
        elif request.method == "POST":
            async with request.form() as form:
                told |= dict(form)
        call = Call(request.path_params["what"], told, request.headers.get("authorization", ""))
        async with self._called:
            self.calls.append(call)
            self._called.notify_all()
        waiting = self._answers[call.what]
        return waiting.popleft() if waiting else self.usual(call)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        listening = bind("127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with serving(self.app, listening):
            yield


def nobody_listens() -> str:
    """An address at which every connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


class HangsUp:
    """A service that takes a request and closes the connection without an answer."""

    def __init__(self) -> None:
        self.base = ""
        self.requests = 0

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
        writer.close()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield
