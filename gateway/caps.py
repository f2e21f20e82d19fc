"""The most turns a sender or a route may have in a day. Counts rows; a day begins at midnight UTC."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import Capped
from gateway.policy import Route
from gateway.store import turns


async def check(db: AsyncSession, route: Route, sender: str, now: datetime) -> None:
    """Raises `Capped` when one more turn would be too many."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    most = route.sender_turns_per_day
    if most is not None and await turns.count(db, today, sender=sender, route=route.name) >= most:
        raise Capped(f"somebody on the route {route.name} had {most} turns today (sender_turns_per_day)")
    most = route.turns_per_day
    if most is not None and await turns.count(db, today, route=route.name) >= most:
        raise Capped(f"the route {route.name} had {most} turns today (turns_per_day)")
