"""What people write beside a card: kept with the request, and answered once, privately. It decides nothing."""

from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit, transcript
from gateway.events import MessageReceived, Say
from gateway.outbox import Outbox
from gateway.ports import Added, Clock
from gateway.store import Tx, arrivals, erasing, lanes, requests, sendings, transcripts
from gateway.store.tables import ApprovalRow, InboxRow
from gateway.words import Words

NOTE = "note"


class Notes:
    def __init__(self, outbox: Outbox, clock: Clock, words: Words | None = None) -> None:
        self._outbox = outbox
        self._clock = clock
        self._words = words or Words()

    async def take(self, tx: Tx, event: MessageReceived, kept: dict[str, Any]) -> Added | None:
        """Keep what was written in a card's thread. `kept`: the columns of its row. None: it is no card's thread.

        It opens no conversation, whoever is mentioned in it. Of an erased conversation nothing is kept any more.
        """
        asked = await sendings.showed(tx.db, event.thread.channel, event.thread.key)
        row = None if asked is None else await requests.get(tx.db, asked)
        if row is None:
            return None
        conversation = await lanes.lock(tx, row.conversation_id)
        if conversation.thread_key == erasing.name_of(conversation.id):
            return Added.IGNORED
        where: dict[str, Any] = {"kind": NOTE, "status": NOTE, "conversation_id": row.conversation_id}
        if not await arrivals.keep_unrouted(tx, **{**kept, **where}):
            return Added.DUPLICATE
        await self._answer(tx, event, row, kept["payload"])
        return Added.KEPT

    async def _answer(self, tx: Tx, event: MessageReceived, row: ApprovalRow, payload: str) -> None:
        """Once for each person and request: who writes more knows it."""
        about: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        who = audit.pseudonym(event.sender)
        await audit.note(tx, "noted", self._clock(), **about, who=who, note_digest=audit.digest(payload))
        said = Say(to=event.thread, text=self._words.only_buttons, only_for=event.sender.address)
        await self._outbox.add(tx, said, key=f"note:{row.id}:{who}", **about)


async def rows_on(db: AsyncSession, approval_id: str, conversation_id: int) -> list[tuple[InboxRow, MessageReceived]]:
    """What is kept beside a request's cards, oldest first. Those whose words were erased are not among them."""
    cards = {card.provider_id for card in await sendings.shown(db, approval_id)}
    rows = [(row, transcript.received(row)) for row in await transcripts.notes(db, conversation_id)]
    return [(row, event) for row, event in rows if event is not None and event.thread.key in cards]
