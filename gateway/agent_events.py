"""The agent's words, as frozen values: what a session says, what its history holds, and how it is answered."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class AgentStatus(StrEnum):
    """What the platform says a session is doing (`participant_status`)."""

    IDLE = "Idle"
    PROCESSING = "Processing"
    AWAITING_APPROVAL = "AwaitingApproval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the reply. For live display only; the truth is `Replied`."""

    message_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """The turn's whole reply."""

    message_id: str
    text: str
    tokens: int = 0  #: what the turn used, in and out, where the platform says


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalAsked:
    """The agent wants to run one tool call. `message_id` names the request when it is answered."""

    message_id: str
    tool_call_id: str
    tool_id: str
    tool_name: str
    arguments: dict[str, Any] | None
    input_schema: dict[str, Any] | None = None  #: of the tool, where the agent's definition tells it
    open: bool = True  #: in a history: still unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUsed:
    """A tool begins to run, or has run. For display only."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """Something was looked for. `sources`: the hosts of what was found. For display only."""

    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    status: AgentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFailed:
    """The turn ended without a reply. `error` is for logs, never for a customer."""

    message_id: str
    error: str
    resumable: bool = False  #: the platform was stopped before any tool ran: the same post, under its key, runs again
    reauthorize: bool = False  #: a person must renew an integration at the platform; nothing on the line can answer
    unanswerable: bool = False  #: it asked for an approval without the id that an answer must name


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPosted:
    """In a history only: what a user posted. A file has an entry of its own, right behind the text it came with."""

    message_id: str
    text: str
    is_file: bool = False


AgentEvent = Delta | Replied | ApprovalAsked | ToolUsed | Searched | StatusChanged | TurnFailed
HistoryEntry = UserPosted | Replied | ApprovalAsked | TurnFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """Run it, with exactly these arguments (empty: as proposed)."""

    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """Do not run it. A reason beginning with `UNANSWERED:` says that nobody decided."""

    reason: str


Answer = Confirm | Deny
