"""Five wrong codes from an address within 15 minutes: no code from there decides for the next 15. Compares no codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import audit, sentences
from gateway.events import Identity
from gateway.outbox import Outbox
from gateway.policy import Policy
from gateway.ports import Clock
from gateway.store import Tx, misses
from gateway.store.sql import in_turn

MOST = 5
WITHIN = timedelta(minutes=15)
LASTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class CodeLock:
    outbox: Outbox
    policy: Policy
    clock: Clock

    async def is_on(self, tx: Tx, who: Identity) -> bool:
        """Until the transaction is over nobody else asks this of the address: a code compared after it was counted."""
        address = f"{who.channel}:{who.address}"
        await in_turn(tx.db, f"codes of {address}")
        return locked_until(await misses.latest(tx.db, address, MOST), self.clock()) is not None

    async def missed(self, tx: Tx, who: Identity) -> datetime | None:
        """One more wrong code. Until when it locks, if it is the one that does: then operations hear of it."""
        address, now = f"{who.channel}:{who.address}", self.clock()
        await misses.add(tx, address, now)
        until = locked_until(await misses.latest(tx.db, address, MOST), now)
        if until is not None:
            await audit.note(tx, "codes locked", now, who=audit.pseudonym(who), via=who.channel)
            name = self.policy.person(who) or audit.pseudonym(who)
            said = f"{MOST} wrong codes on {who.channel} from {name}: no code from there decides before"
            await self.outbox.alert(tx, f"code-lock:{name}", f"{said} {sentences.end(until)}")
        return until


def locked_until(latest: Sequence[datetime], now: datetime) -> datetime | None:
    """`latest`: when the last wrong codes were, the newest first. While it is locked none is added, so the newest of
    enough of them is the one that locked it. None: it is not locked.
    """
    if len(latest) < MOST or latest[0] - latest[MOST - 1] >= WITHIN:
        return None
    until = latest[0] + LASTS
    return until if now < until else None
