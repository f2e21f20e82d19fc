"""A person takes a conversation over, and gives it back. Audited; the customer is told nothing by it. Wakes nobody.

Meanwhile messages are kept; a decision still reaches the agent, and what that says then goes to operations.
"""

from datetime import datetime

from gateway import audit
from gateway.store import Tx, handoffs, lanes


async def take(tx: Tx, conversation_id: int, *, by: str, now: datetime) -> bool:
    """False: a person has it already."""
    await lanes.lock(tx, conversation_id)
    if not await handoffs.begin(tx, conversation_id, now):
        return False
    await audit.note(tx, "taken", now, conversation_id=conversation_id, who=by)
    return True


async def release(tx: Tx, conversation_id: int, *, by: str, now: datetime) -> bool:
    """Give it back to the agent; the sweep finds what was kept. False: nobody had it."""
    await lanes.lock(tx, conversation_id)
    if not await handoffs.end(tx, conversation_id):
        return False
    await audit.note(tx, "released", now, conversation_id=conversation_id, who=by)
    return True
