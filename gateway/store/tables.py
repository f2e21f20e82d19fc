"""The rows the gateway owns. Columns only; the questions and deeds are in the modules beside this one."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from gateway.store.columns import Body, Id, UtcTime

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def _id() -> Any:
    return Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))


def _ref(target: str, *, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Id, ForeignKey(target), nullable=null))


def _time(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=null))


class ConversationRow(SQLModel, table=True):
    """A thread, bound to one session at a time. `epoch` fences its owner; `next_seq` orders its events."""

    __tablename__: ClassVar[str] = "conversations"
    __table_args__: ClassVar[Any] = (UniqueConstraint("channel", "account", "thread_key"),)

    id: int = _id()
    channel: str
    account: str
    thread_key: str
    agent: str
    mode: str = "bot"  # bot | human | closed
    session_id: str | None = None
    epoch: int = 0
    next_seq: int = 1
    parked_turn_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))
    created_at: datetime = _time()
    last_message_at: datetime = _time()


class InboxRow(SQLModel, table=True):
    """One event that came in. `conversation_id` is empty when no route took it."""

    __tablename__: ClassVar[str] = "inbox"
    __table_args__: ClassVar[Any] = (
        Index(
            "ix_inbox_ready",
            "conversation_id",
            "seq",
            sqlite_where=text("status = 'new'"),
            postgresql_where=text("status = 'new'"),
        ),
    )

    id: int = _id()
    conversation_id: int | None = _ref("conversations.id", null=True)
    seq: int = 0
    kind: str
    control: bool = False
    event_key: str = Field(unique=True)
    message_key: str | None = Field(default=None, unique=True)
    payload: str = Field(sa_column=Column(Body, nullable=False))
    status: str = "new"  # new | done | dead | unrouted
    held: bool = False
    attempts: int = 0
    faults: int = 0  # of our own code, among the attempts
    failing_since: datetime | None = _time(null=True)
    not_before: datetime | None = _time(null=True)
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    received_at: datetime = _time()
    handled_at: datetime | None = _time(null=True)


class TurnRow(SQLModel, table=True):
    """One exchange with the session, for one message. Inserted before the post, so a crash is seen afterwards."""

    __tablename__: ClassVar[str] = "turns"
    __table_args__: ClassVar[Any] = (Index("ix_turns_session", "session_id", "posted_digest"),)

    id: int = _id()
    conversation_id: int = _ref("conversations.id")
    inbox_id: int = Field(sa_column=Column(Id, ForeignKey("inbox.id"), nullable=False, unique=True))
    session_id: str
    posted_text: str = Field(sa_column=Column(Text, nullable=False))
    posted_digest: str
    state: str = "running"  # running | parked | done | failed
    posted: bool = False  # the platform has the post; known when the exchange ended
    reply_message_id: str | None = None
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    started_at: datetime = _time()
    ended_at: datetime | None = _time(null=True)


class ApprovalRow(SQLModel, table=True):
    """One durable request of the agent to run one tool call; leaves `pending` once."""

    __tablename__: ClassVar[str] = "approvals"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("session_id", "request_message_id"),
        Index(
            "ix_approvals_open",
            "id",
            sqlite_where=text("state = 'pending'"),
            postgresql_where=text("state = 'pending'"),
        ),
        Index("ix_approvals_turn", "turn_id"),
    )

    id: str = Field(primary_key=True)  # opaque, 128 random bits
    conversation_id: int = _ref("conversations.id")
    turn_id: int = _ref("turns.id")
    session_id: str
    request_message_id: str
    tool_call_id: str
    tool: str
    arguments: str | None = Field(default=None, sa_column=Column(Body, nullable=True))
    digest: str
    policy_version: str
    view: str = Field(sa_column=Column(Body, nullable=False))
    state: str = "pending"
    decided_by: str | None = None
    decided_via: str | None = None
    decided_at: datetime | None = _time(null=True)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    applied: bool = False
    trouble: str = Field(default="", sa_column=Column(Text, nullable=False))  # why the answer never reached the agent
    created_at: datetime = _time()
    expires_at: datetime = _time()


class VoteRow(SQLModel, table=True):
    """One person's word on one request."""

    __tablename__: ClassVar[str] = "votes"
    __table_args__: ClassVar[Any] = (UniqueConstraint("approval_id", "person"),)

    id: int = _id()
    approval_id: str = Field(foreign_key="approvals.id")
    person: str
    identity: str
    verdict: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    via: str
    digest: str
    at: datetime = _time()


class OutboxRow(SQLModel, table=True):
    """One message that must go out. `lane` is its queue at the carrier; ids give the order inside a lane."""

    __tablename__: ClassVar[str] = "outbox"
    __table_args__: ClassVar[Any] = (
        Index(
            "ix_outbox_open",
            "lane",
            "id",
            sqlite_where=text("status IN ('queued', 'sending', 'unknown')"),
            postgresql_where=text("status IN ('queued', 'sending', 'unknown')"),
        ),
        Index("ix_outbox_provider", "channel", "provider_id"),
        Index("ix_outbox_approval", "approval_id"),
    )

    id: int = _id()
    dedupe_key: str = Field(unique=True)
    channel: str
    lane: str
    kind: str
    conversation_id: int | None = _ref("conversations.id", null=True)
    approval_id: str | None = None
    changes_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))  # ShowOutcome: what it edits
    payload: str = Field(sa_column=Column(Body, nullable=False))
    status: str = "queued"  # queued | sending | sent | delivered | failed | unknown | dropped
    provider_id: str | None = None
    attempts: int = 0
    unsure: int = 0  # sends of which nobody knows whether they arrived
    not_before: datetime | None = _time(null=True)
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    created_at: datetime = _time()
    sent_at: datetime | None = _time(null=True)


class TimerRow(SQLModel, table=True):
    """Something due later. One of a kind for a subject."""

    __tablename__: ClassVar[str] = "timers"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("kind", "subject"),
        Index(
            "ix_timers_due",
            "due",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    id: int = _id()
    kind: str
    subject: str
    due: datetime = _time()
    done_at: datetime | None = _time(null=True)


class LeaseRow(SQLModel, table=True):
    """Who may do, for now, what only one may do: an outbox lane, the sweep."""

    __tablename__: ClassVar[str] = "leases"

    name: str = Field(primary_key=True)
    holder: str
    until: datetime = _time()


class AuditRow(SQLModel, table=True):
    """What happened, never changed. Holds digests and pseudonyms, no words of people."""

    __tablename__: ClassVar[str] = "audit"
    __table_args__: ClassVar[Any] = (Index("ix_audit_approval", "approval_id"),)

    id: int = _id()
    at: datetime = _time()
    what: str
    conversation_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))
    approval_id: str | None = None
    who: str = ""
    facts: str = Field(sa_column=Column(Body, nullable=False))
