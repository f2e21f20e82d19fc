"""Evidence for people outside: one request from the first word to the last receipt, and all decisions of a time.

Holds what people wrote and who they are, unlike the audit. Never codes or tokens, and no other message's words.
"""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from gateway import notes, transcript
from gateway.events import MessageReceived
from gateway.store import Store, cases
from gateway.store.cases import CaseRows, Row, Trace
from gateway.store.tables import InboxRow
from gateway.verifying import START, follows, text_of

PAGE = 500
WRITTEN_AS_JSON = ("arguments", "view", "terms", "input_schema", "before", "after", "facts")
DECISION = (
    *("id", "tool", "state", "created_at", "decided_at", "decided_by", "decided_via", "reason", "digest"),
    *("policy_version", "conversation_id", "applied", "trouble"),
)


async def case(store: Store, approval_id: str, now: datetime) -> dict[str, Any] | None:
    """All there is of one request, in the order of what happened. None: there is no such request."""
    found = await store.read(lambda db: cases.rows(db, approval_id))
    if found is None:
        return None
    beside = await store.read(lambda db: notes.rows_on(db, approval_id, found.conversation["id"]))
    told = _told(found) | {"notes": [_note(row, event) for row, event in beside]}
    return {"case": approval_id, "exported_at": now, **told}


async def decisions(store: Store, since: datetime, until: datetime, tool: str | None) -> AsyncIterator[Row]:
    """What was settled in this time, also what nobody decided, by when it was; with the votes on it."""

    async def page_after(last: Row | None) -> list[Row]:
        return await store.survey(lambda db: cases.settled(db, since, until, tool=tool, after=last, limit=PAGE))

    page = await page_after(None)
    while page:
        ids = [row["id"] for row in page]
        votes = await store.survey(lambda db, ids=ids: cases.votes_on(db, ids))  # type: ignore[misc]
        for row in page:
            cast = [f"{one['person']} {one['verdict']}" for one in votes if one["approval_id"] == row["id"]]
            yield {name: row[name] for name in DECISION} | {"votes": "; ".join(cast)}
        page = await page_after(page[-1])


def _told(found: CaseRows) -> dict[str, Any]:
    trail = [_traced(trace) for trace in found.trail]
    return {
        "conversation": _some(found.conversation, "id", "channel", "account", "thread_key", "agent"),
        "event": _some(found.event, "id", "kind", "event_key", "sent_at", "received_at"),
        "request": _read(found.approval),
        "shown": [_message(row) for row in found.messages if row["kind"] == "ask"],
        "opened": [_read(row) for row in found.openings],
        "edits": [_read(row) for row in found.edits],
        "votes": [_read(row) for row in found.votes],
        "turn": _some(found.turn, "id", "session_id", "state", "reply_message_id", "error", "started_at", "ended_at"),
        "told": [_message(row) for row in found.messages if row["kind"] != "ask"],
        "audit": trail,
        "audit_holds": all(row["seal"] not in ("broken", "damaged") for row in trail),
    }


def _note(row: InboxRow, event: MessageReceived) -> Row:
    who = event.sender
    by = {"channel": who.channel, "account": who.account, "address": who.address}
    return {"id": row.id, "at": row.received_at, **by, "text": transcript.words_of(event)}


def _traced(trace: Trace) -> Row:
    return {**_read(trace.row), "n": trace.n, "hash": trace.hash, "seal": _standing(trace)}


def _standing(trace: Trace) -> str:
    """Does the row fit its own link? Whether the whole chain holds is for `verify` to say. `damaged`: nobody can read
    it any more.
    """
    if not trace.readable:
        return "damaged"
    if trace.n is None:
        return "not sealed yet"
    before = START if trace.n == 1 else trace.before
    return "holds" if before is not None and follows(before, text_of(trace.row)) == trace.hash else "broken"


def _message(row: Row) -> Row:
    """Where it went and what became of it; its words are in the request."""
    to = _parsed(row["payload"])
    place = to.get("to", {}) if isinstance(to, dict) else {}
    facts = ("id", "kind", "channel", "status", "provider_id", "attempts", "error", "created_at", "sent_at")
    return {"to": place.get("key", ""), **_some(row, *facts)}


def _some(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names}


def _read(row: Row) -> Row:
    return {name: _parsed(value) if name in WRITTEN_AS_JSON else value for name, value in row.items()}


def _parsed(value: Any) -> Any:
    """A number is kept as it was written where it can be; what cannot be read is shown as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
