"""What no part of the gateway does to its own rows: a hand, a disk or another release did."""

from typing import Any

from sqlalchemy import text as sql

from gateway.store import Store


async def spoil(store: Store, statement: str, **values: Any) -> None:
    """Run a statement of SQL, past everything that would refuse it."""

    async def deed(tx: Any) -> None:
        await (await tx.db.connection()).execute(sql(statement), values)

    await store.write(deed)
