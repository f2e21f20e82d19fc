"""The engine for PostgreSQL: Procrastinate's jobs wake lanes, in any number of processes.

A job is deferred in the transaction that wrote the event, so that both commit together.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import procrastinate
from procrastinate import JobContext
from procrastinate.exceptions import TaskNotFound
from procrastinate.job_context import AbortReason
from procrastinate.worker import Worker
from sqlalchemy import TextClause, text
from sqlalchemy.engine import URL

from gateway.ports import Work
from gateway.store import Tx
from gateway.store.store import DATABASE_AWAY, GUARDS, POSTGRES_LINE
from gateway.work.slots import Slots, end, repeated

log = logging.getLogger(__name__)

SWEEP_S = 0.5  # a timer rings within a second of its time
BEAT_S = 1.0
CATCH_UP_S = 5.0
LISTEN_S = 1.0  # it lasts; only a fault in it ends it
RESCUE_S = 1.0
GRACE_S = 8.0
JOBS_GRACE_S = 7.0  # Procrastinate waits for its jobs, stops them, and signs off: all of it within the former
WATCH_S = 0.5
TURNS, CONTROLS = 50, 50  # at once
SENDS = 1000  # lanes at once; each channel has slots of its own
STALLED_AFTER_S = 3  # the heartbeat is each second: its jobs go to another worker
PRUNED_AFTER_S = 30  # a worker row this silent is removed; well above the former, for its owner may only be slow
POLL_S = 0.2  # Procrastinate does not notify when a lock is released
FIRST = 100  # the priority of what need not wait for messages


class PostgresEngine:
    """Wakes from any process; `run` in a worker only."""

    def __init__(self, url: URL, *, turns: int = TURNS, sends: int = SENDS, pool_size: int = 2) -> None:
        """`url` must reach PostgreSQL itself: behind a pooler in transaction mode no notification arrives.

        `pool_size` connections at most, and in `run` two more that listen.
        """
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        connector = procrastinate.PsycopgConnector(
            conninfo=conninfo, kwargs=POSTGRES_LINE, configure=_configure, min_size=0, max_size=pool_size, timeout=10
        )
        self._app = procrastinate.App(connector=connector)
        self._most_sends = sends
        self._slots = {("turns",): turns, ("control", "sends"): CONTROLS}
        self._work: Work | None = None
        self._sends: Slots[str] | None = None
        task = self._app.task(name="drain", queue="turns", pass_context=True)
        self._drain = task(self._run_drain)
        self._deliver = self._app.task(name="deliver", queue="sends")(self._run_deliver)
        _explain_unknown_jobs()

    async def wake(self, tx: Tx, conversation_id: int, *, control: bool = False) -> None:
        # A drain begins by claiming its conversation, which waits for our commit. So a job that waits now, while
        # the conversation's row is ours, will see what we wrote, and one is enough.
        queue, priority = ("control", FIRST) if control else ("turns", 0)
        job = {"queue": queue, "task": "drain", "priority": priority, "lock": _lock(conversation_id)}
        await _defer(tx, _DEFER_ONCE, job, conversation_id=conversation_id)

    async def remind(self, tx: Tx, conversations: Sequence[tuple[int, bool]]) -> None:
        forgotten = {"ids": [one for one, _ in conversations], "controls": [control for _, control in conversations]}
        await (await tx.db.connection()).execute(_DEFER_FORGOTTEN, {**forgotten, "first": FIRST})

    async def wake_lane(self, tx: Tx, lane: str) -> None:
        # An owner delivers right after its own commit, without a job; the sweep finds what that leaves over.
        if self._sends is not None:
            sends = self._sends
            tx.after_commit(lambda: sends.poke(lane))
            return
        await _defer(tx, _DEFER, {"queue": "sends", "task": "deliver", "priority": 0, "lock": None}, lane=lane)

    async def abort(self, tx: Tx, conversation_id: int) -> None:
        # Procrastinate's own way, in our transaction: its trigger tells the worker when this is committed.
        running = text(
            "SELECT procrastinate_cancel_job_v1(id, true, false) FROM procrastinate_jobs "
            "WHERE lock = :lock AND status = 'doing'"
        )
        await (await tx.db.connection()).execute(running, {"lock": _lock(conversation_id)})

    async def run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        async with self._app.open_async():
            await self._run(work, stop)

    async def _run(self, work: Work, stop: Callable[[], Awaitable[None]]) -> None:
        self._work, self._sends = work, Slots(work.deliver, self._most_sends)
        stopping = asyncio.ensure_future(stop())
        beating, again = repeated(BEAT_S, work.beat), [(SWEEP_S, work.sweep), (CATCH_UP_S, work.catch_up)]
        again += [(LISTEN_S, work.listen), (RESCUE_S, self._rescue_stalled)]
        taking = [repeated(seconds, do) for seconds, do in again]
        workers = {queues: self._worker(queues) for queues in self._slots}
        try:
            while not stopping.done():
                await asyncio.wait([stopping], timeout=WATCH_S)
                for queues, (_, running) in workers.items():
                    if running.done() and not stopping.done():
                        # Others declare a worker dead that was silent too long; it goes on under a new name.
                        log.warning("the worker for %s ended (%s) and is started again", queues[0], _why(running))
                        workers[queues] = self._worker(queues)
        finally:
            stopping.cancel()
            work.stop()
            for worker, _ in workers.values():
                worker.stop()  # type: ignore[no-untyped-call]  # a cancellation may be lost on its way: see `end`
            ending = [running for _, running in workers.values()]
            await asyncio.gather(end(taking), end(ending, GRACE_S), self._sends.close(GRACE_S))
            await end([beating])  # up to now it kept the lanes of what was still being sent
            self._work = self._sends = None

    def _worker(self, queues: Sequence[str]) -> "tuple[Worker, asyncio.Task[None]]":
        worker = Worker(
            self._app,
            queues=list(queues),
            name=queues[0],
            concurrency=self._slots[tuple(queues)],
            fetch_job_polling_interval=POLL_S,
            abort_job_polling_interval=1,
            install_signal_handlers=False,
            shutdown_graceful_timeout=JOBS_GRACE_S,
            update_heartbeat_interval=1,
            stalled_worker_timeout=PRUNED_AFTER_S,
            delete_jobs="always",  # a job is a wake-up; the rows know what is left to do
        )
        running = worker.run()  # type: ignore[no-untyped-call]
        return worker, asyncio.create_task(running, name=f"worker for {queues[0]}")

    async def _rescue_stalled(self) -> None:
        for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S):
            # A new job rather than the old one again: its former owner, should it wake up, ends the old one by its id.
            await self._app.connector.execute_query_async(_RESCUE, id=job.id)

    async def _run_drain(self, context: JobContext, conversation_id: int) -> None:
        assert self._work is not None
        try:
            await self._work.drain(conversation_id, control=context.job.queue == "control")
        except DATABASE_AWAY as error:
            # The rows are as they were; the sweep wakes the lane again.
            log.warning("a lane stopped: the database does not answer (%s)", type(error).__name__)
        except asyncio.CancelledError:
            if context.abort_reason() is not AbortReason.USER_REQUEST:
                raise

    async def _run_deliver(self, lane: str) -> None:
        # The job only carries the wake-up here: sending has one path in a process.
        if self._sends is not None:
            self._sends.poke(lane)


# Procrastinate's own function, of the schema we pin, in our transaction: event and wake-up commit together.
_JOB = (
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(CAST(:queue AS varchar), CAST(:task AS varchar), :priority, "
    "CAST(:lock AS text), NULL, CAST(:args AS jsonb), NULL)::procrastinate_job_to_defer_v1])"
)
_DEFER = text(_JOB)
_DEFER_ONCE = text(
    _JOB + " WHERE NOT EXISTS "  # noqa: S608 - two constants
    "(SELECT 1 FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo' AND queue_name = :queue)"
)

_RESCUE = """
    WITH stalled AS (DELETE FROM procrastinate_jobs WHERE id = %(id)s AND status = 'doing' RETURNING *)
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, args)
    SELECT queue_name, task_name, priority, lock, args FROM stalled
"""
_DEFER_FORGOTTEN = text(
    """
    SELECT procrastinate_defer_jobs_v1(array_agg(ROW(
        queue, 'drain', CASE WHEN control THEN CAST(:first AS integer) ELSE 0 END, lock, NULL,
        jsonb_build_object('conversation_id', id), NULL)::procrastinate_job_to_defer_v1))
    FROM (
        SELECT id, control, 'conversation:' || id AS lock, CASE WHEN control THEN 'control' ELSE 'turns' END AS queue
        FROM unnest(CAST(:ids AS bigint[]), CAST(:controls AS boolean[])) AS forgotten (id, control)
    ) AS forgotten
    WHERE NOT EXISTS (
        SELECT 1 FROM procrastinate_jobs AS jobs WHERE jobs.lock = forgotten.lock
            AND (jobs.status = 'doing' OR (jobs.status = 'todo' AND jobs.queue_name = forgotten.queue))
    )
    HAVING count(*) > 0
    """
)


async def _defer(tx: Tx, statement: TextClause, job: dict[str, Any], **arguments: Any) -> None:
    connection = await tx.db.connection()
    await connection.execute(statement, {**job, "args": json.dumps(arguments)})


def _lock(conversation_id: int) -> str:
    return f"conversation:{conversation_id}"


def _why(worker: "asyncio.Task[None]") -> str:
    error = None if worker.cancelled() else worker.exception()
    return type(error).__name__ if error else "it was declared dead"


async def _configure(connection: Any) -> None:
    # Its queries are one statement each. A plan cached while the job table is empty makes the fetch scan it whole.
    await connection.set_autocommit(True)
    for setting, value in GUARDS.items():
        await connection.execute(f"SET {setting} = '{value}'")
    await connection.execute("SET plan_cache_mode = force_custom_plan")


class _UnknownJobs(logging.Filter):
    """One clear line in place of two tracebacks for a job that another release left."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not (record.exc_info and isinstance(record.exc_info[1], TaskNotFound)):
            return True
        job = getattr(record, "job", {})
        record.msg = "job %s (%s) is of a kind this release does not know; what it was about is found by the sweep"
        record.args, record.exc_info = (job.get("id"), job.get("task_name")), None
        return getattr(record, "action", "") == "task_not_found"


def _explain_unknown_jobs() -> None:
    for name in ("procrastinate.worker", "procrastinate.worker.turns", "procrastinate.worker.control"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _UnknownJobs) for one in logger.filters):
            logger.addFilter(_UnknownJobs())
