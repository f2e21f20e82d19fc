"""Erases conversations: what runs is stopped, then words and addresses go; the rows stay, empty.

The agent platform is asked afterwards, and again until it has answered. Never touches the audit, which holds no words.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit, emptying
from gateway.approvals import Approvals
from gateway.emptying import NO_ARGUMENTS
from gateway.errors import AgentRefused, AgentUnavailable
from gateway.events import Identity, MessageReceived, ThreadRef, lane_events
from gateway.policy import same_address
from gateway.ports import Clock, Engine
from gateway.store import Store, Tx, erasing, lanes
from gateway.store.tables import InboxRow

WHY = "its conversation was erased"

Erase = Callable[[str], Awaitable[bool]]
"""`AgentPlatform.erase`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How much was. `sessions` counts those that the agent platform confirmed."""

    conversations: int = 0
    messages_in: int = 0
    messages_out: int = 0
    turns: int = 0
    approvals: int = 0
    sessions: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        return Erased(**{one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """What a person wrote: in which conversations, and the events that are in none: no route took them, or they were
    decisions by words. `answers`: the outbox's rows that answer those, or went to their address in no conversation.
    """

    channel: str
    address: str
    conversations: tuple[int, ...] = ()
    unrouted: tuple[int, ...] = ()
    answers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of an erased conversation, and what the agent platform said. `unreached`: nothing; it is to be asked
    again.
    """

    id: str
    conversation: int
    state: Literal["erased", "remains", "unreached"]
    why: str = ""


async def of_person(db: AsyncSession, channel: str, address: str) -> Belongings:
    """All they wrote something in, whoever else did. Slack's address may carry its team (`T0TEAM/U0ANA`)."""
    account, _, bare = address.rpartition("/")
    theirs = [row for row in await erasing.naming(db, bare) if _is_by(row, channel, address)]
    accounts = [account] if account else await erasing.accounts(db, channel)
    names = [audit.pseudonym(Identity(channel=channel, account=one, address=bare)) for one in accounts]
    spoken = await erasing.spoken_in(db, names) | {row.conversation_id for row in theirs if row.conversation_id}
    unrouted = [row for row in theirs if row.conversation_id is None]
    _, went = await erasing.with_nobody(db, bare)
    answers = {row.id for row in went if emptying.goes_to(row.payload, channel, bare)}
    for thread in {found for row in unrouted if (found := _thread_of(row)) is not None}:
        answers |= set((await elsewhere(db, thread)).answers)
    return Belongings(
        channel=channel,
        address=bare,
        conversations=tuple(sorted(spoken)),
        unrouted=tuple(row.id for row in unrouted),
        answers=tuple(sorted(answers)),
    )


async def elsewhere(db: AsyncSession, thread: ThreadRef) -> Belongings:
    """What came from a thread, and went to it, in no conversation."""
    came, went = await erasing.with_nobody(db, thread.key)
    return Belongings(
        channel=thread.channel,
        address=thread.key,
        unrouted=tuple(row.id for row in came if _thread_of(row) == thread),
        answers=tuple(row.id for row in went if emptying.goes_to(row.payload, thread.channel, thread.key)),
    )


async def beside(db: AsyncSession, conversation_id: int) -> Belongings:
    """`elsewhere`, of the conversation's own thread."""
    row = await lanes.conversation(db, conversation_id)
    return await elsewhere(db, ThreadRef(row.channel, row.account, row.thread_key))


def _is_by(row: InboxRow, channel: str, address: str) -> bool:
    try:
        event = lane_events.validate_json(row.payload)
    except ValueError:
        return json.dumps(channel) in row.payload  # it names them, and nobody can read more of it
    return isinstance(event, MessageReceived) and same_address(event.sender, channel, address)


def _thread_of(row: InboxRow) -> ThreadRef | None:
    try:
        event = lane_events.validate_json(row.payload)
    except ValueError:
        return None
    return event.thread if isinstance(event, MessageReceived) else None


class Erasing:
    def __init__(self, store: Store, engine: Engine, approvals: Approvals, clock: Clock) -> None:
        self._store = store
        self._engine = engine
        self._approvals = approvals
        self._clock = clock

    async def conversation(self, conversation_id: int, *, by: str) -> Erased:
        """One that is there, in one transaction. Twice is safe: nothing is left for the second."""
        strays = await self._store.survey(lambda db: beside(db, conversation_id))
        return await self._store.write(lambda tx: self._erase(tx, conversation_id, strays, by))

    async def unrouted(self, theirs: Belongings, *, by: str) -> Erased:
        """What a person wrote in no conversation, and what answered it."""

        async def deed(tx: Tx) -> Erased:
            erased = await self._empty_strays(tx, theirs)
            await audit.note(tx, "erased", self._clock(), who=by, **asdict(erased))
            return erased

        return await self._store.write(deed) if theirs.unrouted or theirs.answers else Erased()

    async def sessions(self, erase: Erase, conversations: Sequence[int]) -> list[Session]:
        """Ask the agent platform to erase what it still has of erased conversations. Twice is safe.

        A platform that does not answer once is not asked for the rest.
        """
        asked, away = [], ""
        for row in await self._store.read(lambda db: erasing.leftovers(db, conversations)):
            session = Session(id=row.session_id, conversation=row.conversation_id, state="unreached", why=away)
            if not away:
                session = await self._ask(erase, session)
                away = session.why
            asked.append(session)
        return asked

    async def _ask(self, erase: Erase, session: Session) -> Session:
        try:
            gone = await erase(session.id)
        except (AgentUnavailable, AgentRefused) as error:
            return replace(session, why=str(error))
        if gone:
            await self._store.write(lambda tx: erasing.confirmed(tx, session.id))
            return replace(session, state="erased")
        await self._store.write(lambda tx: erasing.remains(tx, session.id))
        return replace(session, state="remains")

    # --- our rows ------------------------------------------------------------------------------------------

    async def _erase(self, tx: Tx, conversation_id: int, strays: Belongings, by: str) -> Erased:
        row, now = await lanes.lock(tx, conversation_id), self._clock()
        thread = ThreadRef(row.channel, row.account, row.thread_key)
        if thread.key == erasing.name_of(conversation_id):
            return Erased()
        await lanes.claim(tx, conversation_id)  # from now on whoever owned it writes nothing
        messages_in, messages_out, turns, approvals = await erasing.sizes(tx.db, conversation_id)
        sessions = await erasing.sessions(tx.db, conversation_id)
        for session_id in sessions:
            await erasing.leave(tx, conversation_id, session_id, now)
        await self._empty_cards(tx, conversation_id)
        await self._withdraw(tx, conversation_id)
        await self._drop_cards_to(tx, conversation_id, thread)
        await erasing.empty_messages_out(tx, conversation_id, now)
        await erasing.empty_events(tx, conversation_id, thread.key)
        await erasing.empty_turns(tx, conversation_id, now)
        emptied = await self._empty_strays(tx, strays)
        await erasing.close(tx, conversation_id)
        await self._engine.abort(tx, conversation_id)
        erased = emptied + Erased(
            conversations=1, messages_in=messages_in, messages_out=messages_out, turns=turns, approvals=approvals
        )
        facts = asdict(erased) | {"sessions": len(sessions)}
        await audit.note(tx, "erased", now, conversation_id=conversation_id, who=by, **facts)
        return erased

    async def _withdraw(self, tx: Tx, conversation_id: int) -> None:
        """Empty every request, end those that are open, and let each card show what is left of it."""
        unfinished, withdrawn = await erasing.open_turns(tx.db, conversation_id), set()
        rows = await erasing.approvals(tx.db, conversation_id)
        for row in rows:
            if row.turn_id in unfinished and not row.applied and row.state != "cancelled":
                withdrawn.add(row.id)  # its card is changed with that
            await erasing.empty_approval(tx, row.id, **emptying.request(row))
        await erasing.empty_decisions(tx, [row.id for row in rows], NO_ARGUMENTS, self._clock())
        tx.db.expire_all()
        for turn_id in sorted(unfinished):
            await self._approvals.abandon(tx, turn_id, WHY)
        tx.db.expire_all()
        for row in await erasing.approvals(tx.db, conversation_id):
            if row.id not in withdrawn:
                await self._approvals.show(tx, row, stage="erased")

    async def _empty_cards(self, tx: Tx, conversation_id: int) -> None:
        """Those on their way arrive without words: what is under way cannot be called back, but it can be changed."""
        for row in await erasing.open_cards(tx.db, conversation_id):
            await erasing.empty_card(tx, row.id, emptying.card(row.payload))

    async def _drop_cards_to(self, tx: Tx, conversation_id: int, thread: ThreadRef) -> None:
        """The requester's own thread is forgotten, so nothing goes there any more."""
        for row in await erasing.open_cards(tx.db, conversation_id):
            if emptying.goes_to(row.payload, thread.channel, thread.key):
                await erasing.drop_card(tx, row.id)

    async def _empty_strays(self, tx: Tx, strays: Belongings) -> Erased:
        await erasing.forget_checks(tx, strays.channel, strays.address)
        await erasing.forget_misses(tx, strays.channel, strays.address)
        await erasing.empty_unrouted(tx, strays.unrouted, strays.address)
        await erasing.empty_answers(tx, strays.answers, self._clock())
        return Erased(messages_in=len(strays.unrouted), messages_out=len(strays.answers))
