"""The rows that texting needs: who wants no texts, wrong codes, pages of long replies. Columns only."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from gateway.store import tables
from gateway.store.columns import Body, ref, row_id, time

assert tables  # the naming of keys is set there


class ConsentRow(SQLModel, table=True):
    """What a person last said of being written to by an account of ours: `out` or `in`, and how we know."""

    __tablename__: ClassVar[str] = "consents"
    __table_args__: ClassVar[Any] = (UniqueConstraint("channel", "account", "address"),)

    id: int = row_id()
    channel: str
    account: str
    address: str
    state: str  # out | in
    source: str  # carrier | keyword | words | refused
    at: datetime = time()


class MissRow(SQLModel, table=True):
    """A wrong code from an address."""

    __tablename__: ClassVar[str] = "misses"
    __table_args__: ClassVar[Any] = (Index("ix_misses_address_at", "address", "at"),)

    id: int = row_id()
    address: str
    at: datetime = time()


class PageRow(SQLModel, table=True):
    """The whole of a reply that its channel carries only shortened, until then."""

    __tablename__: ClassVar[str] = "pages"
    __table_args__: ClassVar[Any] = (Index("ix_pages_conversation_id", "conversation_id"),)

    id: int = row_id()
    conversation_id: int | None = ref("conversations.id", null=True)
    text: str = Field(sa_column=Column(Body, nullable=False))
    created_at: datetime = time()
    until: datetime = time()
