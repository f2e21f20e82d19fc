"""Who wants no messages from an account of ours. Asked right before each send; what was said is kept with its time.

Reads no words and sends nothing: an adapter says what a message means, `opting.py` what follows from it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.events import Identity, ThreadRef
from gateway.ports import Channel, Clock
from gateway.store import Tx, consents

WANTS_NONE = "whoever it goes to wants no messages from us"
AUDITED = {"out": "opted out", "in": "opted in"}


class Consents:
    def __init__(self, channels: Mapping[str, Channel], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock

    async def are_out(self, db: AsyncSession, to: ThreadRef) -> bool:
        """Does whoever gets a message there want none?"""
        of = self._of(to)
        return of is not None and await consents.are_out(db, of)

    async def keep(
        self, tx: Tx, thread: ThreadRef, state: Literal["out", "in"], *, source: str, at: datetime, **about: Any
    ) -> bool:
        """What they said, and an audit row. False: they have said something newer, which stands. Twice is safe.

        `at`: when it was said, as far as that is known.
        """
        of = self._of(thread)
        if of is None:
            return False
        stands = await consents.keep(tx, of, state=state, source=source, at=at)
        facts: dict[str, Any] = {**about, "source": source, "said_at": at.isoformat(), "stands": stands}
        await audit.note(tx, AUDITED[state], self._clock(), who=_pseudonym(of), **facts)
        return stands

    async def refused(self, tx: Tx, to: ThreadRef, at: datetime) -> None:
        """The carrier would not take a message that was handed over at this time. Nothing new where we know it."""
        if not await self.are_out(tx.db, to):
            await self.keep(tx, to, "out", source="refused", at=at)

    async def asked_in_vain(self, db: AsyncSession) -> list[str]:
        """Open requests, not escalated yet, of which somebody who was shown them wants no messages any more."""
        cards = await consents.cards(db)
        out = {approval_id for approval_id, payload in cards if await self.are_out(db, sent_to(payload))}
        return sorted(out)

    def _of(self, thread: ThreadRef) -> ThreadRef | None:
        channel = self._channels.get(thread.channel)
        return None if channel is None else channel.consent_of(thread)


def sent_to(payload: str) -> ThreadRef:
    """Where a message of the outbox goes. What was erased goes nowhere."""
    to = json.loads(payload).get("to") or {"channel": "", "account": "", "key": ""}
    return ThreadRef(to["channel"], to["account"], to["key"])


def _pseudonym(of: ThreadRef) -> str:
    return audit.pseudonym(Identity(channel=of.channel, address=of.key))
