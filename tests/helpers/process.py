"""The gateway as a process of its own, to be started, stopped and killed."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Gateway:
    """One process after another on the same folder; `url` stays."""

    def __init__(self, folder: Path, *, command: str = "run", **environment: str) -> None:
        self._command = command
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "config").mkdir(exist_ok=True)
        for name in ("agents", "gateway.toml"):
            with contextlib.suppress(FileExistsError):
                (folder / "config" / name).symlink_to(ROOT / "config" / name)
        self._folder = folder
        clean = {name: value for name, value in os.environ.items() if "__" not in name and name != "DATABASE_URL"}
        self._environment = clean | {"PORT": str(self.port), "PYTHONPATH": str(ROOT)} | environment
        self._process: asyncio.subprocess.Process | None = None

    def also(self, **environment: str) -> None:
        self._environment |= environment

    async def start(self) -> None:
        log = (self._folder / "gateway.log").open("ab")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "config",
            self._command,
            cwd=self._folder,
            env=self._environment,
            stderr=log,
            stdout=log,
        )
        log.close()
        if self._command == "worker":
            return

        async def ready() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, (self._folder / "gateway.log").read_text()
            with contextlib.suppress(httpx.TransportError):
                async with httpx.AsyncClient() as client:
                    return (await client.get(self.url + "/readyz")).status_code == 200
            return False

        await until(ready, "a ready gateway")

    async def kill(self) -> None:
        """No goodbye."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self._process.wait(), 20)


@contextlib.asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


async def until(look: Callable[[], Any], what: str) -> Any:
    """What an async `look` finds, as soon as it finds something."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await look()):  # noqa: ASYNC110 - another process has no event to give us
                await asyncio.sleep(0.05)
            return found
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {PATIENCE_S:.0f} s") from None
