"""A row of the outbox as the message that goes out: with its ref, its code, and the receipt of what it changes."""

from dataclasses import replace

from gateway import codes
from gateway.approvals.views import hidden_too
from gateway.events import AskApproval, Outbound, Receipt, Remind, Say, ShowOutcome, outbounds
from gateway.policy import Policy
from gateway.store import Store, sendings
from gateway.store.tables import OutboxRow


async def message(store: Store, row: OutboxRow, policy: Policy, key: str) -> Outbound | None:
    """None: it would change what was never shown. `key` makes the codes. Raises `ValueError`: nobody can read it."""
    built = outbounds.validate_json(row.payload)
    ref = f"gh-{row.id}-{row.created_at:%Y%m%d%H%M%S}"
    built = replace(built, ref=ref, queued_at=min(row.created_at, row.about_at or row.created_at))
    if isinstance(built, AskApproval | Remind | ShowOutcome):
        built = replace(built, approval=hidden_too(built.approval, policy))
    if isinstance(built, AskApproval | Remind) and built.code_n:
        code = codes.code(key, built.approval.id, built.code_for, built.code_n)
        built = replace(built, code=code)
    if not isinstance(built, ShowOutcome | Remind):
        return built
    shown = await store.read(lambda db: sendings.get(db, row.changes_id or 0))
    receipt = None if shown is None or shown.provider_id is None else Receipt(provider_id=shown.provider_id)
    # A reminder of what never went out stands for it; there is nothing that an outcome could change.
    return None if receipt is None and isinstance(built, ShowOutcome) else replace(built, receipt=receipt)


def marked(row: OutboxRow, sentence: str) -> str | None:
    """The payload of the same reply, saying how late it is: once and for all, so that a look-up finds these words.

    None for what is no reply, or cannot be read: the try itself says so.
    """
    try:
        message = outbounds.validate_json(row.payload)
    except ValueError:
        return None
    if row.about_at is None or not isinstance(message, Say):
        return None
    said = sentence.format(when=f"{row.about_at:%d %b %H:%M} UTC")
    return outbounds.dump_json(replace(message, text=f"{said}\n\n{message.text}")).decode()
