"""The gateway as a process of its own, to be started, stopped and killed."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
READY_AT = {"run": "/readyz", "web": "/readyz", "agents serve": "/v1/agents"}


def free_port() -> int:
    """Below the range from which the system takes ports for connections: one of those could be gone before its use."""
    while True:
        port = random.randrange(15000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port


def plain_client() -> httpx.AsyncClient:
    """For http alone, as patient as Twilio, each request on a connection of its own.

    Reading the certificates for https takes 30 ms of work, and a kept connection may belong to a process that is dead.
    """
    return httpx.AsyncClient(timeout=15, verify=False, limits=httpx.Limits(max_keepalive_connections=0))


class Gateway:
    """One process after another on the same folder; `url` stays. `name` is that of its log."""

    def __init__(self, folder: Path, *, command: str = "run", name: str = "gateway", **environment: str) -> None:
        self.name = name
        self._command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "config").mkdir(exist_ok=True)
        for needed in ("agents", "gateway.toml"):
            with contextlib.suppress(FileExistsError):
                (folder / "config" / needed).symlink_to(ROOT / "config" / needed)
        self._folder = folder
        clean = {name: value for name, value in os.environ.items() if "__" not in name and name != "DATABASE_URL"}
        self._environment = clean | {"PORT": str(self.port), "PYTHONPATH": str(ROOT)} | environment
        self._process: asyncio.subprocess.Process | None = None
        self._log_began = 0

    def also(self, **environment: str) -> None:
        self._environment |= environment

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_door(self) -> bool:
        return self._command != "worker"

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def log(self) -> str:
        return (self._folder / f"{self.name}.log").read_text()

    async def start(self) -> None:
        """Returns when its door is open; see `at_work` for a worker."""
        words = [*self._command.split(), *(["--port", str(self.port)] if self._command == "agents serve" else [])]
        log = (self._folder / f"{self.name}.log").open("ab")
        self._log_began = log.tell()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "config",
            *words,
            cwd=self._folder,
            env=self._environment,
            stderr=log,
            stdout=log,
        )
        log.close()
        if self.has_door:
            await until(self._ready, "a ready gateway")

    async def at_work(self) -> None:
        """Until a worker that was started says that it is ready: it has no page to ask."""

        async def ready() -> bool:
            assert self.lives, self.log()
            return "worker: ready" in self.log()[self._log_began :]

        await until(ready, "a ready worker")

    async def _ready(self) -> bool:
        assert self.lives, self.log()
        with contextlib.suppress(httpx.TransportError):
            async with plain_client() as client:
                return (await client.get(self.url + READY_AT[self._command])).status_code == 200
        return False

    async def kill(self) -> None:
        """No goodbye."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code. A platform such as Heroku kills after thirty seconds."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), 30)


@contextlib.asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def until(look: Callable[[], Any], what: str, *, within_s: float = PATIENCE_S) -> Any:
    """What an async `look` finds, as soon as it finds something."""
    try:
        async with asyncio.timeout(within_s):
            while not (found := await look()):  # noqa: ASYNC110 - another process has no event to give us
                await asyncio.sleep(0.05)
            return found
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {within_s:.0f} s") from None
