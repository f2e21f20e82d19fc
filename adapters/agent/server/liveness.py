"""Which servers live: on PostgreSQL each holds an advisory lock, on a connection of its own, for as long as it does."""

import asyncio
import secrets

from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""What says that the database cannot be reached, or not in time."""

LENIENT_S = 10.0  # after an outage the others need a moment to take their locks again
# A machine that vanished must not hold its lock for the two hours in which PostgreSQL would notice by itself.
LINE = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
    "lock_timeout": "1000",  # what is left of a connection that was cut may still hold our lock: later, then
}


class Liveness:
    """`server_id` names this server in the sessions whose turns it runs. Without an engine it is the only one."""

    def __init__(self, engine: AsyncEngine | None, lenient_s: float = LENIENT_S) -> None:
        self.server_id = secrets.randbelow(2**62)
        self._engine = engine
        self._lenient_s = lenient_s
        self._lenient_until = 0.0
        self._was_lost = False
        self._connection: AsyncConnection | None = None

    async def prove(self) -> None:
        """Take the lock that says that we live, or after a lost connection take it again. Raises one of `AWAY`."""
        if self._engine is None or await self._still_holds():
            return
        self._connection = await self._locked(self._engine)
        if self._was_lost:
            self._lenient_until = asyncio.get_running_loop().time() + self._lenient_s
            self._was_lost = False

    async def lives(self, server_id: int, db: AsyncConnection) -> bool:
        """Does that server hold its lock? True also right after an outage: then nobody has had the time to."""
        if server_id == self.server_id:
            return True
        if self._engine is None:
            return False
        if asyncio.get_running_loop().time() < self._lenient_until:
            return True
        free = await db.scalar(text("SELECT pg_try_advisory_xact_lock(:id)"), {"id": server_id})
        return not free

    async def close(self) -> None:
        await self._let_go()
        if self._engine is not None:
            await self._engine.dispose()

    async def _still_holds(self) -> bool:
        if self._connection is None:
            return False
        try:
            await self._connection.execute(text("SELECT 1"))
        except AWAY:
            self._was_lost = True
            await self._let_go()
            return False
        return True

    async def _locked(self, engine: AsyncEngine) -> AsyncConnection:
        connection = await engine.connect()
        try:
            for name, value in LINE.items():
                await connection.execute(
                    text("SELECT set_config(:name, :value, false)"), {"name": name, "value": value}
                )
            await connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": self.server_id})
        except BaseException:  # a cancellation too: without the lock, the connection says nothing
            await _end(connection)
            raise
        return connection

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await _end(connection)


async def _end(connection: AsyncConnection) -> None:
    await connection.invalidate()  # closed rather than kept: that releases the lock
    await connection.close()
