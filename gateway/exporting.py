"""What a person may ask for: all that is kept of a conversation, in words, and what the agent platform has of it.

Reads alone. Holds what people wrote and who they are; no codes, no tokens, and no colleague's address.
"""

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import (
    ApprovalAsked,
    HistoryEntry,
    MessageReceived,
    Replied,
    Say,
    TurnFailed,
    UserPosted,
    lane_events,
    outbounds,
)
from gateway.notes import NOTE
from gateway.store import Store, erasing, exporting
from gateway.store.consents import beside
from gateway.store.erasing import CARDS, NOTHING
from gateway.store.exporting import Rows
from gateway.store.tables import ApprovalRow, InboxRow, OutboxRow, TurnRow
from gateway.transcript import words_of

GONE = "(not kept any more)"
UNREADABLE = "(it cannot be read)"
COLLEAGUES = "colleagues"

Told = dict[str, Any]


class Remembers(Protocol):
    """What is asked of a line to the agent platform."""

    async def history(self) -> Sequence[HistoryEntry]: ...


Attach = Callable[[str], AbstractAsyncContextManager[Remembers]]
"""`AgentPlatform.attach`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What the agent platform has of a session. `gone`: it knows it no more; `not reached`: `why`."""

    id: str
    state: Literal["read", "gone", "not reached"]
    why: str = ""
    history: tuple[Told, ...] = ()


async def conversation(store: Store, conversation_id: int) -> Told | None:
    """All that our rows have of it, by time. None: there is no such conversation."""
    rows = await store.survey(lambda db: exporting.rows(db, conversation_id))
    return None if rows is None else _told(rows)


async def elsewhere(store: Store, inbox_ids: Sequence[int], outbox_ids: Sequence[int]) -> list[Told]:
    """What somebody wrote in no conversation, and what answered it."""
    came = await store.survey(lambda db: exporting.came(db, inbox_ids))
    went = await store.survey(lambda db: exporting.went(db, outbox_ids))
    return _by_time([*map(_came, came), *map(_went, went)])


async def wanted(store: Store, addresses: Collection[tuple[str, str]]) -> list[Told]:
    """What these, each of a channel, last said of being written to."""
    rows = [row for one in sorted(set(addresses)) for row in await store.read(lambda db, one=one: beside(db, *one))]  # type: ignore[misc]
    return [
        {"at": row.at, "address": row.address, "account": row.account, "state": row.state, "source": row.source}
        for row in rows
    ]


async def sessions(attach: Attach, session_ids: Sequence[str]) -> list[Session]:
    """What the agent platform has. One that does not answer once is not asked for the rest."""
    found, away = [], ""
    for session_id in session_ids:
        try:
            read = (
                await _read(attach, session_id) if not away else Session(id=session_id, state="not reached", why=away)
            )
        except AgentUnavailable as error:
            away = str(error)
            read = Session(id=session_id, state="not reached", why=away)
        found.append(read)
    return found


async def _read(attach: Attach, session_id: str) -> Session:
    """Raises `AgentUnavailable`."""
    try:
        async with attach(session_id) as line:
            entries = await line.history()
    except SessionGone as gone:
        return Session(id=session_id, state="gone", why=str(gone))
    except AgentRefused as error:
        return Session(id=session_id, state="not reached", why=str(error))
    return Session(id=session_id, state="read", history=tuple(map(_entry, entries)))


def _entry(entry: HistoryEntry) -> Told:
    match entry:
        case UserPosted(is_file=True):
            return {"id": entry.message_id, "by": "customer", "text": "(a file)"}
        case UserPosted():
            return {"id": entry.message_id, "by": "customer", "text": entry.text}
        case Replied():
            return {"id": entry.message_id, "by": "agent", "text": entry.text}
        case ApprovalAsked():
            asked = {"tool": entry.tool_name, "arguments": entry.arguments, "open": entry.open}
            return {"id": entry.message_id, "by": "agent", "text": f"asked to run {entry.tool_name}", **asked}
        case TurnFailed():
            return {"id": entry.message_id, "by": "platform", "text": f"failed: {entry.error}"}


# --- our rows ------------------------------------------------------------------------------------------------


def _told(rows: Rows) -> Told:
    row = rows.conversation
    about = {"channel": row.channel, "account": row.account, "thread": row.thread_key, "agent": row.agent}
    messages = [one for one in rows.came if one.kind in erasing.WRITTEN]
    said = [one for one in rows.went if one.kind not in CARDS]
    return {
        "id": row.id,
        **about,
        "state": row.mode,
        "began": row.created_at,
        "last": row.last_message_at,
        "messages": _by_time([*map(_came, messages), *(_went(one, row.thread_key) for one in said)]),
        "approvals": [_asked(one, rows) for one in rows.approvals],
        "turns": [_turn(one) for one in rows.turns],
        "sessions": rows.sessions,
    }


def _came(row: InboxRow) -> Told:
    event = _received(row.payload)
    who = event.sender if event else None
    return {
        "id": f"in-{row.id}",
        "at": row.received_at,
        "direction": "in",
        "by": who.address if who else "",
        "name": who.name if who else "",
        "proof": who.proof.value if who else "",
        "text": event.text if event else _lost(row.payload),
        "attachments": [one.name or one.mime_type for one in event.media] if event else [],
        "sent": row.sent_at,
        "status": row.status,
    }


def _went(row: OutboxRow, thread_key: str = "") -> Told:
    """`thread_key`: of a conversation, whose messages to anybody else went to colleagues."""
    message = _said(row.payload)
    to = message.to.key if message else ""
    return {
        "id": f"out-{row.id}",
        "at": row.created_at,
        "direction": "out",
        "to": COLLEAGUES if to and thread_key and to != thread_key else to,
        "text": message.whole or message.text if message else _lost(row.payload),
        **({"sent_as": message.text} if message and message.whole else {}),
        **({"note": message.note} if message and message.note else {}),
        "sent": row.sent_at,
        "status": row.status,
        "carrier_id": row.provider_id or "",
        "why": row.error or "",
    }


def _asked(row: ApprovalRow, rows: Rows) -> Told:
    view = _parsed(row.view)
    return {
        "id": row.id,
        "tool": row.tool,
        "arguments": _parsed(row.arguments),
        "led_to_by": view.get("message", "") if isinstance(view, dict) else "",
        "asked": row.created_at,
        "expires": row.expires_at,
        "state": row.state,
        "decided_by": row.decided_by or "",
        "decided_on": row.decided_via or "",
        "decided": row.decided_at,
        "reason": row.reason,
        "applied": row.applied,
        "trouble": row.trouble,
        "shown": [_shown(one) for one in rows.went if one.approval_id == row.id and one.kind in CARDS],
        "edits": [
            {"at": one.at, "by": one.person, "on": one.via, "before": _parsed(one.before), "after": _parsed(one.after)}
            for one in rows.edits
            if one.approval_id == row.id
        ],
        "votes": [
            {"at": one.at, "by": one.person, "on": one.via, "verdict": one.verdict, "reason": one.reason}
            for one in rows.votes
            if one.approval_id == row.id
        ],
        "notes": _notes(row, rows),
    }


def _notes(row: ApprovalRow, rows: Rows) -> list[Told]:
    """What colleagues wrote beside its cards."""
    cards = {one.provider_id for one in rows.went if one.approval_id == row.id and one.kind == "ask"}
    written = [(one, _received(one.payload)) for one in rows.came if one.kind == NOTE]
    return [
        {"at": one.received_at, "by": COLLEAGUES, "text": words_of(event)}
        for one, event in written
        if event is not None and event.thread.key in cards
    ]


def _shown(row: OutboxRow) -> Told:
    return {"at": row.created_at, "what": row.kind, "channel": row.channel, "sent": row.sent_at, "status": row.status}


def _turn(row: TurnRow) -> Told:
    return {
        "id": row.id,
        "for": f"in-{row.inbox_id}",
        "session": row.session_id,
        "posted": row.posted_text or GONE,
        "state": row.state,
        "began": row.started_at,
        "ended": row.ended_at,
        "tokens": row.tokens,
    }


def _by_time(messages: list[Told]) -> list[Told]:
    return sorted(messages, key=_time)


def _time(message: Told) -> tuple[datetime, bool]:
    return message["at"], message["direction"] == "out"


def _received(payload: str) -> MessageReceived | None:
    try:
        event = lane_events.validate_json(payload)
    except ValueError:
        return None
    return event if isinstance(event, MessageReceived) else None


def _said(payload: str) -> Say | None:
    try:
        message = outbounds.validate_json(payload)
    except ValueError:
        return None
    return message if isinstance(message, Say) else None


def _lost(payload: str) -> str:
    return GONE if payload == NOTHING else UNREADABLE


def _parsed(value: str | None) -> Any:
    """What cannot be read is given as it is."""
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return value
