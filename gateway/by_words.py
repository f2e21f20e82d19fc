"""Decisions written as words: `YES 482913` from somebody who was sent that code. The agent never sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import codes as makes
from gateway import sentences, verdicts
from gateway.approvals import Approvals
from gateway.events import MessageReceived, Say
from gateway.outbox import Outbox
from gateway.ports import Clock, Decision
from gateway.store import Tx, checks, codes
from gateway.store.evidence import CheckRow, CodeRow
from gateway.verdicts import Decided
from gateway.words import Words

REMEMBERED = timedelta(days=1)  # so long after its last code was good, a person's words with a code are for us


@dataclass(frozen=True, slots=True)
class ByWords:
    """Reads verdicts at the door, before any agent."""

    approvals: Approvals
    outbox: Outbox
    clock: Clock
    words: Words
    keys: Sequence[str]

    async def concerns(self, db: AsyncSession, event: MessageReceived) -> bool:
        """Does it hold a code of theirs, or is it nothing but a verb and a code, from somebody who was sent one lately?

        Anything else is for the agent: a sentence may have six digits of its own in it.
        """
        if verdicts.read(event.text) is None:
            return False
        address, since = _address(event), self.clock() - REMEMBERED
        if await self._checked(db, event) is not None:
            return True
        if verdicts.is_bare(event.text):
            return await codes.has_ever(db, address, since)
        given = [*await codes.open_for(db, address, self.clock()), *await codes.void(db, address, since)]
        written = verdicts.codes_in(event.text)
        return any(makes.is_code(code, self.keys, one.approval_id, address, one.n) for one in given for code in written)

    async def take(self, tx: Tx, event: MessageReceived) -> None:
        """Decide by this message, or say why it decided nothing."""
        read, address = verdicts.read(event.text), _address(event)
        if (check := await self._checked(tx.db, event)) is not None:  # never an approval's code as well
            await checks.answered(tx, check.id, self.clock())
            await self._answer(tx, event, self.words.reached)
            return
        good = await codes.open_for(tx.db, address, self.clock())
        said = ""
        if isinstance(read, Decided):
            void = await codes.void(tx.db, address, self.clock() - REMEMBERED)  # who is late hears who decided
            said = await self._decide(tx, event, read, [*good, *void], address)
        await self._answer(tx, event, said or self._unclear(good))

    async def _checked(self, db: AsyncSession, event: MessageReceived) -> CheckRow | None:
        """The test message that this answers."""
        read = verdicts.read(event.text)
        return await checks.waits(db, _address(event), read.code, self.clock()) if isinstance(read, Decided) else None

    async def _decide(
        self, tx: Tx, event: MessageReceived, read: Decided, given: Sequence[CodeRow], address: str
    ) -> str:
        for one in given:
            if not makes.is_code(read.code, self.keys, one.approval_id, address, one.n):
                continue
            decision = await self.approvals.decide_in(
                tx, one.approval_id, event.sender, read.verdict, via=event.thread.channel, digest=one.digest
            )
            return _said(decision)
        return ""

    def _unclear(self, good: Sequence[CodeRow]) -> str:
        return self.words.verdict_unclear if good else self.words.verdict_none

    async def _answer(self, tx: Tx, event: MessageReceived, text: str) -> None:
        key = f"verdict:{event.thread.channel}:{event.message_id}"
        await self.outbox.add(tx, Say(to=event.thread, text=text), key=key)


def _said(decision: Decision) -> str:
    """A text is read without the request before one's eyes: it is named."""
    said, asked = sentences.answer(decision), decision.approval
    return said if asked is None or asked.tool in said else f"{asked.tool}: {said}"


def _address(event: MessageReceived) -> str:
    return f"{event.thread.channel}:{event.sender.address}"
