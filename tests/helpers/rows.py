"""A look at the gateway's rows, for what no person could see."""

from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel

from gateway.store import Store, seals, tables, texting, upkeep

assert seals
assert tables
assert texting
assert upkeep


async def rows(store: Store, name: str) -> list[dict[str, Any]]:
    """A table's rows in the order they were written, approvals by their time."""
    table = SQLModel.metadata.tables[name]
    order = table.c.created_at if name == "approvals" else next(iter(table.primary_key.columns))

    async def question(db: Any) -> list[dict[str, Any]]:
        found = await (await db.connection()).execute(select(table).order_by(order))
        return [dict(row) for row in found.mappings()]

    return await store.read(question)
