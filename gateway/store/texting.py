"""The rows that texting needs: who wants no texts, wrong codes. Columns only."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import SQLModel

from gateway.store import tables
from gateway.store.columns import row_id, time

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
