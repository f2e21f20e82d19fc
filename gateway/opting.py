"""What people say of being written to, at the door: kept before any verdict, route or agent. It wakes nobody."""

from typing import Any

from gateway.events import MessageReceived, Say
from gateway.outbox import Outbox
from gateway.ports import Added, Clock
from gateway.store import Tx, arrivals, lanes
from gateway.words import Words

CONSENT = "consent"
UNANSWERED = "opted_out"  # ordinary words of somebody who wants no messages


class Opting:
    def __init__(self, outbox: Outbox, clock: Clock, words: Words) -> None:
        self._outbox = outbox
        self._consents = outbox.consents
        self._clock = clock
        self._words = words

    async def take(self, tx: Tx, event: MessageReceived, kept: dict[str, Any]) -> Added | None:
        """Keep what it says, with the event, once. `kept`: the columns of its row. None: it says nothing of that."""
        said = event.consent
        if said is None or (said.only_back and not await self._consents.are_out(tx.db, event.thread)):
            return None
        if not await self._keep(tx, event, kept, kind=CONSENT, status=CONSENT):
            return Added.DUPLICATE
        if said.state == "help":
            await self._help(tx, event, answered=said.source == "carrier" or not event.answerable)
        else:
            at = event.sent_at or self._clock()
            await self._consents.keep(tx, event.thread, said.state, source=said.source, at=at)
        return Added.KEPT

    async def unanswered(self, tx: Tx, event: MessageReceived, kept: dict[str, Any]) -> Added | None:
        """Keep what somebody writes to whom nothing may be said: no turn begins, also later. None: that is not so."""
        if not await self._consents.are_out(tx.db, event.thread):
            return None
        if not await self._keep(tx, event, kept, status=UNANSWERED):
            return Added.DUPLICATE
        said = "somebody who wants no messages has written, and gets no answer: see `gateway people optouts`"
        await self._outbox.alert(tx, f"opted-out:{event.thread.channel}", said, once_a="day")
        return Added.KEPT

    async def _keep(self, tx: Tx, event: MessageReceived, kept: dict[str, Any], **how: str) -> bool:
        conversation = await lanes.find(tx.db, event.thread)
        where = {"conversation_id": conversation.id if conversation else None}
        return await arrivals.keep_unrouted(tx, **{**kept, **how, **where})

    async def _help(self, tx: Tx, event: MessageReceived, *, answered: bool) -> None:
        """Who we are, to a person whom the carrier has not told it itself."""
        if answered or not self._words.help or await self._consents.are_out(tx.db, event.thread):
            return
        key = f"help:{event.thread.channel}:{event.message_id}"
        await self._outbox.add(tx, Say(to=event.thread, text=self._words.help), key=key)
