"""The chain over the audit: one seal a row, in the order the sealer saw them, and the heads that were posted.

The audit's own rows are never touched. Ids may be committed out of order, so nothing here counts on them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Column, func, insert, text
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import tables
from gateway.store.columns import Id, time
from gateway.store.sql import insert_new, table
from gateway.store.tables import AuditRow
from gateway.store.tx import Tx
from gateway.verifying import START, Head, Link, follows, text_of

assert tables  # the naming of keys is set there

T = TypeVar("T")
UNREADABLE = ""  # in place of a row's text: fits no seal


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
    """What is not sealed (yet)."""

    rows: int
    oldest: datetime | None


_audit, _seals = table(AuditRow), table(SealRow)
_ROW = tuple(_audit.columns)
_WITH_SEAL = _audit.outerjoin(_seals, _seals.c.audit_id == _audit.c.id)
_OF_SEAL = _seals.outerjoin(_audit, _audit.c.id == _seals.c.audit_id)


# --- sealed --------------------------------------------------------------------------------------------------


async def seal(tx: Tx, after: int, limit: int) -> int | None:
    """Seal what is not sealed among the rows with a higher id than `after`. The last one's id; None: there is none."""
    connection = await tx.db.connection()
    if connection.dialect.name == "postgresql":
        # Two sealers would both go on from the same head. SQLite has one writer anyhow.
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('gatehouse seals'))"))
    open_ones = select(*_ROW).select_from(_WITH_SEAL).where(_seals.c.n.is_(None), _audit.c.id > after)
    rows = (await connection.execute(open_ones.order_by(_audit.c.id).limit(limit))).mappings().all()
    if not rows:
        return None
    last = await head(tx.db)
    place, digest = (last.n, last.hash) if last else (0, START)
    links = []
    for row in rows:
        place, digest = place + 1, follows(digest, text_of(row))
        links.append({"n": place, "audit_id": row["id"], "hash": digest})
    await connection.execute(insert(_seals), links)
    return int(rows[-1]["id"])


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
    counted = select(func.count(), func.min(_audit.c.at)).select_from(_WITH_SEAL).where(_seals.c.n.is_(None))
    rows, oldest = (await (await db.connection()).execute(counted)).one()
    return Tail(int(rows), oldest)


# --- read ----------------------------------------------------------------------------------------------------


async def links(db: AsyncSession, after: int, limit: int) -> list[Link]:
    """The next links of the chain, with the text of their rows; a row that is gone has none."""
    bare = select(_seals.c.n, _seals.c.audit_id, _seals.c.hash).where(_seals.c.n > after).order_by(_seals.c.n)
    question = bare.add_columns(*_ROW).select_from(_OF_SEAL)

    async def ask(number: int) -> list[Link]:
        found = await (await db.connection()).execute(question.limit(number))
        return [Link(n, audit_id, digest, _text(row)) for n, audit_id, digest, *row in found]

    async def without() -> list[Link]:
        found = await (await db.connection()).execute(bare.limit(1))
        return [Link(n, audit_id, digest, UNREADABLE) for n, audit_id, digest in found]

    return await _read(ask, limit, without)


async def texts(db: AsyncSession, after: int, limit: int) -> list[tuple[int, str]]:
    """Audit rows by id, sealed or not, as the hash reads them."""
    bare = select(_audit.c.id).where(_audit.c.id > after).order_by(_audit.c.id)
    question = bare.with_only_columns(*_ROW)

    async def ask(number: int) -> list[tuple[int, str]]:
        found = await (await db.connection()).execute(question.limit(number))
        return [(row["id"], text_of(row)) for row in found.mappings()]

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
        except ValueError:  # SQLite keeps a time as text, and somebody wrote another one
            limit //= 2
    return await without()


def _text(values: Sequence[Any]) -> str | None:
    row = {column.name: value for column, value in zip(_ROW, values, strict=True)}
    return None if row["id"] is None else text_of(row)


# --- posted --------------------------------------------------------------------------------------------------


async def heads(db: AsyncSession) -> list[Head]:
    """Those that were posted, oldest first."""
    rows = (await db.exec(select(HeadRow).order_by(col(HeadRow.n)))).all()
    return [Head(row.n, row.hash, row.at) for row in rows]


async def last_posted(db: AsyncSession) -> HeadRow | None:
    return (await db.exec(select(HeadRow).order_by(col(HeadRow.n).desc()).limit(1))).first()


async def began(db: AsyncSession) -> datetime | None:
    """When the first link's row was written."""
    question = select(_audit.c.at).join(_seals, _seals.c.audit_id == _audit.c.id).order_by(_seals.c.n).limit(1)
    found: datetime | None = (await (await db.connection()).execute(question)).scalar()
    return found


async def keep_head(tx: Tx, head: SealRow, at: datetime) -> bool:
    """False: it was posted before."""
    return await insert_new(tx.db, HeadRow, n=head.n, hash=head.hash, at=at) is not None
