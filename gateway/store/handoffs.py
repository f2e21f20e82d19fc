"""Conversations that a person has taken, and since when. The mode alone says whether one has it now."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import lanes, marks
from gateway.store.tx import Tx


async def begin(tx: Tx, conversation_id: int, now: datetime) -> bool:
    """False: a person has it already."""
    if not await lanes.set_mode(tx, conversation_id, "human"):
        return False
    await marks.put(tx, _mark(conversation_id), now)
    return True


async def end(tx: Tx, conversation_id: int) -> bool:
    """False: nobody has it."""
    return await lanes.set_mode(tx, conversation_id, "bot")


async def since(db: AsyncSession, conversation_id: int) -> datetime | None:
    """When the last one began; None: there was none."""
    return await marks.at(db, _mark(conversation_id))


def _mark(conversation_id: int) -> str:
    return f"handoff:{conversation_id}"
