"""The words of the gateway, as frozen values: what happened (past tense) and what to do (imperative).

No behaviour and no I/O. A new need is a new field or a new class, never a dictionary of extras.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from gateway.agent_events import (
    AgentEvent as AgentEvent,
    AgentStatus as AgentStatus,
    Answer as Answer,
    ApprovalAsked as ApprovalAsked,
    Confirm as Confirm,
    Delta as Delta,
    Deny as Deny,
    HistoryEntry as HistoryEntry,
    Replied as Replied,
    Searched as Searched,
    StatusChanged as StatusChanged,
    ToolUsed as ToolUsed,
    TurnFailed as TurnFailed,
    UserPosted as UserPosted,
)
from gateway.senders import (
    Consent as Consent,
    Identity as Identity,
    MediaRef as MediaRef,
    Proof as Proof,
    ThreadRef as ThreadRef,
)


class Verdict(StrEnum):
    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What a button below a request claims. Who sent it decides whether it counts, and the digest of what for."""

    approval_id: str
    verdict: Verdict
    digest: str = ""  #: or its beginning; without one nothing is approved


# --- it happened -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """A person wrote. Deduplicated on `event_id` (one delivery) and on `message_id` (the message itself)."""

    kind: Literal["message"] = "message"
    event_id: str
    message_id: str
    thread: ThreadRef
    sender: Identity
    text: str
    media: tuple[MediaRef, ...] = ()
    own_account: bool = True  #: False: an account nobody configured; only a route that names it takes it
    addressed: bool = True  #: False: taken only when the thread already has a conversation
    sent_at: datetime | None = None  #: by the platform's clock, where it says
    version: str = ""  #: of words that were written anew; a later one sorts after an earlier one
    answerable: bool = True  #: False: kept, and no agent is woken: its sender is a machine, or takes no answer
    joined: bool = False  #: what the same person wrote after it is in it
    country: str | None = None  #: of the sender's number, by its ISO code; empty: nobody can place it; None: no number
    pressed: Pressed | None = None  #: it is a button of ours that they pressed; `text` is what stands on it
    consent: Consent | None = None  #: then it is about that alone, and no agent sees it


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionGiven:
    """A person decided; the approval's row says how. Written by `approvals.decide` alone."""

    kind: Literal["decision"] = "decision"
    approval_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalExpired:
    """Nobody decided in time. Written by the sweep alone."""

    kind: Literal["expired"] = "expired"
    approval_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Somebody stopped the turn that runs. Written by `Conversations.interrupt` alone."""

    kind: Literal["interrupted"] = "interrupted"
    by: str


class Delivery(StrEnum):
    """What a carrier says of a message it took."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    AGAIN = "again"  #: it failed, and may well arrive if it is sent once more, a little later
    FAILED = "failed"
    REFUSED = "refused"  #: failed, for whoever should get it wants no messages from us


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReported:
    """The carrier said what became of something we sent. `provider_id` is the receipt's.

    `error`: why it failed, in plain words, after the carrier's own code where it has one: `30006: it is a landline`.
    What follows a semicolon is for operations alone.
    """

    channel: str
    provider_id: str
    state: Delivery
    error: str = ""


LaneEvent = MessageReceived | DecisionGiven | ApprovalExpired | Interrupted
"""What a conversation's lane holds; `Conversations.receive` matches it, closed."""


# --- approvals as surfaces see them ------------------------------------------------------------------------


class ApprovalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Something said, as it is shown beside a request. `by`: a name of the directory, else an address."""

    by: str
    at: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView:
    """One request as a surface shows it. Free of session ids, codes and tokens."""

    id: str
    tool: str
    arguments: dict[str, Any] | None  #: None: the platform did not say; the surface says so
    digest: str
    requester: Identity
    asked_in: str  #: the channel of the customer's thread
    agent: str
    message: str  #: what the customer wrote that led to it
    required: int
    approvers: tuple[str, ...]
    reason_required: bool
    expires_at: datetime
    state: ApprovalState = ApprovalState.PENDING
    decided_by: str = ""
    decided_at: datetime | None = None
    reason: str = ""
    votes: tuple[str, ...] = ()  #: who has approved it as it stands now
    can_edit: bool = False
    input_schema: dict[str, Any] | None = None  #: the tool's; only in what somebody reads, never in what is sent
    destructive: bool = False  #: ask once more before approving
    approve_unseen: bool = False  #: the policy lets it be approved though not all of it was shown
    hidden: tuple[str, ...] = ()  #: arguments whose values only the whole request shows
    difference: tuple[str, ...] = ()  #: what was changed since the agent asked, a line each
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
    held_at: datetime | None = None  #: nobody decided in time, and the request stays open
    applied: bool = False  #: the agent took the answer and the turn went on
    trouble: str = ""  #: why the answer never reached the agent
    waiting: str = ""  #: why the answer has not reached the agent yet; it is tried again
    recent: tuple[Spoken, ...] = ()  #: the conversation's last messages; as `input_schema`, only in what somebody reads
    notes: tuple[Spoken, ...] = ()  #: what was written beside its cards; the same


# --- please do ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the carrier gave us for a message: `provider_id` is opaque outside its adapter."""

    provider_id: str
    segments: int = 0  #: what the carrier counts and charges, where it says


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """Plain words to a thread. `text` is Markdown from a model or words of ours: data, never markup to trust."""

    kind: Literal["say"] = "say"
    to: ThreadRef
    text: str
    whole: str = ""  #: what the page shows that `text` leads to, where that is only its beginning
    only_for: str = ""  #: the address of the one person who sees it, where others see the thread
    note: str = ""  #: below it, small, where the channel can: what the agent used. Data like the text
    replaces: str = ""  #: the handle of `LiveReplies` whose message this ends; empty: a message of its own
    ref: str = ""  #: our own id of this message, stable over retries; filled in by the outbox
    queued_at: datetime | None = None  #: no attempt is older; filled in by the outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class AskApproval:
    """Show a request where approvers see it."""

    kind: Literal["ask"] = "ask"
    to: ThreadRef
    approval: ApprovalView
    code_for: str = ""  #: whose code it carries; empty on a surface that decides by buttons
    code_n: int = 0  #: 0: none, for it cannot be decided there
    code: str = ""  #: filled in right before the send, and nowhere kept
    elsewhere: tuple[str, ...] = ()  #: other surfaces on which whoever has the code may approve it
    ref: str = ""
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Draw attention to what `AskApproval` showed; `receipt` names it, where it was, and is filled in by the outbox."""

    kind: Literal["reminder"] = "reminder"
    to: ThreadRef
    approval: ApprovalView
    code_for: str = ""
    code_n: int = 0
    code: str = ""
    elsewhere: tuple[str, ...] = ()
    late: bool = False  #: it answers a code that had run out
    receipt: Receipt | None = None
    ref: str = ""
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOutcome:
    """Change what `AskApproval` showed; `receipt` names it and is filled in by the outbox."""

    kind: Literal["outcome"] = "outcome"
    to: ThreadRef
    approval: ApprovalView
    receipt: Receipt | None = None
    ref: str = ""
    queued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSeen:
    """A test message to a person, who answers it: with a button where there are some, else with the code."""

    kind: Literal["check"] = "check"
    to: ThreadRef
    check_id: int
    code: str  #: decides nothing
    ref: str = ""
    queued_at: datetime | None = None


Outbound = Say | AskApproval | Remind | ShowOutcome | AskSeen

lane_events: TypeAdapter[LaneEvent] = TypeAdapter(Annotated[LaneEvent, Field(discriminator="kind")])
outbounds: TypeAdapter[Outbound] = TypeAdapter(Annotated[Outbound, Field(discriminator="kind")])
