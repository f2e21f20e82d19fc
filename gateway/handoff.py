"""A person takes a conversation over, and gives it back. Audited; the customer is told nothing by it.

Meanwhile messages are kept; a decision still reaches the agent, and what that says then goes to operations.
"""

from datetime import datetime

from gateway import audit, stop
from gateway.ports import Engine
from gateway.store import Tx, handoffs, lanes


async def take(tx: Tx, engine: Engine, conversation_id: int, *, by: str, now: datetime) -> bool:
    """And stop the turn that runs, as `stop.interrupt` does. False: a person has it already.

    A turn that somebody has decided about goes on: what was approved is to be done, and its end is told operations.
    """
    conversation = await lanes.lock(tx, conversation_id)
    if not await handoffs.begin(tx, conversation_id, now):
        return False
    await audit.note(tx, "taken", now, conversation_id=conversation_id, who=by)
    if conversation.parked_turn_id is None and not await stop.interrupt(tx, engine, conversation_id, by=by, now=now):
        await lanes.claim(tx, conversation_id)  # whoever is about to begin a turn: its message is kept
    return True


async def release(tx: Tx, conversation_id: int, *, by: str, now: datetime) -> bool:
    """Give it back to the agent; the sweep finds what was kept. Wakes nobody. False: nobody had it."""
    await lanes.lock(tx, conversation_id)
    if not await handoffs.end(tx, conversation_id):
        return False
    await audit.note(tx, "released", now, conversation_id=conversation_id, who=by)
    return True
