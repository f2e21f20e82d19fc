"""The command line, in a process of its own or in this one."""

import asyncio
import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from typer.testing import CliRunner

from config import logs
from config.cli import app

ROOT = Path(__file__).resolve().parents[2]
Done = subprocess.CompletedProcess[str]


def gateway(folder: Path, *words: str, stdout: int = subprocess.PIPE, **variables: str) -> Done:
    """`gateway WORDS` in a folder, with nothing in the environment but these variables."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "config", *words],
        cwd=folder,
        env={**kept, "HOME": str(folder), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1", **variables},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


async def says(database_url: str, *words: str, code: int = 0, **variables: str) -> str:
    """What a command prints beside whatever runs on this database. In this process: the imports are paid for."""
    environment = {"DATABASE_URL": database_url, "COLUMNS": "200", **variables}
    done = await asyncio.to_thread(CliRunner(env=environment).invoke, app, list(words))
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


def asks(folder: Path, *words: str, **variables: str) -> Done:
    """The same in this process, which a second of imports is spared: for what does not go on to serve."""
    environment = {**dict.fromkeys(os.environ), "COLUMNS": "200", "NO_COLOR": "1", **variables}
    with contextlib.chdir(folder), _log_as_it_was():
        done = CliRunner(env=environment).invoke(app, list(words), prog_name="gateway")
    return Done(list(words), done.exit_code, done.stdout, done.stderr)


@contextlib.contextmanager
def _log_as_it_was() -> Iterator[None]:
    """A start sets the log of its whole process up."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in logs.OURS]
    before = [(one, one.level) for one in (root, *ours)]
    handlers, root.handlers = root.handlers, []
    try:
        yield
    finally:
        root.handlers = handlers
        for one, level in before:
            one.setLevel(level)
