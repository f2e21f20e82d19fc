"""The engine for PostgreSQL: Procrastinate's jobs wake lanes, in any number of processes.

A job is deferred on the transaction's own connection, so that the event and its wake-up commit together.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import procrastinate
from procrastinate import RetryStrategy
from sqlalchemy.engine import URL

from gateway.ports import Work
from gateway.store import Tx
from gateway.work.slots import Slots

log = logging.getLogger(__name__)

SWEEP_S = 1.0
GRACE_S = 8.0
POLL_S = 0.2  # Procrastinate does not notify when a lock is released
RETRY = RetryStrategy(max_attempts=8, wait=1)  # a job cut off by a stop goes back to the queue


class PostgresEngine:
    """`open` before the first wake; `run` in a worker only."""

    def __init__(self, url: URL, *, turn_slots: int = 50, send_slots: int = 50) -> None:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, configure=_configure))
        self._turn_slots = turn_slots
        self._send_slots = send_slots
        self._work: Work | None = None
        self._sends: Slots[str] | None = None
        self._drain = self._app.task(name="drain", queue="turns", retry=RETRY)(self._run_drain)
        self._deliver = self._app.task(name="deliver", queue="sends", retry=RETRY)(self._run_deliver)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self._app.open_async():
            yield

    async def wake(self, tx: Tx, conversation_id: int) -> None:
        job = self._drain.configure(lock=f"conversation:{conversation_id}", connection=await _driver_connection(tx))
        await job.defer_async(conversation_id=conversation_id)

    async def wake_lane(self, tx: Tx, lane: str) -> None:
        # An owner delivers right after its own commit, without a job; the sweep finds what that leaves over.
        if self._sends is not None:
            sends = self._sends
            tx.after_commit(lambda: sends.poke(lane))
            return
        job = self._deliver.configure(lock=f"out:{lane}", connection=await _driver_connection(tx))
        await job.defer_async(lane=lane)

    async def run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        self._work, self._sends = work, Slots(work.deliver, self._send_slots)
        stopping = asyncio.ensure_future(stop())
        workers = [self._worker("turns", self._turn_slots), self._worker("sends", self._send_slots)]
        try:
            while not stopping.done():
                await self._sweep(work)
                await asyncio.wait([stopping, *workers], timeout=SWEEP_S, return_when=asyncio.FIRST_COMPLETED)
                for worker in workers:
                    if worker.done() and not stopping.done():
                        worker.result()
        finally:
            stopping.cancel()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await self._sends.close(GRACE_S)
            self._work = self._sends = None

    def _worker(self, queue: str, slots: int) -> "asyncio.Task[None]":
        return asyncio.create_task(
            self._app.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=slots,
                fetch_job_polling_interval=POLL_S,
                install_signal_handlers=False,
                shutdown_graceful_timeout=GRACE_S,
                update_heartbeat_interval=1,
                stalled_worker_timeout=3,
                delete_jobs="successful",
            )
        )

    async def _sweep(self, work: Work) -> None:
        try:
            for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=3):
                await self._app.job_manager.retry_job(job)
            await work.sweep()
        except Exception:
            # The database may be away for a moment; the next second tries again.
            log.exception("the sweep stopped")

    async def _run_drain(self, conversation_id: int) -> None:
        assert self._work is not None
        await self._work.drain(conversation_id)

    async def _run_deliver(self, lane: str) -> None:
        assert self._work is not None
        await self._work.deliver(lane)


async def _configure(connection: Any) -> None:
    # A plan cached while the job table is empty turns the fetch into sequential scans.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    await connection.commit()


async def _driver_connection(tx: Tx) -> Any:
    raw = await (await tx.db.connection()).get_raw_connection()
    return raw.driver_connection
