"""PostgreSQL cannot be reached in the middle of load: who is acknowledged is answered, and work goes on by itself.

The shared server is never touched: the line to it is cut.
"""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from sqlalchemy.engine import make_url

from tests.helpers import house as houses
from tests.helpers.house import House, new_sid
from tests.helpers.process import until
from tests.helpers.proxy import Proxy, proxied

EVERY_S = 0.15  # a text; each is somebody else's
WEBHOOK_WAITS_S = 10.0  # for the database, then 503
FOUND_WITHIN_S = 120.0  # texts that only the carrier's list has: it is read about once a minute

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@dataclass
class Load:
    """Texts one after the other, handed to the web processes in turn. What is not answered in time has status 0."""

    house: House
    statuses: dict[str, int] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    async def flow(self, forever: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as texts:
            for number in itertools.count():
                if forever.is_set():
                    return
                texts.create_task(self._text(f"+1555400{number:04d}", number))
                await asyncio.sleep(EVERY_S)

    async def _text(self, sender: str, number: int) -> None:
        body, sid, began = f"Tell me about kite {sender}.", new_sid(), time.monotonic()
        self.house.carriers.came_in(body, sender=sender, sid=sid)
        try:
            status = await self.house.text(body, sender=sender, sid=sid, door=number % 2)
        except httpx.TransportError:
            status = 0
        self.statuses[sender], self.took[sender] = status, time.monotonic() - began

    def who_got(self, *statuses: int) -> list[str]:
        return [sender for sender, status in self.statuses.items() if status in statuses]

    async def taken(self, more: int) -> None:
        """Until so many more texts are acknowledged."""
        enough = len(self.who_got(200)) + more

        async def there() -> bool:
            return len(self.who_got(200)) >= enough

        await until(there, f"{more} more acknowledgements (so far {Counter(self.statuses.values())})")

    async def answered(self, senders: list[str], within_s: float) -> None:
        """Each has the reply to their text, once, whatever else they were told."""
        replies = {sender: f'You asked: "Tell me about kite {sender}."' for sender in senders}
        give_up = time.monotonic() + within_s
        while missing := [one for one in senders if replies[one] not in self.house.got(one)]:
            have = {one: self.house.got(one) for one in missing}
            assert time.monotonic() < give_up, f"{len(missing)} of {len(senders)} without a reply; they have {have}"
            await asyncio.sleep(0.05)
        assert not [one for one in senders if self.house.got(one).count(replies[one]) > 1]


@contextlib.asynccontextmanager
async def _at_work(database_url: str, folder: Path, *, embedded: bool = False) -> AsyncIterator[tuple[House, Proxy]]:
    """Two web and two worker processes whose only way to PostgreSQL can be cut; embedded agents share it."""
    url = make_url(database_url)
    assert url.host is not None
    async with proxied(url.host, url.port or 5432) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        async with houses.opened(folder, through, webs=2, own_agents=not embedded) as house:
            yield house, proxy


@contextlib.asynccontextmanager
async def _flowing(house: House) -> AsyncIterator[Load]:
    load, forever = Load(house), asyncio.Event()
    flow = asyncio.create_task(load.flow(forever))
    try:
        yield load
    finally:
        forever.set()
        await flow


async def _outage(proxy: Proxy, how: str, seconds: float) -> float:
    """Over when this returns; when that was."""
    {"cut": proxy.cut, "stalled": proxy.stall}[how]()
    await asyncio.sleep(seconds)  # its length is the point
    proxy.mend()
    return time.monotonic()


@pytest.mark.parametrize(
    ("how", "embedded"),
    [
        pytest.param("cut", False, id="cut", marks=pytest.mark.long),
        pytest.param("stalled", False, id="stalled", marks=pytest.mark.long),
        pytest.param("cut", True, id="cut-with-embedded-agents", marks=pytest.mark.long),
    ],
)
async def test_five_seconds_without_the_database_lose_nothing_and_nobody_restarts(
    how: str, embedded: bool, database_url: str, tmp_path: Path
) -> None:
    async with _at_work(database_url, tmp_path, embedded=embedded) as (house, proxy):
        async with _flowing(house) as load:
            await load.taken(10)
            mended = await _outage(proxy, how, 5.0)
            await load.taken(10)
        await load.answered(load.who_got(200), within_s=30)
        everything = time.monotonic() - mended

        assert all(process.lives for process in (*house.doors, *house.workers.values()))
    print(f"\n{how} for 5 s: {Counter(load.statuses.values())}, all answered {everything:.1f} s after it was mended")
    assert set(load.statuses.values()) <= {200, 503}
    assert max(load.took.values()) < WEBHOOK_WAITS_S + 2


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_text_refused_in_a_longer_outage_is_found_again_in_the_carriers_list(
    database_url: str, tmp_path: Path
) -> None:
    async with _at_work(database_url, tmp_path) as (house, proxy):
        async with _flowing(house) as load:
            await load.taken(10)
            mended = await _outage(proxy, "cut", 15.0)
            await load.taken(10)
        await load.answered(load.who_got(200), within_s=30)
        refused = load.who_got(503)
        waited = [load.took[one] for one in refused]
        print(f"\ncut for 15 s: {Counter(load.statuses.values())}")
        assert set(load.statuses.values()) == {200, 503}
        assert min(waited) > WEBHOOK_WAITS_S - 1
        assert max(waited) < WEBHOOK_WAITS_S + 2

        await load.answered(refused, within_s=FOUND_WITHIN_S)
        print(f"the {len(refused)} refused were answered {time.monotonic() - mended:.0f} s after it was mended")
        assert all(process.lives for process in (*house.doors, *house.workers.values()))
