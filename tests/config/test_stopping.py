"""A process that is told to stop ends, whatever still runs in it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

BEGINNING = """
import asyncio, logging, time
from config.stopping import stopped_by_signal

async def stubborn(stop):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def stuck(stop):
    await stop.wait()
    time.sleep(3600)

async def in_a_thread(stop):
    thread = asyncio.create_task(asyncio.to_thread(time.sleep, 3600))
    await stop.wait()

async def well_behaved(stop):
    await stop.wait()

async def main(does):
    stop = stopped_by_signal({leaves_after_s})
    print("ready", flush=True)
    work = asyncio.create_task(does(stop), name="the work")
    await stop.wait()
    await asyncio.wait([work])

logging.basicConfig()
asyncio.run(main({does}))
"""


@contextmanager
def process(does: str, *, leaves_after_s: float) -> Iterator["subprocess.Popen[str]"]:
    code = BEGINNING.format(does=does, leaves_after_s=leaves_after_s)
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == "ready\n"
            yield running
        finally:
            running.kill()


@pytest.mark.parametrize(
    ("does", "there"), [("stubborn", "the work"), ("stuck", "the work"), ("in_a_thread", "thread asyncio_0")]
)
def test_what_would_not_end_is_named_and_holds_no_process(does: str, there: str) -> None:
    with process(does, leaves_after_s=0.3) as running:
        running.send_signal(signal.SIGTERM)
        _, log = running.communicate(timeout=20)

    assert running.returncode == 0
    assert "the stop took too long" in log
    assert there in log


def test_what_ends_in_time_is_left_alone() -> None:
    with process("well_behaved", leaves_after_s=60) as running:
        running.send_signal(signal.SIGINT)
        _, log = running.communicate(timeout=20)

    assert (running.returncode, log) == (0, "")
