"""The published SDK as a client of the embedded server, in an environment and processes of its own."""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.world import AGENTS, serving
from tests.helpers.databases import scratch

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).parent / "drivers"
PYTHON = ROOT / ".venv-sdk" / "bin" / "python"
WITHIN_S = 60
ENVIRONMENT = dict(os.environ)  # as it was: what makes the SDK's environment does speak https to the world


@dataclass(frozen=True, slots=True)
class Sdk:
    """Runs a driver script against the server at `url` and gives what it told; a driver that fails is a failed test."""

    url: str
    folder: Path

    async def __call__(self, driver: str, *words: str, key: str = "key-1") -> dict[str, Any]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "VECTORSHIFT_BASE_URL": self.url,
            "VECTORSHIFT_API_KEY": key,
        }
        process = await asyncio.create_subprocess_exec(
            # What the SDK does not know of an answer, it warns about.
            *(str(PYTHON), "-W", "error::DeprecationWarning", str(DRIVERS / f"{driver}.py"), *words),
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                out, err = await process.communicate()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        assert process.returncode == 0, f"{driver} ended with {process.returncode}: {err.decode()}"
        told = json.loads(out.decode().splitlines()[-1])
        assert isinstance(told, dict)
        return told


@pytest.fixture(scope="session")
def sdk_environment() -> None:
    """Where it cannot be made the tests are skipped; CI fails."""
    # Two workers of one run must not make it at once.
    with (Path(tempfile.gettempdir()) / "gatehouse-sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run([ROOT / "bin" / "sdk"], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return
    reason = f"bin/sdk could not make .venv-sdk: {made.stderr.strip()[-300:]}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerSettings]:
    if request.param == "sqlite":
        yield ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path / 'agent.db'}")
        return
    with scratch(request.getfixturevalue("postgres")) as url:
        yield ServerSettings(agents_dir=AGENTS, database_url=url)


@pytest.fixture
async def sdk(sdk_environment: None, settings: ServerSettings, tmp_path: Path) -> AsyncIterator[Sdk]:
    async with serving(settings) as url:
        yield Sdk(url, tmp_path)
