"""A test message to each person on each channel of theirs, answered as requests are decided there; decides nothing."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import audit
from gateway.codes import DIGITS
from gateway.doors import Seen
from gateway.events import AskSeen, Identity
from gateway.outbox import Outbox
from gateway.policy import Policy, place
from gateway.policy.words import as_written
from gateway.ports import Clock
from gateway.store import Store, Tx, checks

LONGEST_ID = 18  # digits: no row's number is longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """`answered_at` is None for who has not answered."""

    who: str
    address: str
    answered_at: datetime | None


class Reaching:
    def __init__(self, store: Store, outbox: Outbox, policy: Policy, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._policy = policy
        self._clock = clock

    async def send(self, channels: Collection[str], wait: timedelta, *, by: str) -> list[int]:
        """Queue one for each address on these channels; what runs sends them. Their ids."""
        return await self._store.write(lambda tx: self._send(tx, channels, wait, by))

    async def reached(self, ids: Sequence[int]) -> list[Reached]:
        found = await self._store.read(lambda db: checks.of(db, ids))
        return [Reached(who=one.person, address=as_written(one.address), answered_at=one.answered_at) for one in found]

    async def seen(self, check: str, who: Identity) -> Seen:
        """Somebody pressed the button of a test message. Only the person it was for answers it. Twice is once."""
        return await self._store.write_patiently(lambda tx: self._seen(tx, check, who))

    async def _seen(self, tx: Tx, check: str, who: Identity) -> Seen:
        known = check.isascii() and check.isdigit() and len(check) < LONGEST_ID
        found, now = await checks.of(tx.db, [int(check)] if known else []), self._clock()
        theirs = [one for one in found if one.address == f"{who.channel}:{who.address}"]
        if not theirs or theirs[0].person != self._policy.person(who):
            return "not_yours"
        if theirs[0].until <= now:
            return "over"
        await checks.answered(tx, theirs[0].id, now)
        return "seen"

    async def _send(self, tx: Tx, channels: Collection[str], wait: timedelta, by: str) -> list[int]:
        found, now = [], self._clock()
        for name, person in sorted(self._policy.people.items()):
            for channel, address in person.addresses():
                if channel not in channels:
                    continue
                to, code = place(f"{channel}:{address}"), f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
                kept = {"person": name, "address": f"{channel}:{to.key}", "code": code}
                one = await checks.add(tx, **kept, sent_at=now, until=now + wait)
                await self._outbox.add(tx, AskSeen(to=to, check_id=one, code=code), key=f"check:{one}")
                found.append(one)
        await audit.note(tx, "people checked", now, who=by, messages=len(found))
        return found
