"""Runs a Procfile as Heroku does: a fresh disk and a PORT for each dyno, SIGTERM, and SIGKILL half a minute later."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.helpers.process import ROOT, free_port, plain_client, until

GRACE_S = 30.0
BOOT_S = 60.0
LEFT_AT_HOME = ("tests/", "bench/", "docs/")


def slug(folder: Path) -> Path:
    """The tree as it would be pushed, compiled once; ours and not the last commit's."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    for name in listed.stdout.decode().splitlines():
        if not name.startswith(LEFT_AT_HOME) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", folder], check=True)
    return folder


def procfile(folder: Path) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in (folder / "Procfile").read_text().splitlines() if line.strip())


class Dyno:
    """`name` is `web.1` and the like. Each start has a disk and a port of its own; the log outlives them."""

    def __init__(self, slug: Path, folder: Path, name: str, variables: dict[str, str]) -> None:
        self.name = name
        self.url = ""
        self._slug, self._disk, self._log = slug, folder / name, folder / f"{name}.log"
        self._command = procfile(slug)[name.partition(".")[0]]
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        self._environment = {"PATH": path, "HOME": str(self._disk), "LANG": "C.UTF-8", "DYNO": name} | variables
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        shutil.rmtree(self._disk, ignore_errors=True)
        shutil.copytree(self._slug, self._disk)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                self._command,
                cwd=self._disk,
                env=self._environment | {"PORT": str(port)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def answers(self) -> None:
        """Until a web dyno takes requests."""

        async def ready() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, self._log.read_text()
            with contextlib.suppress(httpx.TransportError):
                async with plain_client() as client:
                    return (await client.get(self.url + "/readyz")).status_code == 200
            return False

        await until(ready, f"a ready {self.name}", within_s=BOOT_S)

    async def ends(self) -> int:
        """The exit code of a dyno that ends by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), BOOT_S)

    async def stop(self) -> float:
        """How long it took to end. One that had to be killed is a failure."""
        assert self._process is not None
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), GRACE_S)
        except TimeoutError:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            raise AssertionError(f"{self.name} ran on after SIGTERM:\n{self._log.read_text()}") from None
        return time.monotonic() - began

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def memory(self) -> float:
        """The most that its processes ever had, in MB, added up."""
        assert self._process is not None
        return sum(_peak_kb(pid) for pid in _session(self._process.pid)) / 1024


def _session(leader: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                yield int(entry.name)


def _peak_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0
