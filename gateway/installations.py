"""Accounts in which a channel's app was installed by OAuth: their secrets sealed in the rows, read at each use.

Nothing is cached, so a removal holds at once in every process.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway import audit, codes
from gateway.doors import Installation
from gateway.errors import DatabaseAway, KeyRefused
from gateway.outbox import Outbox
from gateway.ports import Clock
from gateway.store import Store, Tx, installations
from gateway.store.store import DATABASE_AWAY
from gateway.store.upkeep import InstallationRow
from gateway.vault import Vault

log = logging.getLogger(__name__)

STATE_LIVES = timedelta(minutes=10)


class Installed:
    """What a channel reads of its installations."""

    def __init__(self, store: Store, keys: Sequence[str], channel: str) -> None:
        """`keys` as in SECRET_KEY, newest first."""
        self._store = store
        self._vault = Vault(keys)
        self._channel = channel

    async def secret(self, account: str) -> str | None:
        """See `gateway.ports.Installations`. What an older key had sealed is sealed anew."""
        row = await self._read(account)
        if row is None:
            return None
        whose = f"{self._channel}:{account}"
        secret = self._vault.open(row.sealed, whose)
        if secret is None:
            raise KeyRefused(
                f"no key of SECRET_KEY opens what is kept for {whose}: add the one before, or install the app again"
            )
        if self._vault.is_old(row.sealed):
            await self._seal_anew(row, secret, whose)
        return secret

    async def all(self) -> Sequence[Installation]:
        return await listed(self._store, self._channel)

    async def _read(self, account: str) -> InstallationRow | None:
        try:
            return await self._store.read(lambda db: installations.of(db, self._channel, account))
        except DATABASE_AWAY as error:
            raise DatabaseAway(f"the installations cannot be read ({type(error).__name__})") from error

    async def _seal_anew(self, row: InstallationRow, secret: str, whose: str) -> None:
        sealed = self._vault.seal(secret, whose)
        try:
            await self._store.write(lambda tx: installations.seal_anew(tx, row.id, row.sealed, sealed))
            log.info("what is kept for %s is sealed with the newest key now", whose)
        except DATABASE_AWAY:
            log.info("what is kept for %s is sealed anew at the next use", whose)


class Installing:
    """The door through which a channel keeps and removes them. See `gateway.doors.InstallationsDoor`."""

    def __init__(self, store: Store, outbox: Outbox, keys: Sequence[str], clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._keys = keys
        self._vault = Vault(keys)
        self._clock = clock

    async def keep(self, channel: str, account: str, secret: str, *, name: str) -> None:
        sealed = self._vault.seal(secret, f"{channel}:{account}")

        async def deed(tx: Tx) -> None:
            now = self._clock()
            await installations.put(tx, channel, account, name, sealed, now)
            await audit.note(tx, "installed", now, channel=channel, account=account)

        await self._store.write_patiently(deed)
        log.info("installed in %s:%s", channel, account)

    async def remove(self, channel: str, account: str, *, before: datetime) -> bool:
        async def deed(tx: Tx) -> bool:
            now = self._clock()
            if not await installations.remove(tx, channel, account, before, now):
                return False
            await audit.note(tx, "uninstalled", now, channel=channel, account=account)
            said = (
                f"the app was removed from {channel}:{account}. What waits to go there becomes a dead letter; "
                "when it is installed again, `gateway dead replay` sends it"
            )
            await self._outbox.alert(tx, f"uninstalled:{channel}:{account}", said)
            return True

        return await self._store.write_patiently(deed)

    async def new_state(self) -> str:
        until = self._clock() + STATE_LIVES
        return codes.state(self._keys[0], secrets.token_hex(16), int(until.timestamp()))

    async def use_state(self, state: str) -> bool:
        until, now = codes.state_until(state, self._keys), self._clock()
        if until is None or until < now.timestamp():
            return False
        digest = hashlib.sha256(state.encode()).hexdigest()
        good_until = datetime.fromtimestamp(until, UTC)
        return await self._store.write_patiently(lambda tx: installations.use_state(tx, digest, good_until, now))


async def listed(store: Store, channel: str) -> list[Installation]:
    """Those that are there now, by account."""
    rows = await store.read(lambda db: installations.all_of(db, channel))
    return [Installation(account=row.account, name=row.name, installed_at=row.installed_at) for row in rows]
