"""Listens where a channel fetches: each listener in one process at a time, under a lease, again after every fault.

It knows nothing of what is fetched: a listener hands that to the door itself.
"""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from gateway.errors import GatewayError, KeyRefused, TryLater
from gateway.outbox import Outbox
from gateway.ports import Clock, Door, Listener
from gateway.retry import pause
from gateway.store import Store, leases
from gateway.store.store import DATABASE_AWAY
from gateway.work.slots import end

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=5)
BEAT_S = 1.0  # between two renewals; and as often a process looks whether the lease of another has run out
RENEWAL_S = 2.0  # one that takes longer has failed
STEADY = timedelta(seconds=10)  # a listener that lasted so long was listening: the count of faults begins anew
LONGEST = timedelta(seconds=30)  # between two tries: meanwhile nothing comes in
ALARMING = 5  # faults in a row, some ten seconds: shorter ones are how networks are


class Listeners:
    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        door: Door,
        listeners: Sequence[Listener],
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._door = door
        self._listeners = listeners
        self._clock = clock
        self._sleep = sleep
        self._holder = uuid.uuid4().hex

    async def run(self) -> None:
        """Until it is cancelled; then every listener has ended, and others may begin at once."""
        async with asyncio.TaskGroup() as group:
            for listener in self._listeners:
                group.create_task(self._stand_by(listener), name=f"stand by for {listener.name}")

    # --- whose turn it is ----------------------------------------------------------------------------------

    async def _stand_by(self, listener: Listener) -> None:
        while True:
            if (until := await self._held(listener)) is not None:
                log.info("%s: this process listens", listener.name)
                await self._while_held(listener, until)
            await self._sleep(BEAT_S)

    async def _while_held(self, listener: Listener, until: datetime) -> None:
        listening = asyncio.create_task(self._listen(listener), name=f"listen to {listener.name}")
        try:
            while self._clock() < until and not listening.done():
                await self._sleep(BEAT_S)
                until = await self._held(listener, until) or self._clock()
            log.warning("%s: this process listens no more: the lease is another's, or nobody can say", listener.name)
        finally:
            await end([listening])
            with contextlib.suppress(*DATABASE_AWAY):  # then it runs out by itself
                await asyncio.shield(self._let_go(listener))

    async def _held(self, listener: Listener, until: datetime | None = None) -> datetime | None:
        """Up to when it is ours now. None: it is another's. `until` is what we know: it holds while nobody can tell."""
        now = self._clock()
        try:
            async with asyncio.timeout(RENEWAL_S):
                name = _lease(listener)
                taken = await self._store.write(lambda tx: leases.take(tx, name, self._holder, now, now + LEASE))
        except (*DATABASE_AWAY, TimeoutError) as error:
            log.warning("%s: the lease was not renewed (%s)", listener.name, type(error).__name__)
            return until
        return now + LEASE if taken is not None else None

    async def _let_go(self, listener: Listener) -> None:
        await self._store.write(lambda tx: leases.drop(tx, _lease(listener), self._holder, self._clock()))

    # --- the listening itself ------------------------------------------------------------------------------

    async def _listen(self, listener: Listener) -> None:
        faults = 0
        while True:
            began, error = self._clock(), await self._ended(listener)
            lasted = self._clock() - began >= STEADY
            if lasted and error is None:
                continue
            faults = 0 if lasted else faults
            if error is not None:
                log.warning("%s: listening stopped: %s", listener.name, _said(error))
                away = isinstance(error, TryLater) and not isinstance(error, KeyRefused)
                if not away or faults + 1 >= ALARMING:
                    await self._alert(listener, error)
            asked_for = timedelta(seconds=getattr(error, "retry_after", None) or 0)
            await self._sleep(max(min(pause(faults), LONGEST), asked_for).total_seconds())
            faults += 1

    async def _ended(self, listener: Listener) -> Exception | None:
        """Why it ended. None: it asks to be run again."""
        try:
            await listener.run(self._door)
        except TryLater as error:
            return error
        except Exception as error:
            # Whatever it is: a listener that is gone for good would be a channel that hears nothing.
            log.exception("%s: listening stopped", listener.name)
            return error
        return None

    async def _alert(self, listener: Listener, error: Exception) -> None:
        said = f"nothing comes in on {listener.name}: {_said(error)}; it is tried again"
        try:
            await self._store.write(lambda tx: self._outbox.alert(tx, f"listening:{listener.name}", said))
        except Exception:
            # Whatever keeps operations from hearing of it must not keep the channel from hearing.
            log.exception("%s: operations could not be told", listener.name)


def _lease(listener: Listener) -> str:
    return f"listen:{listener.name}"


def _said(error: Exception) -> str:
    """Errors of ours are sentences; the words of others may quote what was received."""
    return str(error) if isinstance(error, GatewayError) else f"a fault in it ({type(error).__name__})"
