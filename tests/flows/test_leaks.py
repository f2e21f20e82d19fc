"""A thousand turns on lines that break: afterwards there is no task, socket or descriptor that was not there before."""

import asyncio
import contextlib
import gc
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from adapters.agent.server import app as agent_server
from adapters.slack.settings import SlackSettings
from adapters.sms.settings import SmsSettings
from config import running
from config.running import AGENTS
from config.serving import bind, serving
from config.settings import AgentVariables, Settings
from gateway import policy as policies
from tests.helpers import carriers
from tests.helpers.agentline import Seen, Tap, tapped
from tests.helpers.carriers import Carriers
from tests.helpers.house import new_sid
from tests.helpers.process import plain_client, until
from tests.helpers.world import POLICY

CUSTOMERS, TURNS_EACH = 50, 20
BREAKS = 0.01  # of all frames: a turn has about ten
SETTLES_WITHIN_S = 60.0
QUIET = 20  # looks that see the same
FILES_KEPT = 15  # as many as a pool has connections at most
ASKED = ("Tell me about kite {}.", "Where is order A-1001? It is number {}.", "Count slowly to 3. That is number {}.")


@dataclass(frozen=True)
class Left:
    """What this process holds. SQLite keeps the descriptors of closed connections for the next ones: `files`."""

    tasks: int
    sockets: int
    others: int
    files: int

    def no_more_than(self, other: "Left") -> bool:
        fewer_or_as_many = self.tasks <= other.tasks and self.sockets <= other.sockets and self.others <= other.others
        return fewer_or_as_many and self.files <= other.files + FILES_KEPT


def held() -> Left:
    targets = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that lists them
            targets.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    sockets, files = (sum(part in target for target in targets) for part in ("socket:", ".db"))
    return Left(len(asyncio.all_tasks()), sockets, len(targets) - sockets - files, files)


@dataclass
class Line:
    """A gateway in this process, and its agent behind a line that breaks."""

    url: str
    tap: Tap
    carriers: Carriers
    client: httpx.AsyncClient
    answers: Counter[str] = field(default_factory=Counter)
    broken: int = 0

    def breaks(self, dice: random.Random) -> None:
        def at(_: Seen) -> bool:
            now = dice.random() < BREAKS
            self.broken += now
            return now

        self.tap.breaks_at = at

    async def turns(self, customer: str, count: int) -> None:
        """One text after the other, each when the last is answered."""
        before = self._got(customer)
        for number in range(count):
            sent = carriers.text(self.url, ASKED[number % 3].format(number), sender=customer, sid=new_sid())
            assert (await self.client.post(self.url + "/sms/inbound", **sent)).status_code == 200

            async def answered(enough: int = before + number + 1) -> bool:
                return self._got(customer) >= enough

            await until(answered, f"reply {number} to {customer}", within_s=120)
        assert self._got(customer) == before + count

    def _got(self, customer: str) -> int:
        new = self.carriers.texts[self.answers.total() :]
        self.answers.update(text["To"] for text in new)
        return self.answers[customer]


@contextlib.asynccontextmanager
async def _line(database_url: str, folder: Path) -> AsyncIterator[Line]:
    carrier, listening, agents_listen = Carriers(shows_texts=True), bind("127.0.0.1", 0), bind("127.0.0.1", 0)
    there = f"http://127.0.0.1:{listening.getsockname()[1]}"
    agents_on = f"sqlite:///{folder}/agent.db" if database_url.startswith("sqlite") else database_url
    agents = agent_server.build(agent_server.ServerSettings(agents_dir=AGENTS, database_url=agents_on))
    agents_at = f"http://127.0.0.1:{agents_listen.getsockname()[1]}/v1"
    async with serving(carrier.app, listening), serving(agents, agents_listen), tapped(agents_at) as tap:
        settings = Settings.model_construct(
            database_url=database_url,
            port=0,
            agent=AgentVariables(url=tap.url),
            sms=SmsSettings.model_validate(
                {
                    "account_sid": carriers.ACCOUNT,
                    "auth_token": carriers.TOKEN,
                    "from": carriers.NUMBER,
                    "api_url": there,
                }
            ),
            slack=SlackSettings.model_validate(
                {"signing_secret": carriers.SECRET, "bot_token": "xoxb-1", "api_url": there + "/api/"}
            ),
        )
        async with running.live(settings, policies.read(POLICY)) as live, plain_client() as client:
            yield Line(live.url, tap, carrier, client)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_thousand_turns_with_faults_leave_nothing_behind(database_url: str, tmp_path: Path) -> None:
    people = [f"+1555500{number:04d}" for number in range(CUSTOMERS)]
    async with _line(database_url, tmp_path) as line:
        line.breaks(random.Random(7))
        await asyncio.gather(*(line.turns(one, 4) for one in people))  # pools fill
        before, line.broken = await _settled(), 0

        await asyncio.gather(*(line.turns(one, TURNS_EACH) for one in people))
        after = await _settled(before)
    print(f"\n{CUSTOMERS * TURNS_EACH} turns, {line.broken} lines broken: {before} before, {after} after")
    assert after.no_more_than(before)


async def _settled(at_most: Left | None = None) -> Left:
    """What is held when nothing changes for a while: kept connections are closed after some seconds."""
    gc.collect()
    seen, began = [held()], time.monotonic()
    while time.monotonic() - began < SETTLES_WITHIN_S:
        await asyncio.sleep(0.5)  # it is the quiet that is measured
        seen.append(held())
        if len(seen) > QUIET and len(set(seen[-QUIET:])) == 1 and (at_most is None or seen[-1].no_more_than(at_most)):
            break
    return seen[-1]
