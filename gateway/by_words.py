"""Decisions that come as messages: `YES 482913` from somebody who was sent that code, or a button that they pressed.

The agent never sees them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import codes as makes, sentences, verdicts
from gateway.approvals import Approvals
from gateway.code_lock import CodeLock
from gateway.events import MessageReceived, Pressed, Say, Verdict
from gateway.outbox import Outbox
from gateway.ports import Clock, Decision
from gateway.store import Tx, checks, codes, lanes
from gateway.store.evidence import CheckRow, CodeRow
from gateway.verdicts import Decided
from gateway.words import Words

NOTHING_SHOWN = "-"  # no digest begins so: whoever says not what they saw approves nothing
REMEMBERED = timedelta(days=1)  # so long after its last code was good, a person's words with a code are for us


@dataclass(frozen=True, slots=True)
class Given:
    """The codes that somebody was sent in this thread: good ones, those that ran out, those of what is settled."""

    good: Sequence[CodeRow]
    late: Sequence[CodeRow]
    void: Sequence[CodeRow]

    def all(self) -> list[CodeRow]:
        return [*self.good, *self.late, *self.void]


@dataclass(frozen=True, slots=True)
class ByWords:
    """Reads verdicts at the door, before any agent."""

    approvals: Approvals
    outbox: Outbox
    clock: Clock
    words: Words
    keys: Sequence[str]
    lock: CodeLock

    async def concerns(self, db: AsyncSession, event: MessageReceived) -> bool:
        """Is it a button, does it hold a code of theirs, or only verbs and codes, from who was sent one lately?

        Anything else is for the agent: a sentence may have six digits of its own in it.
        """
        if event.pressed is not None:
            return True
        written = verdicts.codes_in(event.text)
        if not written:
            return await self._forgot_the_code(db, event)
        if await self._checked(db, event) is not None:
            return True
        given = await self._given(db, event)
        if verdicts.is_bare(event.text):
            since = self.clock() - REMEMBERED
            return bool(given.all()) or await codes.has_ever(db, _address(event), since)
        return any(self._whose(code, given.all()) for code in written)

    async def take(self, tx: Tx, event: MessageReceived) -> None:
        """Decide by this message, or say why it decided nothing. Of a locked address nothing is compared or said."""
        if event.pressed is not None:
            await self._press(tx, event, event.pressed)
            return
        if (check := await self._checked(tx.db, event)) is not None:  # never an approval's code as well
            await checks.answered(tx, check.id, self.clock())
            await self._answer(tx, event, self.words.reached)
            return
        if await self.lock.is_on(tx, event.sender):
            return  # they were told when it began; whoever forges their number must not flood them
        read, given = verdicts.read(event.text), await self._given(tx.db, event)
        if isinstance(read, Decided):
            if one := self._whose(read.code, [*given.good, *given.void]):  # who is late hears who decided
                await self._decide(tx, event, read, one)
                return
            if one := self._whose(read.code, given.late):
                await self._renew(tx, event, one)
                return
        await self._decided_nothing(tx, event, given)

    async def _press(self, tx: Tx, event: MessageReceived, button: Pressed) -> None:
        """What they pressed is only claimed: by the sender's address and today's policy it counts, or not."""
        digest = button.digest or (NOTHING_SHOWN if button.verdict is Verdict.APPROVE else "")
        decision = await self.approvals.decide_in(
            tx, button.approval_id, event.sender, button.verdict, via=event.thread.channel, digest=digest
        )
        await self._answer(tx, event, _said(decision))

    async def _forgot_the_code(self, db: AsyncSession, event: MessageReceived) -> bool:
        """A verb alone from somebody who is asked here and never talked with the agent. Of a customer it is an answer
        to the agent as much as to a request, and so an ordinary message.
        """
        if not verdicts.is_only_verbs(event.text) or await lanes.find(db, event.thread) is not None:
            return False
        return bool((await self._given(db, event)).good)

    async def _checked(self, db: AsyncSession, event: MessageReceived) -> CheckRow | None:
        """The test message that this answers."""
        read = verdicts.read(event.text)
        return await checks.waits(db, _address(event), read.code, self.clock()) if isinstance(read, Decided) else None

    async def _given(self, db: AsyncSession, event: MessageReceived) -> Given:
        """Without those that another number of ours sent them: a code is good in its own thread."""
        address, now = _address(event), self.clock()
        good, late = await codes.open_for(db, address, now), await codes.late(db, address, now)
        void = await codes.void(db, address, now - REMEMBERED)
        return Given(*([one for one in some if _is_from(one, event)] for some in (good, late, void)))

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

    async def _decided_nothing(self, tx: Tx, event: MessageReceived, given: Given) -> None:
        """The answer is the same for every wrong code, and for words beside a right one."""
        if self._is_wrong(event, given) and (until := await self.lock.missed(tx, event.sender)) is not None:
            asked = [one.approval_id for one in given.good]
            other = await self.approvals.elsewhere(tx.db, asked, event.sender)
            said = self.words.codes_locked.format(until=sentences.end(until)) + sentences.elsewhere(other)
            await self._answer(tx, event, said)
            return
        once = ""
        if given.good and verdicts.is_only_verbs(event.text):
            once = f"verdict:without-a-code:{given.good[-1].id}"
        said = self.words.verdict_unclear if given.good or given.late else self.words.verdict_none
        await self._answer(tx, event, said, key=once)

    def _is_wrong(self, event: MessageReceived, given: Given) -> bool:
        """It was meant to decide, and no code in it is theirs. One that ran out, or is of what is settled, is late."""
        written = verdicts.codes_in(event.text)
        return verdicts.is_bare(event.text) and not any(self._whose(code, given.all()) for code in written)

    async def _answer(self, tx: Tx, event: MessageReceived, text: str, key: str = "") -> None:
        await self.outbox.add(tx, Say(to=event.thread, text=text), key=key or _key("verdict", event))


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


def _is_from(one: CodeRow, event: MessageReceived) -> bool:
    """Was it sent by the account of ours that they write to? An empty one is the channel's own."""
    return one.account == event.thread.account if one.account else event.own_account
