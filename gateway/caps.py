"""The most turns and segments that a sender or a route may have in a day. Counts rows; a day begins at midnight UTC."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import Capped
from gateway.policy import Policy, Route
from gateway.store import sendings, turns
from gateway.store.tables import OutboxRow


async def check(db: AsyncSession, route: Route, sender: str, conversation_id: int, now: datetime) -> None:
    """Raises `Capped` when one more turn would be too many."""
    today = _today(now)
    most = route.sender_turns_per_day
    if most is not None and await turns.count(db, today, sender=sender, route=route.name) >= most:
        raise Capped(f"somebody on the route {route.name} had {most} turns today (sender_turns_per_day)")
    most = route.turns_per_day
    if most is not None and await turns.count(db, today, route=route.name) >= most:
        raise Capped(f"the route {route.name} had {most} turns today (turns_per_day)")
    # Of the route first: what is said to somebody who is over their own is one more text.
    if why := await _route_is_over(db, route, today):
        raise Capped(why, quiet=True)
    if why := await _sender_is_over(db, route, conversation_id, today):
        raise Capped(why)


async def over(db: AsyncSession, policy: Policy, row: OutboxRow, now: datetime) -> str | None:
    """Why a message of a route is not sent any more today. None: it may go."""
    route, today = policy.route_named(row.route), _today(now)
    if route is None:
        return None
    why = await _route_is_over(db, route, today, but=row.id)
    if why is None and row.conversation_id is not None:
        why = await _sender_is_over(db, route, row.conversation_id, today, but=row.id)
    return why


async def _route_is_over(db: AsyncSession, route: Route, today: datetime, *, but: int = 0) -> str | None:
    most = route.segments_per_day
    if most is None or await sendings.segments(db, route.name, today, but=but) < most:
        return None
    return f"the route {route.name} sent {most} segments today (segments_per_day)"


async def _sender_is_over(
    db: AsyncSession, route: Route, conversation_id: int, today: datetime, *, but: int = 0
) -> str | None:
    most = route.sender_segments_per_day
    if most is None or await sendings.segments(db, route.name, today, conversation_id, but=but) < most:
        return None
    return f"somebody on the route {route.name} was sent {most} segments today (sender_segments_per_day)"


def _today(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
