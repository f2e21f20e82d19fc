"""What an approval leaves beside its own row: policy texts, edits, who saw the whole, codes, tokens. Columns only."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, Index, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from gateway.store import tables
from gateway.store.columns import Body, row_id, time

assert tables  # the naming of keys is set there


class PolicyRow(SQLModel, table=True):
    """The text of a policy by which a request was opened."""

    __tablename__: ClassVar[str] = "policies"

    version: str = Field(primary_key=True)
    text: str = Field(sa_column=Column(Body, nullable=False))
    since: datetime = time()


class EditRow(SQLModel, table=True):
    """Arguments that a person changed before anybody approved."""

    __tablename__: ClassVar[str] = "edits"
    __table_args__: ClassVar[Any] = (Index("ix_edits_approval_id", "approval_id"),)

    id: int = row_id()
    approval_id: str = Field(foreign_key="approvals.id")
    person: str
    via: str
    before: str = Field(sa_column=Column(Body, nullable=False))
    after: str = Field(sa_column=Column(Body, nullable=False))
    digest_before: str
    digest_after: str
    at: datetime = time()


class OpeningRow(SQLModel, table=True):
    """Somebody had the whole request before their eyes, with these arguments."""

    __tablename__: ClassVar[str] = "openings"
    __table_args__: ClassVar[Any] = (UniqueConstraint("approval_id", "person", "digest"),)

    id: int = row_id()
    approval_id: str = Field(foreign_key="approvals.id")
    person: str
    digest: str
    at: datetime = time()


class CodeRow(SQLModel, table=True):
    """The nth code of a request for one address; the code itself is made again from the key when it is needed."""

    __tablename__: ClassVar[str] = "codes"
    __table_args__: ClassVar[Any] = (
        UniqueConstraint("approval_id", "address", "n"),
        Index("ix_codes_address", "address", "expires_at"),
    )

    id: int = row_id()
    approval_id: str = Field(foreign_key="approvals.id")
    address: str  # channel:address, as approvers are written
    account: str = Field(default="", sa_column=Column(String, nullable=False, server_default=""))  # ours that sent it
    n: int
    digest: str
    expires_at: datetime = time()


class TokenRow(SQLModel, table=True):
    """Which of a person's tokens is good: the nth. The token itself is made from the key."""

    __tablename__: ClassVar[str] = "tokens"

    person: str = Field(primary_key=True)
    n: int
    made_at: datetime = time()


class CheckRow(SQLModel, table=True):
    """A test message to a person's address, and when they answered it. Its code decides nothing."""

    __tablename__: ClassVar[str] = "checks"
    __table_args__: ClassVar[Any] = (Index("ix_checks_address", "address", "until"),)

    id: int = row_id()
    person: str
    address: str  # channel:address, as codes have it
    code: str
    sent_at: datetime = time()
    until: datetime = time()
    answered_at: datetime | None = time(null=True)
