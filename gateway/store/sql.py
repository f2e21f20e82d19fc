"""The few statements whose spelling differs between the two databases."""

from typing import Any

from sqlalchemy import CursorResult, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


def table(model: type[SQLModel]) -> Table:
    found = model.__table__  # type: ignore[attr-defined]  # SQLModel adds it to table classes
    assert isinstance(found, Table)
    return found


async def insert_new(db: AsyncSession, model: type[SQLModel], **values: Any) -> Any:
    """Insert unless a unique key says it is there already. The new primary key, or None."""
    target = table(model)
    key = next(iter(target.primary_key.columns))
    connection = await db.connection()
    if db.get_bind().dialect.name == "sqlite":
        lite = sqlite.insert(target).values(**values).on_conflict_do_nothing().returning(key)
        return (await connection.execute(lite)).scalar_one_or_none()
    post = postgresql.insert(target).values(**values).on_conflict_do_nothing().returning(key)
    return (await connection.execute(post)).scalar_one_or_none()


async def changed(db: AsyncSession, statement: Any) -> int:
    """Run an UPDATE and say how many rows it changed."""
    connection = await db.connection()
    result: CursorResult[Any] = await connection.execute(statement)
    return int(result.rowcount)
