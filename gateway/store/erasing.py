"""What erasing asks and does: whose conversations, which sessions, and the rows emptied in place.

No row of a conversation is deleted, so that keys, counts and the audit stay whole.
"""

import hashlib
import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, delete, func, or_, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store.evidence import CheckRow, CodeRow, EditRow
from gateway.store.sendings import OPEN
from gateway.store.sql import among, changed, insert_new, table
from gateway.store.tables import ApprovalRow, ConversationRow, InboxRow, OutboxRow, TimerRow, TurnRow, VoteRow
from gateway.store.texting import MissRow
from gateway.store.tx import Tx
from gateway.store.upkeep import LeaseRow, LeftoverRow

NOTHING = "{}"  # in place of a payload
CARDS = ("ask", "reminder", "outcome")
WRITTEN = ("message", "verdict", "consent")  # by people


def name_of(conversation_id: int) -> str:
    """What an erased conversation has in place of its thread: no thread of any channel reads so."""
    return f"erased:{conversation_id}"


def hashed(key: str) -> str:
    """A key that names a person, told apart still and readable no more."""
    return f"erased:{hashlib.sha256(key.encode()).hexdigest()}"


# --- whose, and how much -----------------------------------------------------------------------------------


async def naming(db: AsyncSession, address: str) -> list[InboxRow]:
    """What people wrote whose payload may name this address; the caller looks whose it is. Reads the whole inbox."""
    question = select(InboxRow).where(among(InboxRow.kind, *WRITTEN), _says(InboxRow, "address", address))
    return list((await db.exec(question.order_by(col(InboxRow.id)))).all())


async def accounts(db: AsyncSession, channel: str) -> list[str]:
    """Our ends of a channel, as far as there are conversations."""
    question = select(ConversationRow.account).where(col(ConversationRow.channel) == channel)
    return list((await db.exec(question.distinct())).all())


async def spoken_in(db: AsyncSession, pseudonyms: Collection[str]) -> set[int]:
    """Conversations with turns of theirs: known also when what they wrote is gone."""
    question = select(TurnRow.conversation_id).where(col(TurnRow.sender).in_(pseudonyms))
    return set((await db.exec(question.distinct())).all())


async def with_nobody(db: AsyncSession, key: str) -> tuple[list[InboxRow], list[OutboxRow]]:
    """What may have come from a thread with this key, and gone to it, in no conversation; the caller looks."""
    came = select(InboxRow).where(col(InboxRow.conversation_id).is_(None), _says(InboxRow, "key", key))
    went = select(OutboxRow).where(col(OutboxRow.conversation_id).is_(None), _says(OutboxRow, "key", key))
    return list((await db.exec(came)).all()), list((await db.exec(went)).all())


def _says(model: Any, name: str, value: str) -> Any:
    return _holds(col(model.payload), f'"{name}":{json.dumps(value, ensure_ascii=False)}')


def _holds(column: Any, text: str) -> Any:
    """In capitals or not, on both databases. Too much rather than too little: only of letters in ASCII do both know the
    other case.
    """
    text.encode()  # half a character is nobody's: refused here as the database would
    escaped = re.sub(r"([/%_])", r"/\1", text)
    return func.lower(column).like(f"%{re.sub('[^ -~]+', '%', escaped).lower()}%", escape="/")


async def sizes(db: AsyncSession, conversation_id: int) -> tuple[int, int, int, int]:
    """Messages in, messages out, turns, approvals."""
    kinds: tuple[tuple[Any, tuple[Any, ...]], ...] = (
        (InboxRow, (col(InboxRow.kind) == "message",)),
        (OutboxRow, (col(OutboxRow.kind).not_in(CARDS),)),
        (TurnRow, ()),
        (ApprovalRow, ()),
    )
    found = []
    for model, of in kinds:
        mine = select(func.count()).select_from(model).where(model.conversation_id == conversation_id, *of)
        found.append(int((await db.exec(mine)).one()))
    return found[0], found[1], found[2], found[3]


async def sessions(db: AsyncSession, conversation_id: int) -> set[str]:
    """Every session the conversation was ever held in."""
    found: set[str | None] = set()
    for model, mine in (
        (ConversationRow, col(ConversationRow.id)),
        (TurnRow, col(TurnRow.conversation_id)),
        (ApprovalRow, col(ApprovalRow.conversation_id)),
    ):
        question: Any = select(model.session_id).where(mine == conversation_id).distinct()
        found |= set((await db.exec(question)).all())
    return {one for one in found if one}


async def approvals(db: AsyncSession, conversation_id: int) -> list[ApprovalRow]:
    question = select(ApprovalRow).where(col(ApprovalRow.conversation_id) == conversation_id)
    return list((await db.exec(question.order_by(col(ApprovalRow.created_at)))).all())


async def open_turns(db: AsyncSession, conversation_id: int) -> set[int]:
    """The turns that run or are parked."""
    mine = (col(TurnRow.conversation_id) == conversation_id, among(TurnRow.state, "running", "parked"))
    return set((await db.exec(select(TurnRow.id).where(*mine))).all())


async def open_cards(db: AsyncSession, conversation_id: int) -> list[OutboxRow]:
    """Cards, and changes of them, that are on their way."""
    mine = (col(OutboxRow.conversation_id) == conversation_id, col(OutboxRow.kind).in_(CARDS))
    return list((await db.exec(select(OutboxRow).where(*mine, among(OutboxRow.status, *OPEN)))).all())


# --- emptied -----------------------------------------------------------------------------------------------


async def empty_approval(tx: Tx, approval_id: str, **values: Any) -> None:
    await changed(tx.db, update(table(ApprovalRow)).where(col(ApprovalRow.id) == approval_id).values(**values))


async def empty_card(tx: Tx, outbox_id: int, payload: str) -> None:
    mine = update(table(OutboxRow)).where(col(OutboxRow.id) == outbox_id)
    await changed(tx.db, mine.values(payload=payload, error=None))


async def drop_card(tx: Tx, outbox_id: int) -> None:
    """One that is on its way: whoever sends it can write nothing into the row any more."""
    await changed(tx.db, update(table(OutboxRow)).where(col(OutboxRow.id) == outbox_id).values(status="dropped"))


async def empty_messages_out(tx: Tx, conversation_id: int, now: datetime) -> None:
    """All but cards on their way. What was not sent is dropped, and so is what is being sent just now: whoever sends
    it can write nothing into the row any more.
    """
    on_their_way = and_(col(OutboxRow.kind).in_(CARDS), among(OutboxRow.status, *OPEN))
    mine = and_(col(OutboxRow.conversation_id) == conversation_id, ~on_their_way)
    await _empty_out(tx, mine, now)


async def empty_answers(tx: Tx, outbox_ids: Sequence[int], now: datetime) -> None:
    """What went out in no conversation."""
    await _empty_out(tx, and_(col(OutboxRow.id).in_(outbox_ids), col(OutboxRow.conversation_id).is_(None)), now)


async def _empty_out(tx: Tx, mine: Any, now: datetime) -> None:
    lanes = select(OutboxRow.lane).where(mine, col(OutboxRow.kind).not_in(CARDS))
    names = [f"out:{lane}" for lane in (await tx.db.exec(lanes.distinct())).all()]  # a name holds the address
    idle = col(LeaseRow.until) <= now  # what is spent of its budget is forgotten with it
    await changed(tx.db, delete(table(LeaseRow)).where(col(LeaseRow.name).in_(names), idle))
    status = case((among(OutboxRow.status, *OPEN, "failed"), "dropped"), else_=col(OutboxRow.status))
    emptied = {"payload": NOTHING, "lane": "erased", "error": None, "not_before": None, "status": status}
    await changed(tx.db, update(table(OutboxRow)).where(mine).values(**emptied))


async def empty_events(tx: Tx, conversation_id: int, thread_key: str) -> None:
    """What waits or was set aside is dropped. The ids of platforms stay, so that a duplicate stays one."""
    mine = col(InboxRow.conversation_id) == conversation_id
    await _hash_keys(tx, mine, thread_key)
    await _empty_events(tx, mine, among(InboxRow.status, "new", "dead"))


async def empty_unrouted(tx: Tx, inbox_ids: Sequence[int], address: str) -> None:
    mine = and_(col(InboxRow.id).in_(inbox_ids), col(InboxRow.conversation_id).is_(None))
    await _hash_keys(tx, mine, address)
    await _empty_events(tx, mine, among(InboxRow.status, "unrouted"))


async def _empty_events(tx: Tx, mine: Any, ended: Any) -> None:
    status = case((ended, "dropped"), else_=col(InboxRow.status))
    emptied = {"payload": NOTHING, "error": None, "not_before": None, "status": status}
    await changed(tx.db, update(table(InboxRow)).where(mine).values(**emptied))


async def _hash_keys(tx: Tx, mine: Any, personal: str) -> None:
    keys = ("event_key", "message_key")
    inbox = table(InboxRow)
    named, folded = or_(*(_holds(inbox.c[key], personal) for key in keys)), personal.casefold()
    question = select(InboxRow.id, InboxRow.event_key, InboxRow.message_key).where(mine, named)
    for inbox_id, *found in (await tx.db.exec(question)).all():
        values = {name: hashed(key) for name, key in zip(keys, found, strict=True) if key and folded in key.casefold()}
        if values:
            await changed(tx.db, update(inbox).where(inbox.c.id == inbox_id).values(**values))


async def empty_turns(tx: Tx, conversation_id: int, now: datetime) -> None:
    turns = table(TurnRow)
    ended = turns.c.state.in_(("running", "parked"))
    emptied = {"posted_text": "", "posted_digest": "", "sender": None, "error": None, "live_handle": None}
    stopped = {
        "state": case((ended, "interrupted"), else_=turns.c.state),
        "ended_at": case((ended, now), else_=turns.c.ended_at),
    }
    await changed(tx.db, update(turns).where(turns.c.conversation_id == conversation_id).values(**emptied, **stopped))


async def empty_decisions(tx: Tx, approval_ids: Sequence[str], arguments: str, now: datetime) -> None:
    """The words of votes and edits, the addresses of voters and of codes, and whatever still ticks.

    Who voted, edited and opened the whole stays, by name. A code is made from its row, so it is void from now on.
    """
    votes, edits, codes, timers = table(VoteRow), table(EditRow), table(CodeRow), table(TimerRow)
    of_votes = update(votes).where(votes.c.approval_id.in_(approval_ids))
    await changed(tx.db, of_votes.values(reason="", identity=""))
    of_edits = update(edits).where(edits.c.approval_id.in_(approval_ids))
    await changed(tx.db, of_edits.values(before=arguments, after=arguments))
    await changed(tx.db, delete(codes).where(codes.c.approval_id.in_(approval_ids)))
    ticking = update(timers).where(timers.c.subject.in_(approval_ids), timers.c.done_at.is_(None))
    await changed(tx.db, ticking.values(done_at=now))


async def forget_checks(tx: Tx, channel: str, address: str) -> None:
    """The test messages to an address."""
    theirs = func.lower(col(CheckRow.address)) == f"{channel}:{address}".lower()
    await changed(tx.db, delete(table(CheckRow)).where(theirs))


async def forget_misses(tx: Tx, channel: str, address: str) -> None:
    """The wrong codes from an address."""
    theirs = func.lower(col(MissRow.address)) == f"{channel}:{address}".lower()
    await changed(tx.db, delete(table(MissRow)).where(theirs))


async def close(tx: Tx, conversation_id: int) -> None:
    """No thread leads here any more: what the same person says next opens a conversation of its own."""
    closed = {"mode": "closed", "thread_key": name_of(conversation_id), "session_id": None, "parked_turn_id": None}
    mine = update(table(ConversationRow)).where(col(ConversationRow.id) == conversation_id)
    await changed(tx.db, mine.values(**closed))


# --- what the agent platform still has ---------------------------------------------------------------------


async def leave(tx: Tx, conversation_id: int, session_id: str, now: datetime) -> None:
    await insert_new(
        tx.db, LeftoverRow, session_id=session_id, conversation_id=conversation_id, remains=False, since=now
    )


async def leftovers(db: AsyncSession, conversations: Collection[int]) -> list[LeftoverRow]:
    mine = select(LeftoverRow).where(col(LeftoverRow.conversation_id).in_(conversations))
    return list((await db.exec(mine.order_by(col(LeftoverRow.conversation_id), col(LeftoverRow.session_id)))).all())


async def unreached(db: AsyncSession) -> set[int]:
    """Erased conversations of which the platform has not answered for every session yet."""
    waiting = select(LeftoverRow.conversation_id).where(~col(LeftoverRow.remains))
    return set((await db.exec(waiting.distinct())).all())


async def confirmed(tx: Tx, session_id: str) -> None:
    await changed(tx.db, delete(table(LeftoverRow)).where(col(LeftoverRow.session_id) == session_id))


async def remains(tx: Tx, session_id: str) -> None:
    """The platform offers no deletion: its id stays, to be named."""
    mine = update(table(LeftoverRow)).where(col(LeftoverRow.session_id) == session_id)
    await changed(tx.db, mine.values(remains=True))


# --- what comes again --------------------------------------------------------------------------------------


async def known(db: AsyncSession, event_key: str, message_key: str) -> bool:
    """Was it kept before, in whatever conversation, erased or not?"""
    events, messages = (event_key, hashed(event_key)), (message_key, hashed(message_key))
    same = or_(col(InboxRow.event_key).in_(events), col(InboxRow.message_key).in_(messages))
    return (await db.exec(select(InboxRow.id).where(same).limit(1))).first() is not None
