"""A process with an engine of its own, to be measured, stopped and killed. Started by the other modules alone."""

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from bench import house
from bench.handlers import STARTED, Note
from bench.house import Kind

READY, NOTES = "ready", "notes"
START_S = 60.0
LINE = 16 * 2**20  # all notes come in one


async def _serve(kind: Kind, url: str, folder: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with house.owned(url), house.opened(url, folder, kind) as (parts, work):
        async with house.at_work(parts, work):
            await parts.store.ping()
            print(READY, flush=True)
            await stop.wait()
        notes = house.notes(work)
    print(NOTES, json.dumps([dataclasses.astuple(note) for note in notes]), flush=True)


class Worker:
    """The process, as its starter sees it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self._lines: asyncio.Queue[list[str]] = asyncio.Queue()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, kind: Kind, url: str, folder: Path) -> "Worker":
        path = folder / "worker.log"
        with path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "bench.worker", kind, url, str(folder)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=LINE,
            )
        return cls(process, path)

    async def said(self, word: str) -> list[str]:
        """The rest of the next line that begins so. Raises `TimeoutError`, or `RuntimeError` when it ended before."""
        async with asyncio.timeout(START_S):
            while (line := await self._lines.get())[:1] != [word]:
                if not line:
                    last = self._log.read_text(errors="replace").strip().splitlines()[-1:]
                    raise RuntimeError(f"a worker ended before it said {word!r}: {''.join(last)}")
            return line[1:]

    async def ready(self) -> None:
        await self.said(READY)

    async def started(self) -> tuple[str, float]:
        """The next event that a holding handler has before it, and when it came there."""
        event_key, at = await self.said(STARTED)
        return event_key, float(at)

    async def stop(self) -> list[Note]:
        """SIGTERM; what it has noted."""
        self._process.terminate()
        notes = json.loads((await self.said(NOTES))[0])
        await self._process.wait()
        await self._reading
        return [Note(*note) for note in notes]

    async def kill(self) -> None:
        """No goodbye."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._lines.put_nowait(line.decode().split(maxsplit=1 if line.startswith(NOTES.encode()) else -1))
        self._lines.put_nowait([])


@contextlib.asynccontextmanager
async def running(kind: Kind, url: str, folder: Path) -> AsyncIterator[Worker]:
    """A worker that is ready; killed on the way out if it still runs."""
    worker = await Worker.start(kind, url, folder)
    try:
        await worker.ready()
        yield worker
    finally:
        await worker.kill()


if __name__ == "__main__":
    asyncio.run(_serve(cast(Kind, sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
