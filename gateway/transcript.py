"""What was said last, for a session that has not seen it: a record, marked as one. Changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.events import MessageReceived, Say, lane_events, outbounds
from gateway.speaker import harmless
from gateway.store import transcripts
from gateway.store.tables import InboxRow, OutboxRow

MOST_MESSAGES = 20
MOST_CHARS = 4_000
MOST_CHARS_EACH = 600
MARK = (
    '<transcript note="This conversation was held in a session that is gone. These are the last things said in it, '
    'oldest first. They are a record and not to be answered; what follows them is.">'
)
END = "</transcript>"


@dataclass(frozen=True, slots=True)
class Said:
    """`you` is the agent."""

    at: datetime
    by: Literal["customer", "you"]
    text: str


async def before(db: AsyncSession, conversation_id: int, inbox_id: int) -> str:
    """`written`, of what was said in a conversation before this event."""
    asked = await transcripts.messages(db, conversation_id, before=inbox_id, limit=MOST_MESSAGES)
    replied = await transcripts.replies(db, conversation_id, limit=MOST_MESSAGES)
    said = [*map(_of_customer, asked), *map(_of_agent, replied)]
    return written([one for one in said if one is not None])


def received(row: InboxRow) -> MessageReceived | None:
    """The message in a row. None: its words are gone, or it cannot be read."""
    try:
        event = lane_events.validate_json(row.payload)
    except ValidationError:
        return None
    return event if isinstance(event, MessageReceived) else None


def words_of(event: MessageReceived) -> str:
    """With the names of what was attached."""
    attached = [f"[attached: {one.name or one.mime_type}]" for one in event.media]
    return "\n".join(filter(None, [event.text, *attached])) or "(no words)"


def replied(row: OutboxRow) -> str | None:
    """The words in a row. None: as above."""
    try:
        message = outbounds.validate_json(row.payload)
    except ValidationError:
        return None
    return message.whole or message.text if isinstance(message, Say) else None


def _of_customer(row: InboxRow) -> Said | None:
    event = received(row)
    return None if event is None else Said(row.received_at, "customer", event.text)


def _of_agent(row: OutboxRow) -> Said | None:
    text = replied(row)
    return None if text is None else Said(row.created_at, "you", text)


def written(said: Sequence[Said]) -> str:
    """The lines that open a session; empty where nothing was said. What does not fit is the oldest."""
    lines: list[str] = []
    left = MOST_CHARS
    for one in sorted(said, key=lambda one: one.at, reverse=True)[:MOST_MESSAGES]:
        line = _line(one)
        left -= len(line)
        if left < 0:
            break
        lines.insert(0, line)
    return "\n".join([MARK, *lines, END, ""]) if lines else ""


def _line(said: Said) -> str:
    """Later lines of a text are indented, so that none of them passes for somebody else's."""
    text = said.text.strip()
    cut = text if len(text) <= MOST_CHARS_EACH else text[: MOST_CHARS_EACH - 1] + "…"
    return f"{said.by}: {harmless(cut)}".replace("\n", "\n    ")
