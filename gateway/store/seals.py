"""The chain over the audit: one seal a row, in the order the sealer saw them, and the heads that were posted.

The audit's own rows are never touched. Ids may be committed out of order, so nothing here counts on them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Column, func, insert, text
from sqlalchemy.exc import DataError, OperationalError
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import tables
from gateway.store.columns import Id, time
from gateway.store.sql import insert_new, table
from gateway.store.tables import AuditRow
from gateway.store.tx import Tx
from gateway.verifying import START, UNREADABLE, Head, Link, follows, text_of

assert tables  # the naming of keys is set there

T = TypeVar("T")


class SealRow(SQLModel, table=True):
    """One link: its place, counted from 1, the audit row there, and the hash over the link before and that row."""

    __tablename__: ClassVar[str] = "audit_seals"

    n: int = Field(sa_column=Column(Id, primary_key=True, autoincrement=False))
    audit_id: int = Field(sa_column=Column(Id, nullable=False, unique=True))
    hash: str


class HeadRow(SQLModel, table=True):
    """A head that was posted where operations read: from then on the chain cannot be shorter, or another one."""

    __tablename__: ClassVar[str] = "audit_heads"

    n: int = Field(sa_column=Column(Id, primary_key=True, autoincrement=False))
    hash: str
    at: datetime = time()


@dataclass(frozen=True, slots=True)
class Tail:
    """What is not sealed (yet). `oldest`: None also where that cannot be read."""

    rows: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Sealed:
    """The last audit row of a batch, and those in it that nobody can read any more."""

    last: int
    unreadable: Sequence[int]


_audit, _seals = table(AuditRow), table(SealRow)
_ROW = tuple(_audit.columns)
_NAMES = tuple(str(column.name) for column in _ROW)
_WITH_SEAL = _audit.outerjoin(_seals, _seals.c.audit_id == _audit.c.id)
_OF_SEAL = _seals.outerjoin(_audit, _audit.c.id == _seals.c.audit_id)


# --- what a hand or a disk wrote ------------------------------------------------------------------------------

DAMAGE = (ValueError, TypeError, DataError, OperationalError)


def is_damage(error: Exception) -> bool:
    """Of `DAMAGE`: does it say that a value of a row cannot be read?

    SQLite keeps whatever it is given as a time, and any bytes as text; PostgreSQL has times that Python has not.
    """
    return not isinstance(error, OperationalError) or "Could not decode" in str(error)


# --- sealed --------------------------------------------------------------------------------------------------


async def seal(tx: Tx, after: int, limit: int) -> Sealed | None:
    """Seal what is not sealed among the rows with a higher id than `after`. None: there is none.

    A row that nobody can read is sealed as that: its link names it, and the chain goes on.
    """
    connection = await tx.db.connection()
    if connection.dialect.name == "postgresql":
        # Two sealers would both go on from the same head. SQLite has one writer anyhow.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('gatehouse seals'))"))
    rows = await _texts(tx.db, _WITH_SEAL, (_seals.c.n.is_(None), _audit.c.id > after), limit)
    if not rows:
        return None
    last = await head(tx.db)
    place, digest = (last.n, last.hash) if last else (0, START)
    links = []
    for audit_id, written in rows:
        place, digest = place + 1, follows(digest, written)
        links.append({"n": place, "audit_id": audit_id, "hash": digest})
    await connection.execute(insert(_seals), links)
    return Sealed(rows[-1][0], [audit_id for audit_id, written in rows if written == UNREADABLE])


async def first_open(db: AsyncSession, after: int) -> int | None:
    """The lowest id beyond `after` of a row that has no seal."""
    question = select(_audit.c.id).select_from(_WITH_SEAL).where(_seals.c.n.is_(None), _audit.c.id > after)
    found = (await (await db.connection()).execute(question.order_by(_audit.c.id).limit(1))).scalar()
    return None if found is None else int(found)


async def newest(db: AsyncSession) -> int:
    """The highest id in the audit; 0 when it is empty."""
    return int((await (await db.connection()).execute(select(func.max(_audit.c.id)))).scalar() or 0)


async def head(db: AsyncSession) -> SealRow | None:
    """The last link."""
    return (await db.exec(select(SealRow).order_by(col(SealRow.n).desc()).limit(1))).first()


async def tail(db: AsyncSession) -> Tail:
    unsealed = _seals.c.n.is_(None)
    counted = select(func.count()).select_from(_WITH_SEAL).where(unsealed)
    rows = int((await (await db.connection()).execute(counted)).scalar_one())
    oldest = select(func.min(_audit.c.at)).select_from(_WITH_SEAL).where(unsealed)
    return Tail(rows, await _time(db, oldest))


# --- read ----------------------------------------------------------------------------------------------------


async def links(db: AsyncSession, after: int, limit: int) -> list[Link]:
    """The next links of the chain, with the text of their rows; a row that is gone has none."""
    bare = select(_seals.c.n, _seals.c.audit_id, _seals.c.hash).where(_seals.c.n > after).order_by(_seals.c.n)
    question = bare.add_columns(*_ROW).select_from(_OF_SEAL)

    async def ask(number: int) -> list[Link]:
        found = await (await db.connection()).execute(question.limit(number))
        return [Link(n, audit_id, digest, _text(row)) for n, audit_id, digest, *row in found.all()]

    async def without() -> list[Link]:
        found = await (await db.connection()).execute(bare.with_only_columns(_seals.c.n, _seals.c.audit_id).limit(1))
        return [Link(n, audit_id, UNREADABLE, UNREADABLE) for n, audit_id in found]

    return await _read(ask, limit, without)


async def texts(db: AsyncSession, after: int, limit: int) -> list[tuple[int, str]]:
    """Audit rows by id, sealed or not, as the hash reads them."""
    return await _texts(db, _audit, (_audit.c.id > after,), limit)


async def _texts(db: AsyncSession, source: Any, where: Sequence[Any], limit: int) -> list[tuple[int, str]]:
    bare = select(_audit.c.id).select_from(source).where(*where).order_by(_audit.c.id)
    question = bare.with_only_columns(*_ROW)

    async def ask(number: int) -> list[tuple[int, str]]:
        found = await (await db.connection()).execute(question.limit(number))
        return [(row[0], _text(row) or UNREADABLE) for row in found.all()]

    async def without() -> list[tuple[int, str]]:
        return [(id, UNREADABLE) for (id,) in await (await db.connection()).execute(bare.limit(1))]

    return await _read(ask, limit, without)


async def _read(
    ask: Callable[[int], Awaitable[list[T]]], limit: int, without: Callable[[], Awaitable[list[T]]]
) -> list[T]:
    """At most `limit` rows; fewer where one cannot be read, and that one `without` its text."""
    while limit:
        try:
            return await ask(limit)
        except DAMAGE as error:
            if not is_damage(error):
                raise
            limit //= 2
    return await without()


def _text(values: Sequence[Any]) -> str | None:
    row = dict(zip(_NAMES, values, strict=True))
    return None if row["id"] is None else text_of(row)


# --- posted --------------------------------------------------------------------------------------------------


async def heads(db: AsyncSession) -> list[Head]:
    """Those that were posted, oldest first; one that cannot be read has no hash."""
    places = (await db.exec(select(HeadRow.n).order_by(col(HeadRow.n)))).all()
    return [await _head(db, n) for n in places]


async def _head(db: AsyncSession, n: int) -> Head:
    try:
        row = (await db.exec(select(HeadRow).where(col(HeadRow.n) == n))).one()
    except DAMAGE as error:
        if not is_damage(error):
            raise
        return Head(n, UNREADABLE)
    return Head(row.n, row.hash, row.at)


async def is_posted(db: AsyncSession, n: int) -> bool:
    """Was this place posted as the head?"""
    return (await db.exec(select(HeadRow.n).where(HeadRow.n == n))).first() is not None


async def posted_between(db: AsyncSession, since: datetime, until: datetime) -> bool:
    where = (col(HeadRow.at) >= since, col(HeadRow.at) < until)
    return (await db.exec(select(HeadRow.n).where(*where).limit(1))).first() is not None


async def began(db: AsyncSession) -> datetime | None:
    """When the first link's row was written. None: that cannot be read, or there is none."""
    first = select(_audit.c.at).join(_seals, _seals.c.audit_id == _audit.c.id).order_by(_seals.c.n).limit(1)
    return await _time(db, first)


async def _time(db: AsyncSession, question: Any) -> datetime | None:
    try:
        found: datetime | None = (await (await db.connection()).execute(question)).scalar()
    except DAMAGE as error:
        if not is_damage(error):
            raise
        return None
    return found


async def keep_head(tx: Tx, head: SealRow, at: datetime) -> bool:
    """False: it was posted before."""
    return await insert_new(tx.db, HeadRow, n=head.n, hash=head.hash, at=at) is not None
