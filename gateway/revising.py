"""What people write anew or take back while its turn has not begun. Posts nothing, and tells nobody.

Of a message that is with the agent, or was, nothing changes.
"""

from dataclasses import replace
from datetime import datetime

from gateway import audit
from gateway.events import Identity, MessageReceived, lane_events
from gateway.ports import Engine
from gateway.store import Tx, arrivals, lanes, turns
from gateway.store.tables import ConversationRow, InboxRow


async def edit(tx: Tx, engine: Engine, message: MessageReceived, now: datetime) -> bool:
    """Its author's new words take the place of the old ones. False: nothing changes. Twice is once.

    Once this is committed nobody posts the old ones.
    """
    waiting = await _waiting(tx, message)
    if waiting is None:
        return False
    conversation, row, before = waiting
    if message.version <= before.version or (message.text, message.media) == (before.text, before.media):
        return False
    after = replace(before, text=message.text, media=message.media, version=message.version)
    await arrivals.rewrite(tx, row.id, lane_events.dump_json(after).decode())
    await _settled(tx, engine, conversation, row, message, "message edited", now)
    return True


async def withdraw(tx: Tx, engine: Engine, message: MessageReceived, now: datetime) -> bool:
    """It is posted no more; its row stays, as `withdrawn`. False: nothing changes. Twice is once."""
    waiting = await _waiting(tx, message)
    if waiting is None:
        return False
    conversation, row, _ = waiting
    await arrivals.finish(tx, row.id, now, status="withdrawn")
    await _settled(tx, engine, conversation, row, message, "message withdrawn", now)
    return True


async def _waiting(tx: Tx, message: MessageReceived) -> tuple[ConversationRow, InboxRow, MessageReceived] | None:
    """The message as we have it, under its conversation's lock. None: it is not there, not theirs, or begun."""
    place = await arrivals.place_of(tx.db, f"{message.thread.channel}:{message.message_id}")
    if place is None or place.inbox_id is None:
        return None
    conversation = await lanes.lock(tx, place.conversation_id)
    row = await arrivals.event(tx.db, place.inbox_id)
    if row.status != "new" or await turns.for_event(tx.db, row.id) is not None:
        return None
    event = lane_events.validate_json(row.payload)
    if not isinstance(event, MessageReceived) or event.joined or _who(event.sender) != _who(message.sender):
        return None
    return conversation, row, event


async def _settled(
    tx: Tx,
    engine: Engine,
    conversation: ConversationRow,
    row: InboxRow,
    message: MessageReceived,
    what: str,
    now: datetime,
) -> None:
    """Whoever has read the old words and is about to begin the turn is no owner any more; the lane goes on anew.

    A turn that runs, or is parked, is another message's: it keeps its owner, who looks at the rows again behind it.
    """
    if conversation.parked_turn_id is None and await turns.running(tx.db, conversation.id) is None:
        await lanes.claim(tx, conversation.id)
    who = audit.pseudonym(message.sender)
    await audit.note(tx, what, now, conversation_id=conversation.id, who=who, event=f"in-{row.id}")
    await engine.wake(tx, conversation.id)


def _who(sender: Identity) -> tuple[str, str, str]:
    return sender.channel, sender.account, sender.address
