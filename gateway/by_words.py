"""Decisions that come as messages: `YES 482913` from somebody who was sent that code, or a button that they pressed.

The agent never sees them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import codes as makes, sentences, verdicts
from gateway.approvals import Approvals
from gateway.events import MessageReceived, Pressed, Say, Verdict
from gateway.outbox import Outbox
from gateway.ports import Clock, Decision
from gateway.store import Tx, checks, codes
from gateway.store.evidence import CheckRow, CodeRow
from gateway.verdicts import Decided
from gateway.words import Words

NOTHING_SHOWN = "-"  # no digest begins so: whoever says not what they saw approves nothing
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
        """Is it a button, does it hold a code of theirs, or only a verb and a code, from who was sent one lately?

        Anything else is for the agent: a sentence may have six digits of its own in it.
        """
        if event.pressed is not None:
            return True
        if verdicts.read(event.text) is None:
            return False
        address, now = _address(event), self.clock()
        since = now - REMEMBERED
        if await self._checked(db, event) is not None:
            return True
        if verdicts.is_bare(event.text) and await codes.has_ever(db, address, since):
            return True
        good, late = await codes.open_for(db, address, now), await codes.late(db, address, now)
        given = [*good, *late, *await codes.void(db, address, since)]
        return any(self._whose(code, given) for code in verdicts.codes_in(event.text))

    async def take(self, tx: Tx, event: MessageReceived) -> None:
        """Decide by this message, or say why it decided nothing."""
        if event.pressed is not None:
            await self._press(tx, event, event.pressed)
            return
        read, address = verdicts.read(event.text), _address(event)
        if (check := await self._checked(tx.db, event)) is not None:  # never an approval's code as well
            await checks.answered(tx, check.id, self.clock())
            await self._answer(tx, event, self.words.reached)
            return
        now = self.clock()
        good, late = await codes.open_for(tx.db, address, now), await codes.late(tx.db, address, now)
        if isinstance(read, Decided):
            void = await codes.void(tx.db, address, now - REMEMBERED)  # who is late hears who decided
            if one := self._whose(read.code, [*good, *void]):
                await self._decide(tx, event, read, one)
                return
            if one := self._whose(read.code, late):
                await self._renew(tx, event, one)
                return
        await self._answer(tx, event, self.words.verdict_unclear if good or late else self.words.verdict_none)

    async def _press(self, tx: Tx, event: MessageReceived, button: Pressed) -> None:
        """What they pressed is only claimed: by the sender's address and today's policy it counts, or not."""
        digest = button.digest or (NOTHING_SHOWN if button.verdict is Verdict.APPROVE else "")
        decision = await self.approvals.decide_in(
            tx, button.approval_id, event.sender, button.verdict, via=event.thread.channel, digest=digest
        )
        await self._answer(tx, event, _said(decision))

    async def _checked(self, db: AsyncSession, event: MessageReceived) -> CheckRow | None:
        """The test message that this answers."""
        read = verdicts.read(event.text)
        return await checks.waits(db, _address(event), read.code, self.clock()) if isinstance(read, Decided) else None

    def _whose(self, code: str, given: Sequence[CodeRow]) -> CodeRow | None:
        return next((one for one in given if makes.is_code(code, self.keys, one.approval_id, one.address, one.n)), None)

    async def _decide(self, tx: Tx, event: MessageReceived, read: Decided, one: CodeRow) -> None:
        via, digest = event.thread.channel, one.digest
        decision = await self.approvals.decide_in(
            tx, one.approval_id, event.sender, read.verdict, via=via, digest=digest
        )
        await self._answer(tx, event, _said(decision))

    async def _renew(self, tx: Tx, event: MessageReceived, one: CodeRow) -> None:
        """The request comes once more, with another code: that is the answer. Or why it does not."""
        decision = await self.approvals.renew_in(
            tx, one.approval_id, event.sender, via=event.thread.channel, to=event.thread, key=_key("renewed", event)
        )
        if decision is None:
            await self._answer(tx, event, self.words.code_replaced)
        elif decision.result != "decided":
            await self._answer(tx, event, _said(decision))

    async def _answer(self, tx: Tx, event: MessageReceived, text: str) -> None:
        await self.outbox.add(tx, Say(to=event.thread, text=text), key=_key("verdict", event))


def _said(decision: Decision) -> str:
    """A text is read without the request before one's eyes: it is named. No other text tells its outcome."""
    said, asked = sentences.answer(decision), decision.approval
    if asked is None:
        return said
    if decision.result == "decided":
        return f"{said} {sentences.by_whom(asked)}"
    return said if asked.tool in said else f"{asked.tool}: {said}"


def _key(what: str, event: MessageReceived) -> str:
    return f"{what}:{event.thread.channel}:{event.message_id}"


def _address(event: MessageReceived) -> str:
    return f"{event.thread.channel}:{event.sender.address}"
