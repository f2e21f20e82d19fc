"""How a process stops: when it is told to, and at the latest some seconds later, whatever still runs in it.

Nothing is lost by leaving so: what is begun is taken up again from the rows.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from typing import NoReturn

log = logging.getLogger(__name__)

LEAVES_AFTER_S = 15.0  # an engine needs 12 at most, its door 3 before that; a platform such as Heroku kills after 30


def stopped_by_signal(leaves_after_s: float = LEAVES_AFTER_S) -> asyncio.Event:
    """Set by SIGTERM and SIGINT. From then on the process has so many seconds; then it is left as it stands."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told() -> None:
        if not stop.is_set():
            stop.set()
            # A thread: also a loop that is stuck, or the closing of it, must not keep the process.
            last = threading.Timer(leaves_after_s, _leave_as_it_stands, [loop])
            last.daemon = True
            last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    return stop


async def first_of(stop: asyncio.Event, *tasks: "asyncio.Task[None]") -> None:
    """Until we are told to stop, or one of the tasks ended by itself."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([waiting, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def leave() -> NoReturn:
    """At once, when all is closed: to take the interpreter apart is a second's work, and waits for its threads."""
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)


def _leave_as_it_stands(loop: asyncio.AbstractEventLoop) -> None:
    here = threading.current_thread()
    names = [task.get_name() for task in asyncio.all_tasks(loop)]
    names += [f"thread {one.name}" for one in threading.enumerate() if one is not here]
    log.error("the stop took too long, and the process leaves; still there: %s", ", ".join(sorted(names)))
    leave()
