"""Dead letters as operations see them: listed, read, taken up again or dropped, all of it audited. Sends nothing."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway import audit
from gateway.consents import Consents, sent_to
from gateway.errors import GiveUp
from gateway.events import AskSeen, MessageReceived, Say, lane_events, outbounds
from gateway.store import Tx, arrivals, dead, lanes, requests, sendings
from gateway.store.tables import InboxRow, OutboxRow

EVENT, MESSAGE = "in", "out"


@dataclass(frozen=True, slots=True)
class LetterId:
    """`in-12` is an event in the inbox, `out-34` a message in the outbox."""

    box: str
    number: int

    def __str__(self) -> str:
        return f"{self.box}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """`at`: when it came in or was queued. Holds nobody's words."""

    id: str
    at: datetime
    channel: str
    kind: str
    conversation: int | None
    tries: int
    why: str


def read_id(written: str) -> LetterId:
    """Raises `ValueError`."""
    found = re.fullmatch(r"(in|out)-([1-9][0-9]{0,17})", written.strip())
    if found is None:
        raise ValueError(f"{written!r} is no dead letter's id: write it as in-12 or out-34")
    return LetterId(found[1], int(found[2]))


async def letters(db: AsyncSession) -> list[DeadLetter]:
    """All there are, events first, each kind oldest first."""
    came_in = [_of_event(row, channel) for row, channel in await dead.events(db)]
    return came_in + [_of_message(row) for row in await dead.messages(db)]


async def show(db: AsyncSession, letter: LetterId) -> tuple[DeadLetter, str]:
    """One, and the words it holds. Raises `GiveUp` when it is not dead (any more)."""
    if letter.box == EVENT:
        row, channel = await _event(db, letter)
        return _of_event(row, channel), _words_of_event(row.payload)
    message = await _message(db, letter)
    return _of_message(message), _words_of_message(message.payload)


async def replay(tx: Tx, letter: LetterId, *, who: str, now: datetime, wanted: Consents | None = None) -> LetterId:
    """Take it up again; the id under which it goes on. Raises `GiveUp`, and then nothing has changed.

    `wanted`: who wants messages. Without it one is queued that its sending drops again.

    An event goes to the end of its lane as a new one, a message back to its place in the outbox. The sweep finds both.
    """
    if letter.box == EVENT:
        return await _replay_event(tx, letter, who, now)
    return await _replay_message(tx, letter, who, now, wanted)


async def drop(tx: Tx, letter: LetterId, *, who: str, now: datetime) -> None:
    """Let it rest for good. Raises `GiveUp` when it is not dead (any more)."""
    row: InboxRow | OutboxRow
    if letter.box == EVENT:
        row, _ = await _event(tx.db, letter)
        dropped = await dead.leave(tx, letter.number, "dropped")
    else:
        row = await _message(tx.db, letter)
        dropped = await dead.drop_message(tx, letter.number)
    if not dropped:
        raise _taken(letter)
    await _note(tx, "dead_dropped", letter, row, who, now)


async def _replay_event(tx: Tx, letter: LetterId, who: str, now: datetime) -> LetterId:
    row, _ = await _event(tx.db, letter)
    if row.control or row.conversation_id is None:
        raise GiveUp(f"{letter} is a {row.kind}: its session went on without it, so it can only be dropped")
    await lanes.lock(tx, row.conversation_id)
    if not await dead.leave(tx, row.id, "replayed"):
        raise _taken(letter)
    new = await arrivals.append(
        tx,
        row.conversation_id,
        kind=row.kind,
        event_key=f"replay:{row.id}:{_replays_of(row.event_key) + 1}",
        payload=row.payload,
        now=now,
        sent_at=row.sent_at or row.received_at,  # so that the answer says how late it is
    )
    assert new is not None  # it left `dead` just now, which happens once
    again = LetterId(EVENT, new)
    await _note(tx, "dead_replayed", letter, row, who, now, goes_on_as=str(again))
    return again


async def _replay_message(tx: Tx, letter: LetterId, who: str, now: datetime, wanted: Consents | None) -> LetterId:
    row = await _message(tx.db, letter)
    if wanted is not None and await wanted.are_out(tx.db, sent_to(row.payload)):
        raise GiveUp(f"{letter} goes to somebody who wants no messages from us: it can be dropped, or wait for START")
    if row.kind == "ask" and row.approval_id is not None and row.conversation_id is not None:
        await lanes.lock(tx, row.conversation_id)  # whoever settles the request takes this first
        approval = await requests.get(tx.db, row.approval_id)
        if approval is not None and approval.state != "pending":
            raise GiveUp(f"{letter} asks for a decision on a request that is {approval.state}: it can only be dropped")
    if not await dead.queue_again(tx, row.id):
        raise _taken(letter)
    await _note(tx, "dead_replayed", letter, row, who, now)
    return letter


async def _note(
    tx: Tx, what: str, letter: LetterId, row: InboxRow | OutboxRow, who: str, now: datetime, **facts: Any
) -> None:
    approval_id = row.approval_id if isinstance(row, OutboxRow) else None
    where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": approval_id}
    await audit.note(tx, what, now, **where, who=who, letter=str(letter), **facts)


def _replays_of(event_key: str) -> int:
    """How often it has been replayed already."""
    found = re.fullmatch(r"replay:[0-9]+:([0-9]+)", event_key)
    return int(found[1]) if found else 0


async def _event(db: AsyncSession, letter: LetterId) -> tuple[InboxRow, str]:
    found = await dead.event(db, letter.number)
    if found is None:
        raise GiveUp(f"there is no {letter}")
    if found[0].status != "dead":
        raise GiveUp(f"{letter} is no dead letter: it is {found[0].status}")
    return found


async def _message(db: AsyncSession, letter: LetterId) -> OutboxRow:
    row = await sendings.get(db, letter.number)
    if row is None:
        raise GiveUp(f"there is no {letter}")
    if row.status != "failed":
        raise GiveUp(f"{letter} is no dead letter: it is {row.status}")
    return row


def _taken(letter: LetterId) -> GiveUp:
    return GiveUp(f"{letter} is no dead letter any more: somebody was quicker")


def _of_event(row: InboxRow, channel: str) -> DeadLetter:
    return DeadLetter(
        id=str(LetterId(EVENT, row.id)),
        at=row.received_at,
        channel=channel,
        kind=row.kind,
        conversation=row.conversation_id,
        tries=row.attempts + 1,  # the try that gave it up is not counted in the row
        why=row.error or "",
    )


def _of_message(row: OutboxRow) -> DeadLetter:
    return DeadLetter(
        id=str(LetterId(MESSAGE, row.id)),
        at=row.created_at,
        channel=row.channel,
        kind="alert" if row.dedupe_key.startswith("alert:") else row.kind,
        conversation=row.conversation_id,
        tries=row.attempts,
        why=row.error or "",
    )


def _words_of_event(payload: str) -> str:
    try:
        event = lane_events.validate_json(payload)
    except ValueError:
        return f"(it cannot be read) {payload}"
    if not isinstance(event, MessageReceived):
        return payload
    attached = [f"[attached: {media.name or media.mime_type}]" for media in event.media]
    return "\n".join([event.text, *attached])


def _words_of_message(payload: str) -> str:
    try:
        message = outbounds.validate_json(payload)
    except ValueError:
        return f"(it cannot be read) {payload}"
    if isinstance(message, Say):
        return message.text
    if isinstance(message, AskSeen):
        return "a test message to a person"
    asked = message.approval
    return f"{asked.tool}: {asked.arguments}\nasked with: {asked.message}"
