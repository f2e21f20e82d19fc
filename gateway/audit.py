"""The audit: what happened, in order, never changed. Digests and pseudonyms, no words of people."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from gateway.events import Identity, Receipt
from gateway.policy import folded
from gateway.store import Tx, arrivals, turns
from gateway.store.sql import insert_new
from gateway.store.tables import ApprovalRow, AuditRow, OutboxRow


def pseudonym(who: Identity) -> str:
    """The same person reads the same, without the address."""
    return _pseudonym(who.channel, who.account, who.address)


async def note(
    tx: Tx,
    what: str,
    at: datetime,
    *,
    conversation_id: int | None = None,
    approval_id: str | None = None,
    who: str = "",
    **facts: Any,
) -> None:
    """Add one row, in the transaction of what it tells."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    where = {"conversation_id": conversation_id, "approval_id": approval_id}
    await insert_new(tx.db, AuditRow, at=at, what=what, who=who, facts=text, **where)


async def cause(tx: Tx, turn_id: int) -> dict[str, Any]:
    """What made the agent ask: the event of the turn, and the digest of all that was kept of it."""
    turn = await turns.get(tx.db, turn_id)
    event = await arrivals.event(tx.db, turn.inbox_id)
    return {"event": f"in-{event.id}", "event_digest": digest(event.payload)}


async def shown(tx: Tx, row: OutboxRow, receipt: Receipt, at: datetime) -> None:
    """The carrier took a request: `to` is the place or the person it went to."""
    to = json.loads(row.payload)["to"]
    where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.approval_id}
    facts: dict[str, Any] = {"message": f"out-{row.id}", "channel": row.channel, "receipt": receipt.provider_id}
    await note(tx, "shown", at, **where, **facts, to=_pseudonym(to["channel"], to["account"], to["key"]))


async def reported(tx: Tx, row: OutboxRow, what: Literal["delivered", "undelivered"], at: datetime) -> None:
    """What became of a message about a request. Of other messages nothing is noted."""
    if row.approval_id is not None:
        where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.approval_id}
        facts: dict[str, Any] = {"message": f"out-{row.id}", "kind": row.kind, "channel": row.channel}
        await note(tx, what, at, **where, **facts, receipt=row.provider_id)


async def finished(tx: Tx, rows: Sequence[ApprovalRow], at: datetime, *, reply: str | None) -> None:
    """The turn these requests were part of has ended: with this reply, or None: it failed. Its digest alone is kept."""
    facts: dict[str, Any] = {"state": "failed"} if reply is None else {"state": "done", "reply_digest": digest(reply)}
    for row in rows:
        where: dict[str, Any] = {"conversation_id": row.conversation_id, "approval_id": row.id}
        await note(tx, "finished", at, **where, turn=row.turn_id, **facts)


def _pseudonym(channel: str, account: str, address: str) -> str:
    return f"{channel}:{digest(f'{channel}:{account}:{folded(channel, address)}')[:16]}"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
