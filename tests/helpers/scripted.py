"""A channel that keeps what it is given and does what a test tells it to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.routing import BaseRoute

from gateway.errors import Unknowable
from gateway.events import ApprovalView, AskApproval, MediaRef, MessageReceived, Outbound, Receipt, Say, ThreadRef
from gateway.ports import Blob, Clock, Door, Finding, Missed, Pace
from tests.helpers.steps import Steps

OURS = "+15557770000"  # the only account of a channel


@dataclass(frozen=True, slots=True)
class Taken:
    """What the carrier has taken, and when."""

    message: Outbound
    at: datetime


class Scripted:
    """Places, for a channel called sms: `sms sending`, `sms taken` (and we do not know it yet), `sms list`,
    `sms fetching`.
    """

    def __init__(self, name: str, steps: Steps, clock: Clock) -> None:
        self.name = name
        self.taken: list[Taken] = []
        self.can_look_up = True
        self.segments = 0  # of each message, as the carrier counts them
        self.files: dict[str, bytes] = {}  # by where they are
        self.kept: list[MessageReceived] = []  # what customers wrote, as the carrier's own list has it
        self.asked_since: list[datetime] = []
        self._steps = steps
        self._clock = clock

    def told(self, key: str) -> list[str]:
        """What somebody was told, in order."""
        says = [one.message for one in self.taken if isinstance(one.message, Say)]
        return [say.text for say in says if say.to.key == key]

    def cards(self) -> list[ApprovalView]:
        """The requests that were shown, in order."""
        return [one.message.approval for one in self.taken if isinstance(one.message, AskApproval)]

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        return ()

    @property
    def by_code(self) -> bool:
        return self.name == "sms"

    @property
    def keeps_order(self) -> bool:
        return self.name != "sms"

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        return text.split("\f")

    def page(self, to: ThreadRef, text: str) -> str | None:
        return None

    def shows_whole(self, approval: ApprovalView) -> bool:
        return approval.arguments is not None and len(str(approval.arguments)) < 2_000

    def lane(self, to: ThreadRef) -> str:
        return f"{self.name}:{to.key}"

    def pace(self, lane: str) -> Sequence[Pace]:
        return ()

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        return ThreadRef(self.name, to.account or OURS, to.key) if self.by_code else None

    async def send(self, message: Outbound) -> Receipt:
        await self._steps.at(f"{self.name} sending")
        self.taken.append(Taken(message, self._clock()))
        await self._steps.at(f"{self.name} taken")
        return Receipt(provider_id=f"{self.name}-{message.ref}", segments=self.segments)

    async def find(self, message: Outbound) -> Receipt | None:
        if not self.can_look_up:
            raise Unknowable("there is no list here")
        there = any(one.message.ref == message.ref for one in self.taken)
        return Receipt(provider_id=f"{self.name}-{message.ref}") if there else None

    async def missed(self, since: datetime) -> Sequence[Missed]:
        await self._steps.at(f"{self.name} list")
        self.asked_since.append(since)
        return [Missed(event, self._after(event)) for event in self.kept if event.sent_at and event.sent_at > since]

    def _after(self, event: MessageReceived) -> tuple[str, ...]:
        assert event.sent_at is not None
        to_them = (one for one in self.taken if one.message.to.key == event.thread.key)
        return tuple(f"{self.name}-{one.message.ref}" for one in to_them if one.at > event.sent_at)

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        await self._steps.at(f"{self.name} fetching")
        return Blob(self.files.get(media.where, b""), media.mime_type)

    async def check(self) -> Sequence[Finding]:
        return ()

    async def aclose(self) -> None:
        pass
