"""The rows by which the gateway keeps itself: leases, pauses, marks, installations, leftovers. Columns only."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, ForeignKey, Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from gateway.store import tables
from gateway.store.columns import Id, row_id, time

assert tables  # the naming of keys is set there


class EarlyReportRow(SQLModel, table=True):
    """What a carrier said of a message before its own answer to us was kept."""

    __tablename__: ClassVar[str] = "early_reports"

    channel: str = Field(primary_key=True)
    provider_id: str = Field(primary_key=True)
    status: str
    error: str | None = Field(default=None, sa_column=Column(Text, nullable=True))
    at: datetime = time()


class LeaseRow(SQLModel, table=True):
    """Who may do, for now, what only one may do: an outbox lane, the sweep. `free_at`: the lane's budget, spent."""

    __tablename__: ClassVar[str] = "leases"

    name: str = Field(primary_key=True)
    holder: str
    until: datetime = time()
    free_at: datetime | None = time(null=True)


class PauseRow(SQLModel, table=True):
    """The stop button, pressed: `all`, `channel:sms`, `agent:support` or `approvals`. One open for a scope."""

    __tablename__: ClassVar[str] = "pauses"
    __table_args__: ClassVar[Any] = (
        Index(
            "uq_pauses_open",
            "scope",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: int = row_id()
    scope: str
    since: datetime = time()
    by: str
    reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    ended_at: datetime | None = time(null=True)


class MarkRow(SQLModel, table=True):
    """A moment to remember, such as the engine's last sign of life."""

    __tablename__: ClassVar[str] = "marks"

    name: str = Field(primary_key=True)
    at: datetime = time()


class LeftoverRow(SQLModel, table=True):
    """A session of an erased conversation, until the agent platform confirms that it is gone.

    `remains`: the platform said that it deletes nothing.
    """

    __tablename__: ClassVar[str] = "leftovers"

    session_id: str = Field(primary_key=True)
    conversation_id: int = Field(sa_column=Column(Id, ForeignKey("conversations.id"), nullable=False, index=True))
    remains: bool = False
    since: datetime = time()


class InstallationRow(SQLModel, table=True):
    """An account in which a channel's app is, or was, installed. `sealed` is empty once it is removed."""

    __tablename__: ClassVar[str] = "installations"
    __table_args__: ClassVar[Any] = (UniqueConstraint("channel", "account"),)

    id: int = row_id()
    channel: str
    account: str
    name: str
    sealed: str = Field(sa_column=Column(Text, nullable=False))
    installed_at: datetime = time()
    removed_at: datetime | None = time(null=True)


class UsedStateRow(SQLModel, table=True):
    """The digest of an OAuth state that somebody came back with, kept for as long as it would be good."""

    __tablename__: ClassVar[str] = "used_states"

    digest: str = Field(primary_key=True)
    until: datetime = time()
