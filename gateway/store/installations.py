"""Where a channel's app is installed, and which OAuth states were used."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx
from gateway.store.upkeep import InstallationRow, UsedStateRow


async def of(db: AsyncSession, channel: str, account: str) -> InstallationRow | None:
    """The one that is there now."""
    where = (*_is(channel, account), col(InstallationRow.removed_at).is_(None))
    return (await db.exec(select(InstallationRow).where(*where))).first()


async def all_of(db: AsyncSession, channel: str) -> Sequence[InstallationRow]:
    """Those that are there now, by account."""
    where = (col(InstallationRow.channel) == channel, col(InstallationRow.removed_at).is_(None))
    return (await db.exec(select(InstallationRow).where(*where).order_by(col(InstallationRow.account)))).all()


async def put(tx: Tx, channel: str, account: str, name: str, sealed: str, now: datetime) -> None:
    """In place of what was kept for the account before."""
    values = {"name": name, "sealed": sealed, "installed_at": now, "removed_at": None}
    key = {"channel": channel, "account": account}
    if await insert_new(tx.db, InstallationRow, **key, **values) is None:
        await changed(tx.db, update(table(InstallationRow)).where(*_is(channel, account)).values(**values))


async def remove(tx: Tx, channel: str, account: str, before: datetime, now: datetime) -> bool:
    """Its secret is forgotten. False: it is not there, or was installed after `before`."""
    there = (col(InstallationRow.removed_at).is_(None), col(InstallationRow.installed_at) <= before)
    gone = update(table(InstallationRow)).where(*_is(channel, account), *there)
    return await changed(tx.db, gone.values(removed_at=now, sealed="")) > 0


async def seal_anew(tx: Tx, row_id: int, old: str, new: str) -> None:
    """Unless it was changed meanwhile."""
    same = (col(InstallationRow.id) == row_id, col(InstallationRow.sealed) == old)
    await changed(tx.db, update(table(InstallationRow)).where(*same).values(sealed=new))


async def use_state(tx: Tx, digest: str, until: datetime, now: datetime) -> bool:
    """False: it was used before. Forgets those that are no longer good anyway."""
    await changed(tx.db, delete(table(UsedStateRow)).where(col(UsedStateRow.until) < now))
    return await insert_new(tx.db, UsedStateRow, digest=digest, until=until) is not None


def _is(channel: str, account: str) -> tuple[Any, Any]:
    return col(InstallationRow.channel) == channel, col(InstallationRow.account) == account
