"""A process that sends, and a carrier that does what a test tells it to."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from gateway import delivery
from gateway.errors import Uncertain, Unknowable
from gateway.events import Outbound, Receipt, Say, ThreadRef
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.ports import Pace
from gateway.store import Store, Tx
from gateway.words import Words
from tests.helpers.clock import Clock

ALICE, OPS = ThreadRef("sms", "+1", "+2"), ThreadRef("sms", "+1", "+9")


class Carrier:
    """A channel that does what it is told to: an error is raised, "lost" arrives but says nothing."""

    name = "sms"

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self.script: deque[Any] = deque()
        self.can_look_up = True
        self.keeps_order = True
        self.finds = ""
        self.looks: deque[Exception] = deque()
        self.bears: Sequence[Pace] = ()
        self.began = asyncio.Event()
        self.gate: asyncio.Event | None = None  # set: sends wait for it

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        return [text]

    def page(self, to: ThreadRef, text: str) -> str | None:
        return None

    def lane(self, to: ThreadRef) -> str:
        return f"sms:{to.key}"

    def pace(self, lane: str) -> Sequence[Pace]:
        return self.bears

    async def missed(self, since: datetime) -> list[Any]:
        return []

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        return None

    async def send(self, message: Outbound) -> Receipt:
        assert isinstance(message, Say)
        self.began.set()
        if self.gate is not None:
            await self.gate.wait()
        act = self.script.popleft() if self.script else None
        if isinstance(act, BaseException):
            raise act
        self.arrived.append(message.text)
        if act == "lost":
            raise Uncertain("the answer was lost")
        return Receipt(provider_id=f"id-{message.ref}")

    async def find(self, message: Outbound) -> Receipt | None:
        assert isinstance(message, Say)
        if self.looks:
            raise self.looks.popleft()
        if not self.can_look_up:
            raise Unknowable("no list here")
        if self.finds:
            return Receipt(provider_id=self.finds)
        return Receipt(provider_id=f"id-{message.ref}") if message.text in self.arrived else None

    def routes(self, door: Any) -> list[Any]:
        return []

    async def fetch(self, media: Any, of: Any, *, most: int) -> Any:
        raise NotImplementedError

    async def check(self) -> list[Any]:
        return []

    async def aclose(self) -> None:
        pass


class Quiet:
    """An engine that runs nothing: the test delivers by itself."""

    async def wake(self, tx: Tx, conversation_id: int, *, control: bool = False) -> None:
        pass

    async def remind(self, tx: Tx, conversations: Any) -> None:
        pass

    async def abort(self, tx: Tx, conversation_id: int) -> None:
        pass

    async def wake_lane(self, tx: Tx, lane: str) -> None:
        pass

    async def run(self, work: Any, stop: Callable[[], Any]) -> None:
        raise NotImplementedError


class Office:
    """One process's outbox and delivery."""

    def __init__(self, store: Store, carriers: dict[str, Any], clock: Clock) -> None:
        outbox = Outbox(store, Quiet(), carriers, clock, alerts=[OPS])
        sends = delivery.Delivery(
            store, outbox, carriers, clock, Words(), policy=Policy(), late_after=timedelta(minutes=15)
        )
        self.add, self.report, self.alert = outbox.add, outbox.report, outbox.alert
        self.deliver, self.beat = sends.deliver, sends.beat
