"""The fate of a conversation: every event, turn, request and message of it, by time. Nobody's words."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.store import fate
from gateway.store.fate import Outline
from gateway.store.tables import ApprovalRow, InboxRow, OutboxRow, TurnRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """`state`: ready, parked, paused, human or closed. `waiting` counts messages, `dead` what was set aside."""

    id: int
    channel: str
    account: str
    thread: str
    agent: str
    session: str | None
    state: str
    waiting: int
    dead: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """An event of the inbox."""

    what: Literal["event"] = "event"
    at: datetime
    id: str
    seq: int
    kind: str
    status: str
    tries: int
    next_try: datetime | None
    handled: datetime | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A turn. `event` is what it answers."""

    what: Literal["turn"] = "turn"
    at: datetime
    id: int
    event: str
    state: str
    session: str
    tries: int
    ended: datetime | None
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request for approval. `applied`: the agent took the answer."""

    what: Literal["approval"] = "approval"
    at: datetime
    id: str
    turn: int
    tool: str
    state: str
    by: str
    decided: datetime | None
    applied: bool
    expires: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """A message of the outbox. `receipt` is the carrier's id."""

    what: Literal["message"] = "message"
    at: datetime
    id: str
    kind: str
    channel: str
    status: str
    receipt: str
    tries: int
    next_try: datetime | None
    sent: datetime | None
    why: str


Step = Came | Ran | Asked | Went
TRIED = ("done", "interrupted", "dead", "replayed", "dropped")  # the last try is not counted in the row
ORDER = {"event": 0, "turn": 1, "approval": 2, "message": 3}  # of what has the same time


async def conversations(db: AsyncSession, *, limit: int) -> list[Conversation]:
    """Those with the newest turns first."""
    return [_conversation(one) for one in await fate.outlines(db, limit=limit)]


async def of(db: AsyncSession, conversation_id: int) -> tuple[Conversation, list[Step]] | None:
    """A conversation and all that happened in it, by time. None: there is none."""
    outline = await fate.outline(db, conversation_id)
    if outline is None:
        return None
    steps: list[Step] = [_came(row) for row in await fate.events(db, conversation_id)]
    steps += [_ran(row) for row in await fate.turns(db, conversation_id)]
    steps += [_asked(row) for row in await fate.approvals(db, conversation_id)]
    steps += [_went(row) for row in await fate.messages(db, conversation_id)]
    return _conversation(outline), sorted(steps, key=lambda step: (step.at, ORDER[step.what]))


def _conversation(outline: Outline) -> Conversation:
    row = outline.row
    return Conversation(
        id=row.id,
        channel=row.channel,
        account=row.account,
        thread=row.thread_key,
        agent=row.agent,
        session=row.session_id,
        state=_state(outline),
        waiting=outline.waiting,
        dead=outline.dead,
        last_at=row.last_message_at,
    )


def _state(outline: Outline) -> str:
    if outline.row.mode != "bot":
        return outline.row.mode
    if outline.pause_id is not None:
        return "paused"
    return "ready" if outline.row.parked_turn_id is None else "parked"


def _came(row: InboxRow) -> Came:
    waits = row.status == "new"
    return Came(
        at=row.received_at,
        id=f"in-{row.id}",
        seq=row.seq,
        kind=row.kind,
        status=row.status,
        tries=row.attempts + (row.status in TRIED),
        next_try=row.not_before if waits else None,
        handled=row.handled_at,
        why=row.error or "",
    )


def _ran(row: TurnRow) -> Ran:
    return Ran(
        at=row.started_at,
        id=row.id,
        event=f"in-{row.inbox_id}",
        state=row.state,
        session=row.session_id,
        tries=row.tries,
        ended=row.ended_at,
        why=row.error or "",
    )


def _asked(row: ApprovalRow) -> Asked:
    return Asked(
        at=row.created_at,
        id=row.id,
        turn=row.turn_id,
        tool=row.tool,
        state=row.state,
        by=row.decided_by or "",
        decided=row.decided_at,
        applied=row.applied,
        expires=row.expires_at,
        why=row.trouble,
    )


def _went(row: OutboxRow) -> Went:
    open_still = row.status in ("queued", "unknown")
    return Went(
        at=row.created_at,
        id=f"out-{row.id}",
        kind=row.kind,
        channel=row.channel,
        status=row.status,
        receipt=row.provider_id or "",
        tries=row.attempts,
        next_try=row.not_before if open_still else None,
        sent=row.sent_at,
        why=row.error or "",
    )
