"""The stop button: what is paused waits in its rows until somebody resumes it; and the stop of one turn. All audited.

Wakes nothing: whoever waits is found by the sweep.
"""

from collections.abc import Sequence
from datetime import datetime

from gateway import audit, grace
from gateway.events import Interrupted, lane_events
from gateway.ports import Engine
from gateway.store import Tx, arrivals, lanes, pauses, turns

ALL, APPROVALS = "all", pauses.APPROVALS


def scope_of_channel(name: str) -> str:
    return f"channel:{name}"


def scope_of_agent(name: str) -> str:
    return f"agent:{name}"


async def pause(tx: Tx, scopes: Sequence[str], *, by: str, reason: str, now: datetime) -> list[str]:
    """Hold these back from now on; those that were not paused already."""
    begun = []
    for scope in scopes:
        if await pauses.begin(tx, scope, now, by=by, reason=reason):
            await audit.note(tx, "paused", now, who=by, scope=scope)
            begun.append(scope)
    return begun


async def resume(tx: Tx, scopes: Sequence[str], *, by: str, now: datetime) -> list[str]:
    """Let these go on; those that were paused. No scope: whatever is paused.

    Open requests get the time back in which nobody could approve them.
    """
    ended, was_open = [], await pauses.open_ones(tx.db)
    for scope in scopes or [row.scope for row in was_open]:
        if await pauses.end(tx, scope, now):
            await audit.note(tx, "resumed", now, who=by, scope=scope)
            ended.append(scope)
    held = [row.since for row in was_open if row.scope in ended and row.scope in (ALL, APPROVALS)]
    if held and not await pauses.approving(tx.db):
        await grace.give(tx, min(held), now)
    return ended


async def interrupt(tx: Tx, engine: Engine, conversation_id: int, *, by: str, now: datetime) -> bool:
    """Stop the turn that runs, wherever it does; the lane goes on with what is next. False: none ran.

    The rows forget the turn at once: nothing its owner still learns can be written. Twice is safe. A turn that goes on
    after a decision is stopped too, and the decision goes to the agent no more: its cards tell that it is unconfirmed.
    """
    await lanes.lock(tx, conversation_id)
    if await turns.running(tx.db, conversation_id) is None:
        return False
    lane = await lanes.claim(tx, conversation_id)
    await arrivals.recall_decisions(tx, conversation_id, now)
    event = Interrupted(by=by)
    await arrivals.append(
        tx,
        conversation_id,
        kind=event.kind,
        event_key=f"interrupted:{conversation_id}:{lane.epoch}",
        payload=lane_events.dump_json(event).decode(),
        now=now,
        control=True,
    )
    await engine.abort(tx, conversation_id)
    await engine.wake(tx, conversation_id, control=True)
    return True
