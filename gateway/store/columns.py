"""Column types that mean the same on SQLite and PostgreSQL. No tables here."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Dialect, ForeignKey, Integer, Text, false, true
from sqlalchemy.types import DateTime, TypeDecorator
from sqlmodel import Field


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, both ways; a naive one is refused (SQLite would silently drop the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only for a column declared INTEGER."""

Body = Text
"""Serialised values. Text, not JSONB: JSONB rewrites numbers (`1e2` to `100`), and digests cover the text."""


def row_id() -> Any:
    return Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))


def ref(target: str, *, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(Id, ForeignKey(target), nullable=null))


def count(start: int) -> Any:
    """A number that rows of an earlier release begin with."""
    return Field(default=start, sa_column=Column(Integer, nullable=False, server_default=str(start)))


def flag(*, start: bool = False) -> Any:
    """A yes or no that rows of an earlier release begin with."""
    default = true() if start else false()
    return Field(default=start, sa_column=Column(Boolean, nullable=False, server_default=default))


def time(*, null: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcTime, nullable=null))


def storable(text: str) -> str:
    """Text that both databases take: NUL and lone surrogates become the replacement character."""
    return text.replace("\x00", "�").encode("utf-8", "replace").decode("utf-8") if not _plain(text) else text


def _plain(text: str) -> bool:
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))
