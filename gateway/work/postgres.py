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
from procrastinate.exceptions import ConnectorException, ProcrastinateException
from procrastinate.jobs import Job
from sqlalchemy import text
from sqlalchemy.engine import URL

from gateway.errors import TryLater
from gateway.ports import Work
from gateway.store import Tx
from gateway.work.slots import Slots

log = logging.getLogger(__name__)

SWEEP_S = 1.0
GRACE_S = 8.0
LANES, SENDS = 100, 50  # at once; a waiting lane keeps its job, so not many more than there are slots for turns
STALLED_AFTER_S = 3  # the heartbeat is each second: its jobs go to another worker
PRUNED_AFTER_S = 30  # a worker row this silent is removed; well above the former, for its owner may only be slow
POLL_S = 0.2  # Procrastinate does not notify when a lock is released
RETRY = RetryStrategy(max_attempts=8, wait=1)  # a job cut off by a stop goes back to the queue


class PostgresEngine:
    """`open` before the first wake; `run` in a worker only."""

    def __init__(self, url: URL, *, lanes: int = LANES, sends: int = SENDS) -> None:
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, configure=_configure))
        self._queues = {"turns": lanes, "sends": sends}
        self._work: Work | None = None
        self._sends: Slots[str] | None = None
        self._drain = self._app.task(name="drain", queue="turns", retry=RETRY)(self._run_drain)
        self._deliver = self._app.task(name="deliver", queue="sends", retry=RETRY)(self._run_deliver)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        async with self._app.open_async():
            yield

    async def wake(self, tx: Tx, conversation_id: int) -> None:
        # One job an event, and no deduplication here: a waiting job may be taken before our own commit is seen.
        job = self._drain.configure(lock=_lock(conversation_id), connection=await _driver_connection(tx))
        await _deferred(job.defer_async(conversation_id=conversation_id))

    async def remind(self, tx: Tx, conversation_id: int) -> None:
        waiting = text("SELECT 1 FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo' LIMIT 1")
        connection = await tx.db.connection()
        if (await connection.execute(waiting, {"lock": _lock(conversation_id)})).first() is None:
            await self.wake(tx, conversation_id)

    async def wake_lane(self, tx: Tx, lane: str) -> None:
        # An owner delivers right after its own commit, without a job; the sweep finds what that leaves over.
        if self._sends is not None:
            sends = self._sends
            tx.after_commit(lambda: sends.poke(lane))
            return
        job = self._deliver.configure(connection=await _driver_connection(tx))
        await _deferred(job.defer_async(lane=lane))

    async def run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        self._work, self._sends = work, Slots(work.deliver, self._queues["sends"])
        stopping = asyncio.ensure_future(stop())
        workers = {queue: self._worker(queue, slots) for queue, slots in self._queues.items()}
        try:
            while not stopping.done():
                await self._sweep(work)
                await asyncio.wait([stopping], timeout=SWEEP_S)
                for queue, worker in workers.items():
                    if worker.done() and not stopping.done():
                        # Others declare a worker dead that was silent too long; it goes on under a new name.
                        log.error("the worker for %s ended and is started again", queue, exc_info=worker.exception())
                        workers[queue] = self._worker(queue, self._queues[queue])
        finally:
            stopping.cancel()
            work.stop()
            for worker in workers.values():
                worker.cancel()
            await asyncio.gather(*workers.values(), self._sends.close(GRACE_S), return_exceptions=True)
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
                stalled_worker_timeout=PRUNED_AFTER_S,
                delete_jobs="successful",
            )
        )

    async def _sweep(self, work: Work) -> None:
        try:
            await work.sweep()
            for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
                await self._rescue(job)
        except Exception:
            # The database may be away for a moment; the next second tries again.
            log.exception("the sweep stopped")

    async def _rescue(self, job: Job) -> None:
        try:
            await self._app.job_manager.retry_job(job)
        except ProcrastinateException:
            log.info("job %s was rescued by another worker", job.id)

    async def _run_drain(self, conversation_id: int) -> None:
        assert self._work is not None
        await self._work.drain(conversation_id)

    async def _run_deliver(self, lane: str) -> None:
        # The job only carries the wake-up here: sending has one path in a process.
        if self._sends is not None:
            self._sends.poke(lane)


async def _deferred(job: Awaitable[Any]) -> None:
    try:
        await job
    except ConnectorException as error:
        raise TryLater("the queue of jobs does not answer") from error


def _lock(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


async def _configure(connection: Any) -> None:
    # A plan cached while the job table is empty turns the fetch into sequential scans.
    await connection.execute("SET plan_cache_mode = force_custom_plan")
    await connection.commit()


async def _driver_connection(tx: Tx) -> Any:
    raw = await (await tx.db.connection()).get_raw_connection()
    return raw.driver_connection
