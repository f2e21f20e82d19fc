"""Who may do, for now, what only one may do. A lane's lease also remembers how much of its budget is spent, and
what several lanes share has a row of its own.
"""

from datetime import datetime

from sqlalchemy import and_, delete, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.sql import changed, insert_new, table
from gateway.store.tx import Tx
from gateway.store.upkeep import LeaseRow


async def take(tx: Tx, name: str, holder: str, now: datetime, until: datetime) -> LeaseRow | None:
    """Hold `name` until then, or hold it longer. None: somebody else holds it."""
    if await insert_new(tx.db, LeaseRow, name=name, holder=holder, until=until) is not None:
        return LeaseRow(name=name, holder=holder, until=until)
    # A lease that ends later than any could: its holder's clock was wrong.
    odd = col(LeaseRow.until) > now + 3 * (until - now)
    free = or_(col(LeaseRow.holder) == holder, col(LeaseRow.until) <= now, odd)
    taken = update(table(LeaseRow)).where(col(LeaseRow.name) == name, free).values(holder=holder, until=until)
    return await _get(tx.db, name) if await changed(tx.db, taken) == 1 else None


async def spend(tx: Tx, name: str, free_at: datetime, *, at: datetime | None = None) -> None:
    """The budget is spent up to then. `at`: of one that lanes share, when it was spent last."""
    values = {"free_at": free_at} if at is None else {"free_at": free_at, "until": at}
    await changed(tx.db, update(table(LeaseRow)).where(col(LeaseRow.name) == name).values(**values))


async def budget(tx: Tx, name: str, now: datetime) -> LeaseRow:
    """One that lanes share; nobody else spends it meanwhile. It is held by nobody."""
    await insert_new(tx.db, LeaseRow, name=name, holder="", until=now)
    question = select(LeaseRow).where(col(LeaseRow.name) == name).with_for_update()
    return (await tx.db.exec(question.execution_options(populate_existing=True))).one()


async def drop(tx: Tx, name: str, holder: str, now: datetime) -> None:
    """Let it go, if it is ours. What is spent is remembered until it does not matter any more."""
    ours = (col(LeaseRow.name) == name, col(LeaseRow.holder) == holder)
    spent = and_(col(LeaseRow.free_at).is_not(None), col(LeaseRow.free_at) > now)
    if await changed(tx.db, delete(table(LeaseRow)).where(*ours, ~spent)) == 0:
        # Of nobody from now on: a renewal for this holder may be under way.
        await changed(tx.db, update(table(LeaseRow)).where(*ours).values(until=now, holder=""))


async def forget_spent(tx: Tx, then: datetime) -> None:
    """Lanes that nobody holds and whose budget was whole again by then: their names are people's numbers."""
    theirs = col(LeaseRow.name).startswith("out:", autoescape=True)
    idle = (col(LeaseRow.holder) == "", col(LeaseRow.until) < then, col(LeaseRow.free_at) < then)
    await changed(tx.db, delete(table(LeaseRow)).where(theirs, *idle))


async def renew(tx: Tx, holders: list[str], until: datetime) -> None:
    """What these hold, and nothing that they let go of."""
    await changed(tx.db, update(table(LeaseRow)).where(col(LeaseRow.holder).in_(holders)).values(until=until))


async def drop_all(tx: Tx) -> None:
    """For the only engine of a database, at its start: whoever held them is gone."""
    await changed(tx.db, delete(table(LeaseRow)))


async def _get(db: AsyncSession, name: str) -> LeaseRow | None:
    return (await db.exec(select(LeaseRow).where(col(LeaseRow.name) == name))).first()
