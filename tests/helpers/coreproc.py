"""A process of its own with the core in it: it receives, works, has an agent that never answers, or people decide."""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Literal

from config.wiring import now
from gateway.ports import Added
from tests.helpers.agents import AgentTurn
from tests.helpers.approvers import Ballot, crowd, decide_all
from tests.helpers.core import Core, Ends, opened
from tests.helpers.process import ROOT

Kind = Literal["receive", "work", "hold", "decide"]
Text = tuple[str, str, str]  # a number, its words, the event's name
SENDERS = 32
START_S = 30.0
LONGEST_LINE = 16 * 2**20  # what was told to everybody comes in one


async def receive(core: Core, texts: Sequence[Text]) -> dict[str, int]:
    """Keep them, many at once; how many were new, and how many were not."""
    waiting, counted = iter(texts), dict.fromkeys((str(one) for one in Added), 0)

    async def sender() -> None:
        for number, words, name in waiting:
            counted[str(await core.receives(number, words, name))] += 1

    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return counted


def told(ends: Ends) -> dict[str, Any]:
    """What the agent was told in each session, and each customer."""
    everybody = {one.message.to.key for one in ends.sms.taken}
    return {
        "posts": [session.posts() for session in ends.agents.sessions.values()],
        "told": {number: ends.sms.told(number) for number in everybody},
    }


async def _serve(kind: Kind, url: str) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(process)d %(name)s %(message)s")
    ends, stop = Ends(now), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    ends.agents.does(_holds if kind == "hold" else _replies, on="")
    async with opened(url, ends, now, **({"policy": crowd()} if kind == "decide" else {})) as core:
        if kind == "decide":
            say("ready")
            ballots = json.loads(await asyncio.to_thread(sys.stdin.readline))
            say("done", await decide_all(core, [Ballot(*one) for one in ballots]))
            return
        if kind == "receive":
            say("ready")
            texts = json.loads(await asyncio.to_thread(sys.stdin.readline))
            say("done", await receive(core, texts))
            return
        async with core.at_work():
            say("ready")
            await stop.wait()
        say("done", told(ends))
        await ends.aclose()


async def _replies(turn: AgentTurn) -> None:
    turn.replies(turn.words)


async def _holds(turn: AgentTurn) -> None:
    say("posted", turn.words)
    await asyncio.Event().wait()


def say(word: str, what: Any = None) -> None:
    print(word, json.dumps(what), flush=True)


class Process:
    """Such a process, as its starter sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()

    async def says(self, word: str, *, within_s: float = START_S) -> Any:
        """What comes with the next line that begins so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(within_s):
            async for line in self._process.stdout:
                first, _, rest = line.decode().partition(" ")
                if first == word:
                    return json.loads(rest)
        raise AssertionError(f"it ended before it said {word!r}")

    async def stop(self) -> Any:
        """SIGTERM; what it says in the end."""
        self._process.terminate()
        said = await self.says("done")
        await self._process.wait()
        return said

    async def kill(self) -> None:
        """No goodbye."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


@contextlib.asynccontextmanager
async def running(kind: Kind, url: str, log: Path) -> AsyncIterator[Process]:
    """Killed on the way out if it still runs."""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.helpers.coreproc", kind, url),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
            limit=LONGEST_LINE,
        )
    started = Process(process)
    try:
        await started.says("ready")
        yield started
    finally:
        await started.kill()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2]))  # type: ignore[arg-type]
