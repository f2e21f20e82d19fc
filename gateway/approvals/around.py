"""What was said around a request: the last of its conversation, and the notes beside its cards. Changes nothing."""

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import notes, transcript
from gateway.events import MessageReceived, Spoken
from gateway.policy import Policy
from gateway.store import lanes, transcripts
from gateway.store.tables import ApprovalRow

MOST_MESSAGES = 6


async def recent(db: AsyncSession, row: ApprovalRow, policy: Policy) -> tuple[Spoken, ...]:
    """Oldest first; also what was written after the request, which nobody answers before it is decided."""
    conversation = await lanes.conversation(db, row.conversation_id)
    agent = f"agent {conversation.agent}"
    came = await transcripts.latest(db, conversation.id, limit=MOST_MESSAGES)
    went = await transcripts.replies(db, conversation.id, limit=MOST_MESSAGES)
    said = [_spoken(event, one.received_at, policy) for one in came if (event := transcript.received(one)) is not None]
    said += [
        Spoken(by=agent, at=one.created_at, text=text) for one in went if (text := transcript.replied(one)) is not None
    ]
    return tuple(sorted(said, key=lambda one: one.at)[-MOST_MESSAGES:])


async def beside(db: AsyncSession, row: ApprovalRow, policy: Policy) -> tuple[Spoken, ...]:
    """The notes, oldest first."""
    kept = await notes.rows_on(db, row.id, row.conversation_id)
    return tuple(_spoken(event, one.received_at, policy) for one, event in kept)


def _spoken(event: MessageReceived, at: datetime, policy: Policy) -> Spoken:
    """Under no name that somebody gave themselves."""
    by = policy.person(event.sender) or f"{event.sender.channel} {event.sender.address}"
    return Spoken(by=by, at=at, text=transcript.words_of(event))
