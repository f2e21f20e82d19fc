"""A pause in which nobody may approve takes nothing of a request's time: it is given back when the pause ends."""

from datetime import datetime, timedelta
from typing import Any

from gateway import audit
from gateway.policy.rules import LONGEST_WAIT
from gateway.store import Tx, requests, timers

LEAST = timedelta(minutes=10)
EXTENDED = "extended"  # the timer at which every surface is changed to the new deadline


async def give(tx: Tx, since: datetime, now: datetime) -> None:
    """To each open request what it had left when the pause began, and ten minutes at least."""
    for row in await requests.pending(tx.db):
        end = until(row.expires_at, asked=row.created_at, since=since, now=now)
        if end > row.expires_at and await requests.prolong(tx, row.id, end):
            await timers.set_again(tx, "expiry", row.id, end)
            await timers.set_again(tx, EXTENDED, row.id, now)
            where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
            await audit.note(tx, "extended", now, **where, until=end.isoformat())


def until(expires_at: datetime, *, asked: datetime, since: datetime, now: datetime) -> datetime:
    """The deadline after a pause that began at `since` and ends now; the agent waits no longer than `LONGEST_WAIT`."""
    left = max(expires_at - max(since, asked), timedelta())
    return max(min(now + left, asked + LONGEST_WAIT), now + LEAST)
