"""What an adapter may do with the core: hand in what came, read and decide requests, keep its installations.

Protocols and answers only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from gateway.events import ApprovalView, DeliveryReported, Identity, MessageReceived, Verdict


class Added(StrEnum):
    """What became of an event at the inbox; whichever it is, the platform is told 200."""

    KEPT = "kept"
    DUPLICATE = "duplicate"
    NO_ROUTE = "no_route"  #: recorded, answered with nothing
    IGNORED = "ignored"  #: not addressed to us: nothing kept


class InboxDoor(Protocol):
    async def add(self, event: MessageReceived) -> Added:
        """Keep the event. When this returns it is on disk; when it raises, nothing was kept. Twice is safe."""

    async def edited(self, message: MessageReceived) -> bool:
        """Its author wrote a message anew: `version` says which writing this is. False: nothing changes by it.

        Nothing changes when we do not have the message, somebody else wrote it, or its turn has begun. Twice is safe.
        """

    async def withdrawn(self, message: MessageReceived) -> bool:
        """A message, as it was, was taken back. False: nothing changes by it, for the same reasons. Twice is safe."""

    async def report(self, report: DeliveryReported) -> None:
        """Note what a carrier said of a message. States never move backwards; twice is safe."""

    async def held_back(self, channel: str, account: str, minute: datetime) -> None:
        """The platform says that it sends us no more events of that minute. Twice is once."""


Result = Literal[
    "decided",
    "voted",  # kept; more people must approve
    "edited",
    "already",
    "not_allowed",
    "unknown",
    "changed",  # since it was shown
    "reason_required",
    "paused",
    "unseen",  # the whole must be opened first, or nobody knows the arguments
    "elsewhere",  # not on this surface, or not for this amount
    "forbidden",  # by today's policy: it can only be denied; or an edit where none is allowed
    "invalid",  # an edit that the tool's schema does not take
    "unsure",  # a group could not be looked up
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to somebody who tried to decide. `approval` is None unless they may see the request."""

    result: Result
    approval: ApprovalView | None = None
    problems: tuple[str, ...] = ()  #: of an edit, a line each


class ApprovalsDoor(Protocol):
    async def read(self, approval_id: str, who: Identity, *, whole: bool = False, via: str = "") -> Decision:
        """What `who` may see of a request. `decided` here means: it is open and theirs to decide.

        `whole`: with what is hidden elsewhere; that they opened it (`via`) is kept, and counts when they approve.
        """

    async def whole(self, approval_id: str, who: Identity, *, via: str) -> Decision:
        """The same without keeping anything, for a surface that has yet to show it."""

    async def opened(self, approval_id: str, who: Identity, *, via: str, digest: str) -> None:
        """It has shown all of it to them, with the arguments of this digest. Twice is once."""

    async def waiting(self, who: Identity) -> Sequence[ApprovalView]:
        """The open requests that `who` may decide, without hidden values, the first to expire first."""

    async def decide(
        self,
        approval_id: str,
        who: Identity,
        verdict: Verdict,
        *,
        via: str,
        reason: str = "",
        digest: str = "",
    ) -> Decision:
        """Decide once, in one transaction. `digest`, when given, is (the beginning of) that of what they saw.

        `via`: the channel they decided on, or `api`. Twice is safe.
        """

    async def edit(
        self, approval_id: str, who: Identity, arguments: dict[str, Any], *, via: str, digest: str
    ) -> Decision:
        """Change the arguments before anybody approves. Validated against the tool's JSON Schema, types as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """An account in which the app is installed. Holds no secret."""

    account: str
    name: str
    installed_at: datetime


class Installations(Protocol):
    """For a channel whose app is installed in many accounts: what it kept for each (`Door.installations`)."""

    async def secret(self, account: str) -> str | None:
        """None: it is not installed there. Raises `KeyRefused` where no key opens it, or `DatabaseAway`."""

    async def all(self) -> Sequence[Installation]:
        """Those that are there now, by account."""


class InstallationsDoor(Protocol):
    async def keep(self, channel: str, account: str, secret: str, *, name: str) -> None:
        """The app was installed there; `secret` is kept sealed, in place of the one before. Twice is safe.

        On disk when this returns. Raises `DatabaseAway`.
        """

    async def remove(self, channel: str, account: str, *, before: datetime) -> bool:
        """It was removed there: the secret is forgotten and operations are told, in one transaction. Twice is once.

        False: it is not there, or was installed after `before`. Raises `DatabaseAway`.
        """

    async def new_state(self) -> str:
        """An OAuth state that is good for ten minutes, in any process. Keeps nothing."""

    async def use_state(self, state: str) -> bool:
        """True once for each state, whichever process asks. False: it is forged, too old or used."""


Seen = Literal["seen", "not_yours", "over"]


class ReachingDoor(Protocol):
    async def seen(self, check: str, who: Identity) -> Seen:
        """Somebody pressed the button of the test message `check`. Only the person it was for answers it so."""


class Door(Protocol):
    @property
    def inbox(self) -> InboxDoor: ...
    @property
    def approvals(self) -> ApprovalsDoor: ...
    @property
    def reaching(self) -> ReachingDoor: ...
    @property
    def installations(self) -> InstallationsDoor: ...
