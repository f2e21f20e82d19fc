"""The sockets of the core: what it needs from channels, the agent platform and the engine, and what it offers.

Protocols only. A member is here because the core must choose; how a thing looks is an adapter's `render.py`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from starlette.routing import BaseRoute

from gateway.doors import (
    Added as Added,
    ApprovalsDoor as ApprovalsDoor,
    Decision as Decision,
    Door as Door,
    InboxDoor as InboxDoor,
    Installation as Installation,
    Installations as Installations,
    InstallationsDoor as InstallationsDoor,
    Result as Result,
)
from gateway.events import (
    AgentEvent,
    AgentStatus,
    Answer,
    ApprovalView,
    HistoryEntry,
    Identity,
    MediaRef,
    MessageReceived,
    Outbound,
    Receipt,
    ThreadRef,
)

if TYPE_CHECKING:
    from gateway.store import Tx

Clock = Callable[[], datetime]
"""The time, UTC and aware. Passed in everywhere, so that a test owns it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `gateway doctor`."""

    ok: bool
    what: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Blob:
    data: bytes
    mime_type: str
    name: str = ""


# --- what the core needs from a channel --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pace:
    """What a carrier bears: one message in `every`, and at most `burst` at once after a silence.

    `of`: the name of a budget that lanes share, at most one for a lane; empty: the lane's own.
    """

    every: timedelta
    burst: int
    of: str = ""


@dataclass(frozen=True, slots=True)
class Missed:
    """A message in a carrier's list, and the carrier's ids of what was sent to that person after it."""

    event: MessageReceived
    followed_by: tuple[str, ...] = ()


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def by_code(self) -> bool:
        """Requests are decided here by a word and a code, for there are no buttons."""

    def shows_whole(self, approval: ApprovalView) -> bool:
        """Can it be shown here with nothing cut off? Else nobody approves here without opening the whole. Pure."""

    @property
    def keeps_order(self) -> bool:
        """The carrier hands the messages of a lane on in the order in which it took them."""

    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> Sequence[str]:
        """A reply in the messages that carry it to `to`, in order; with a `link`, one: its beginning and that. Pure."""

    def page(self, to: ThreadRef, text: str) -> str | None:
        """What a page shows of a reply that is too long to be sent there. None: it is sent whole. Pure."""

    def routes(self, door: Door) -> Sequence[BaseRoute]:
        """Its HTTP endpoints: verify, translate, hand to the door, answer the platform."""

    def lane(self, to: ThreadRef) -> str:
        """The queue at the carrier that a message to `to` joins: a Slack channel, a number, a mailbox. Pure."""

    def pace(self, lane: str) -> Sequence[Pace]:
        """How fast a lane may be served, by all processes together; empty: as fast as it goes. Pure."""

    def consent_of(self, to: ThreadRef) -> ThreadRef | None:
        """By which account and address it is kept that whoever gets a message to `to` wants none. Pure.

        None: nobody says so here.
        """

    async def send(self, message: Outbound) -> Receipt:
        """Deliver once. Raises `TryLater`, `WillNeverArrive`, `OptedOut` or `Uncertain`; the caller owns retries."""

    async def find(self, message: Outbound) -> Receipt | None:
        """Did an uncertain send arrive? None: no. Raises `Unknowable` where the carrier cannot tell."""

    async def missed(self, since: datetime) -> Sequence[Missed]:
        """Messages the carrier has that were sent after `since`, oldest first; what we hold already may be among them.

        Empty where a carrier keeps no list. Raises `TryLater`.
        """

    async def fetch(self, media: MediaRef, of: ThreadRef, *, most: int) -> Blob:
        """The bytes behind an attachment of a message in `of`: at most so many. Twice is safe.

        Raises `TryLater`, or `GiveUp`, whose text tells the agent why it does not get the file: the carrier's own words
        and nobody else's. `FileTooLarge` is one that is over `most`.
        """

    async def check(self) -> Sequence[Finding]: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class Groups(Protocol):
    """A channel that knows groups of people."""

    async def members(self, group: str) -> Collection[str]:
        """Addresses as approvers are written, without the channel. Raises when it cannot be said."""


class Listener(Protocol):
    """For a channel that fetches what comes in. One runs at a time, over all processes: see `listeners.py`."""

    @property
    def name(self) -> str:
        """The channel's, also in what operations are told."""

    async def run(self, door: Door) -> None:
        """Connect, and hand what comes to the door until cancelled; what was not kept is left to be fetched again.

        Returns when it should be run again. Raises `KeyRefused` where credentials are refused, `TryLater` where the
        other side is away. Keeps nothing from one run to the next that another process would need.
        """


class LiveReplies(Protocol):
    """For a channel that can show a reply growing. What it shows is ended by a `Say` that `replaces` the handle.

    `open` and `grow` raise `TryLater` or `WillNeverArrive`; the showing ends then, and the turn goes on.
    """

    async def working(self, to: ThreadRef, is_at_work: bool) -> None:
        """Say that the agent is at work, or no more; a message there ends it by itself. Raises nothing."""

    async def open(self, to: ThreadRef, text: str, asked_by: Identity | None) -> str | None:
        """Show the beginning of a reply; the handle of the message that does. None: not here, or not now.

        `asked_by`: whom it is for, where that is known.
        """

    async def grow(self, to: ThreadRef, handle: str, text: str) -> None:
        """Show more: `text` is all there is so far. It may be skipped where the carrier bears no more."""

    async def rest(self, to: ThreadRef, handle: str) -> None:
        """It grows no further, and its end may be long in coming, or never come. Raises nothing; twice is safe."""


# --- what the core needs from the agent platform -----------------------------------------------------------


class AgentLine(Protocol):
    """A live connection to one session. Every method raises `LineLost` when it is lost."""

    @property
    def status(self) -> AgentStatus | None:
        """What the session was doing when we attached; None where the platform does not say."""

    async def post(self, text: str, *, client_message_id: str, files: Sequence[Blob] = ()) -> None:
        """Post a user message, with files in one turn; returns when the platform acknowledged it.

        The same `client_message_id` twice is one message at a platform that honours it (the embedded server).
        Raises `AgentRefused` when the platform says no.
        """

    async def answer(self, request_message_id: str, answer: Answer) -> None:
        """Answer an approval request. Twice is safe: "already answered" counts as taken.

        Raises `AgentRefused` when the platform does not take it.
        """

    async def history(self) -> Sequence[HistoryEntry]:
        """The session's messages, oldest first, and all of them: equal ones are counted."""

    def events(self) -> AsyncIterator[AgentEvent]:
        """Everything that has come since we attached, then what comes. Never ends by itself."""


class AgentPlatform(Protocol):
    async def open_session(self, agent: str) -> str:
        """A new session id for an agent's name or id. Raises `AgentUnavailable` or `AgentRefused`."""

    def attach(self, session_id: str) -> AbstractAsyncContextManager[AgentLine]:
        """Connect to a session, from any process; a line it kept from the last time will do.

        Raises `AgentUnavailable`, `SessionGone` or `AgentRefused`.
        """

    async def erase(self, session_id: str) -> bool:
        """Forget a session and all that was said in it, ending what runs there; one it does not know will do.

        False: the platform offers no deletion. Raises `AgentUnavailable` or `AgentRefused`. Twice is safe.
        """

    async def input_schema(self, agent: str, tool: str) -> dict[str, Any] | None:
        """JSON Schema of what a person may change in a call of the tool: its arguments, without those that are fixed.

        None: the platform does not tell, or not within a few seconds. Raises nothing.
        """

    async def check(self) -> Sequence[Finding]: ...

    async def aclose(self) -> None: ...


# --- the engine --------------------------------------------------------------------------------------------


class Work(Protocol):
    """What the engine runs. Each is safe to call at any time, for anything, twice."""

    async def drain(self, conversation_id: int, *, control: bool = False) -> None:
        """`control`: only what need not wait for messages: decisions, expiries, interrupts."""

    async def deliver(self, lane: str) -> None: ...

    async def sweep(self) -> None: ...

    async def beat(self) -> None:
        """Each second, whatever else runs: keep what this process holds."""

    async def catch_up(self) -> None:
        """Now and then: ask carriers for what they could not hand over. May take long; delays nothing else."""

    async def listen(self) -> None:
        """Listen where a channel fetches, until cancelled."""

    def stop(self) -> None:
        """From now on nothing new is begun; what runs may end."""


class Engine(Protocol):
    """Wakes lanes. Rows own their attempts and their order; a lost wake-up is found by the sweep within a second."""

    async def wake(self, tx: "Tx", conversation_id: int, *, control: bool = False) -> None:
        """Run `drain` for this conversation once the transaction is committed; one at a time per conversation.

        The caller has written to the conversation's row in this transaction.
        `control` wake-ups have slots of their own and go before those for messages.
        """

    async def remind(self, tx: "Tx", conversations: Sequence[tuple[int, bool]]) -> None:
        """`wake` those (conversation, control) that nobody runs or is about to. For the sweep, which comes again."""

    async def wake_lane(self, tx: "Tx", lane: str) -> None:
        """Run `deliver` for this lane once the transaction is committed; one at a time per lane."""

    async def abort(self, tx: "Tx", conversation_id: int) -> None:
        """Cancel the `drain` that runs for this conversation, in whatever process, once this is committed."""

    async def run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        """Run work until `stop()` returns; then take nothing new, let what runs finish for a while, cancel the rest."""
