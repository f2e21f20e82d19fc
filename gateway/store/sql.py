"""The few statements whose spelling differs between the two databases."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Table, literal_column, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel, col
from sqlmodel.ext.asyncio.session import AsyncSession


def table(model: type[SQLModel]) -> Table:
    found = model.__table__  # type: ignore[attr-defined]  # SQLModel adds it to table classes
    assert isinstance(found, Table)
    return found


def among(column: Any, *words: str) -> ColumnElement[bool]:
    """The column is one of these words of ours, in the statement's own text: bound words make SQLite slow to plan, and
    no planner can rely on an index of some rows alone for them.
    """
    found: ColumnElement[bool] = col(column).in_([literal_column(f"'{word}'") for word in words])
    return found if len(words) > 1 else col(column) == literal_column(f"'{words[0]}'")


async def insert_new(db: AsyncSession, model: type[SQLModel], **values: Any) -> Any:
    """Insert unless a unique key says it is there already. The new primary key, or None."""
    connection = await db.connection()
    statement = _insert(model, connection.dialect.name)
    return (await connection.execute(statement, values)).scalar_one_or_none()


@cache
def _insert(model: type[SQLModel], dialect: str) -> Any:
    """Built once: building a statement costs more than running it."""
    target = table(model)
    key = next(iter(target.primary_key.columns))
    insert: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(target).on_conflict_do_nothing().returning(key)


async def changed(db: AsyncSession, statement: Any, **values: Any) -> int:
    """Run an UPDATE and say how many rows it changed. `values` fill its parameters."""
    connection = await db.connection()
    result: CursorResult[Any] = await connection.execute(statement, values or None)
    return int(result.rowcount)


async def in_turn(db: AsyncSession, name: str) -> None:
    """Whoever else says this name waits until the transaction is over. SQLite has one writer anyhow."""
    connection = await db.connection()
    if connection.dialect.name == "postgresql":
        await connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})
