"""What one person wrote while a conversation waited, joined into one event. Posts nothing, and wakes nobody."""

from dataclasses import replace
from datetime import datetime

from gateway.events import Identity, MessageReceived, lane_events
from gateway.store import Tx, arrivals, lanes
from gateway.store.lanes import Lane
from gateway.store.tables import InboxRow

MOST = 50  # messages in one event; what is beyond is the next one


async def join(tx: Tx, lane: Lane, row: InboxRow, event: MessageReceived, now: datetime) -> MessageReceived:
    """`event` with what the same person wrote right after it, in order; the rows of those are finished as joined.

    In one transaction, so that a crash leaves all of them or one. Raises `LaneLost`.
    """
    await lanes.hold(tx, lane)
    together, others = [event], []
    for behind in await arrivals.behind(tx.db, row, limit=MOST - 1):
        follows = lane_events.validate_json(behind.payload)
        if not isinstance(follows, MessageReceived) or _who(follows.sender) != _who(event.sender):
            break
        together.append(follows)
        others.append(behind.id)
    if not others:
        return event
    text = "\n\n".join(one.text for one in together if one.text.strip())
    media = tuple(media for one in together for media in one.media)
    joined = replace(event, text=text, media=media, joined=True)
    await arrivals.join(tx, row.id, lane_events.dump_json(joined).decode(), others, now)
    return joined


def _who(sender: Identity) -> Identity:
    """The name is for eyes only; how far it is proven is not."""
    return replace(sender, name="")
