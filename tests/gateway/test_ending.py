"""Tasks are brought to an end: after a while they are cancelled, more than once, and never waited for without end."""

import asyncio
import logging

import pytest

from gateway.work.slots import end

GRACE_S = CANCEL_S = 0.05


async def swallowing(cancellations: int, gate: asyncio.Event) -> None:
    """As Python 3.11's `wait_for` may do."""
    while True:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            cancellations -= 1
            if cancellations < 0:
                raise
        else:
            return


async def begun(cancellations: int, gate: asyncio.Event) -> "asyncio.Task[None]":
    task = asyncio.create_task(swallowing(cancellations, gate), name="the stubborn one")
    await asyncio.sleep(0)  # a task that has not begun ends at once
    return task


async def test_what_ends_by_itself_is_not_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()
    task = await begun(0, gate)
    asyncio.get_running_loop().call_soon(gate.set)

    await end([task], GRACE_S, cancel_s=CANCEL_S)

    assert not task.cancelled()
    assert caplog.records == []


async def test_a_cancellation_that_is_swallowed_is_followed_by_another() -> None:
    task = await begun(1, asyncio.Event())

    await end([task], GRACE_S, cancel_s=CANCEL_S)

    assert task.cancelled()


async def test_what_would_not_end_is_named_in_the_log_and_left(caplog: pytest.LogCaptureFixture) -> None:
    gate = asyncio.Event()
    task, another = await begun(100, gate), await begun(0, gate)

    await end([task, another], GRACE_S, cancel_s=CANCEL_S)

    assert another.cancelled()
    assert not task.done()
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "would not end, and are left: the stubborn one")
    ]
    gate.set()
    await task
