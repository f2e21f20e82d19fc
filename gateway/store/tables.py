"""The rows the gateway owns. Columns only; the questions and deeds are in the modules beside this one."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from gateway.store.columns import Body, Id, count, flag, ref, row_id, time

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class ConversationRow(SQLModel, table=True):
    """A thread, bound to one session at a time. `epoch` fences its owner; `next_seq` orders its events."""

    __tablename__: ClassVar[str] = "conversations"
    __table_args__: ClassVar[Any] = (UniqueConstraint("channel", "account", "thread_key"),)

    id: int = row_id()
    channel: str
    account: str
    thread_key: str
    agent: str
    mode: str = "bot"  # bot | human | closed
    session_id: str | None = None
    epoch: int = 0
    next_seq: int = 1
    parked_turn_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))
    created_at: datetime = time()
    last_message_at: datetime = time()


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
        Index("ix_inbox_conversation_id", "conversation_id", "id"),
        Index("ix_inbox_dead", "id", sqlite_where=text("status = 'dead'"), postgresql_where=text("status = 'dead'")),
    )

    id: int = row_id()
    conversation_id: int | None = ref("conversations.id", null=True)
    seq: int = 0
    kind: str
    control: bool = False
    event_key: str = Field(unique=True)
    message_key: str | None = Field(default=None, unique=True)
    payload: str = Field(sa_column=Column(Body, nullable=False))
    # new | done | joined | withdrawn | capped | interrupted | dead | replayed | dropped | unrouted | verdict | note
    # | consent | opted_out
    status: str = "new"
    held: bool = False
    attempts: int = 0
    faults: int = 0  # of our own code, among the attempts
    failing_since: datetime | None = time(null=True)
    not_before: datetime | None = time(null=True)
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    sent_at: datetime | None = time(null=True)  # by the platform's clock, where it says
    received_at: datetime = time()
    handled_at: datetime | None = time(null=True)


class TurnRow(SQLModel, table=True):
    """One exchange with the session, for one message. Inserted before the post, so a crash is seen afterwards."""

    __tablename__: ClassVar[str] = "turns"
    __table_args__: ClassVar[Any] = (
        Index("ix_turns_session", "session_id", "posted_digest"),
        Index("ix_turns_conversation_id", "conversation_id", "id"),
        Index("ix_turns_sender_day", "sender", "started_at"),
        Index("ix_turns_route_day", "route", "started_at"),
    )

    id: int = row_id()
    conversation_id: int = ref("conversations.id")
    inbox_id: int = Field(sa_column=Column(Id, ForeignKey("inbox.id"), nullable=False, unique=True))
    session_id: str
    posted_text: str = Field(sa_column=Column(Text, nullable=False))
    posted_digest: str
    state: str = "running"  # running | parked | done | failed | interrupted
    posted: bool = False  # the platform has the post; known when the exchange ended
    route: str | None = None
    sender: str | None = None  # a pseudonym: turns are counted by it
    tries: int = count(1)
    tokens: int = count(0)
    first_delta_at: datetime | None = time(null=True)
    reply_message_id: str | None = None
    live_handle: str | None = None  # of the message that shows the reply growing, until its end is queued
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    started_at: datetime = time()
    ended_at: datetime | None = time(null=True)


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
    conversation_id: int = ref("conversations.id")
    turn_id: int = ref("turns.id")
    session_id: str
    request_message_id: str
    tool_call_id: str
    tool: str
    arguments: str | None = Field(default=None, sa_column=Column(Body, nullable=True))
    digest: str
    policy_version: str
    terms: str | None = Field(default=None, sa_column=Column(Body, nullable=True))  # the policy's words for it, then
    input_schema: str | None = Field(default=None, sa_column=Column(Body, nullable=True))  # of the tool; none: no edits
    view: str = Field(sa_column=Column(Body, nullable=False))
    waits_unseen: bool = flag()  # too many are open: it is shown when one of those is settled
    reminded_at: datetime | None = time(null=True)
    escalated_at: datetime | None = time(null=True)
    held_at: datetime | None = time(null=True)  # nobody decided in time, and the policy waits on
    state: str = "pending"
    decided_by: str | None = None
    decided_via: str | None = None
    decided_at: datetime | None = time(null=True)
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    applied: bool = False
    trouble: str = Field(default="", sa_column=Column(Text, nullable=False))  # why the answer never reached the agent
    created_at: datetime = time()
    expires_at: datetime = time()


class VoteRow(SQLModel, table=True):
    """One person's word on one request."""

    __tablename__: ClassVar[str] = "votes"
    __table_args__: ClassVar[Any] = (UniqueConstraint("approval_id", "person"),)

    id: int = row_id()
    approval_id: str = Field(foreign_key="approvals.id")
    person: str
    identity: str
    verdict: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    via: str
    digest: str  # of the arguments voted on; a vote on others does not count
    counts: bool = flag(start=True)  # the requester's own word is none of several
    at: datetime = time()


class OutboxRow(SQLModel, table=True):
    """One message that must go out. `lane` is its queue at the carrier; rank, then id give the order inside a lane."""

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
        Index("ix_outbox_conversation_id", "conversation_id", "id"),
        Index("ix_outbox_route_day", "route", "created_at"),
        Index(
            "ix_outbox_failed", "id", sqlite_where=text("status = 'failed'"), postgresql_where=text("status = 'failed'")
        ),
        Index(
            "ix_outbox_failed_in",
            "conversation_id",
            sqlite_where=text("status = 'failed'"),
            postgresql_where=text("status = 'failed'"),
        ),
    )

    id: int = row_id()
    dedupe_key: str = Field(unique=True)
    channel: str
    lane: str
    kind: str
    conversation_id: int | None = ref("conversations.id", null=True)
    approval_id: str | None = None
    changes_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))  # ShowOutcome: what it edits
    follows_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))  # the part before it
    route: str | None = None  # whose day its segments count in
    payload: str = Field(sa_column=Column(Body, nullable=False))
    status: str = "queued"  # queued | sending | sent | delivered | failed | unknown | dropped
    provider_id: str | None = None
    attempts: int = 0
    unsure: int = 0  # sends of which nobody knows whether they arrived
    resends: int = count(0)  # after the carrier had taken it, and said later that it could not be delivered yet
    rank: int = count(0)  # what only changes something shown comes after what says something
    segments: int = count(0)  # as the carrier counts them
    about_at: datetime | None = time(null=True)  # when what it answers was written or decided
    not_before: datetime | None = time(null=True)
    slot_at: datetime | None = time(null=True)  # its place in a budget that lanes share
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    agent_told: bool = flag()  # that it did not arrive
    created_at: datetime = time()
    sent_at: datetime | None = time(null=True)
    carried_at: datetime | None = time(null=True)  # when the carrier said that it had handed it on


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

    id: int = row_id()
    kind: str
    subject: str
    due: datetime = time()
    done_at: datetime | None = time(null=True)


class AuditRow(SQLModel, table=True):
    """What happened, never changed. Holds digests and pseudonyms, no words of people."""

    __tablename__: ClassVar[str] = "audit"
    __table_args__: ClassVar[Any] = (Index("ix_audit_approval", "approval_id"),)

    id: int = row_id()
    at: datetime = time()
    what: str
    conversation_id: int | None = Field(default=None, sa_column=Column(Id, nullable=True))
    approval_id: str | None = None
    who: str = ""
    facts: str = Field(sa_column=Column(Body, nullable=False))
