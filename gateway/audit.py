"""The audit: what happened, in order, never changed. Digests and pseudonyms, no words of people."""

import hashlib
import json
from datetime import datetime
from typing import Any

from gateway.events import Identity
from gateway.store import Tx
from gateway.store.sql import insert_new
from gateway.store.tables import AuditRow


def pseudonym(who: Identity) -> str:
    """The same person reads the same, without the address."""
    digest = hashlib.sha256(f"{who.channel}:{who.account}:{who.address}".encode()).hexdigest()
    return f"{who.channel}:{digest[:16]}"


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
