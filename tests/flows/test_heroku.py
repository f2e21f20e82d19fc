"""The Procfile as Heroku runs it: TLS, few connections, little memory, a disk that does not last."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.serving import bind, serving
from tests.helpers.carriers import Carriers
from tests.helpers.cluster import CONNECTIONS, Cluster, own_cluster
from tests.helpers.dyno import Dyno, slug
from tests.helpers.house import House
from tests.helpers.process import until
from tests.helpers.world import POLICY, credentials

MOST_MB = 512
REFUND = "Please refund order A-1001, $40."
REFUNDED = "refunded $40 for order A-1001"
ALICE, BOB = "+15550001111", "+15550002222"
CROWD = [f"+1555300{number:04d}" for number in range(30)]


@dataclass
class App:
    """Two web and two worker dynos, and the people around them."""

    house: House
    cluster: Cluster
    webs: list[Dyno]
    workers: list[Dyno]
    most_connections: int = 0

    @property
    def dynos(self) -> list[Dyno]:
        return [*self.webs, *self.workers]

    async def start(self) -> None:
        await asyncio.gather(*(dyno.start() for dyno in self.dynos))
        await asyncio.gather(*(dyno.answers() for dyno in self.webs))

    async def stop(self) -> list[float]:
        return await asyncio.gather(*(dyno.stop() for dyno in self.dynos if dyno.lives))

    async def count(self) -> None:
        while True:
            self.most_connections = max(self.most_connections, await asyncio.to_thread(self.cluster.connections))
            await asyncio.sleep(0.1)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    code, folder, carrier, listening = tmp_path / "slug", tmp_path / "dynos", Carriers(), bind("127.0.0.1", 0)
    folder.mkdir()
    (slug(code) / "config/gateway.toml").write_text(POLICY)
    with own_cluster() as cluster:
        there = f"http://127.0.0.1:{listening.getsockname()[1]}"
        variables = credentials(there) | {
            "GATEWAY_CONFIG": "",
            "DATABASE_URL": cluster.url,
            "DATABASE_POOL": "2",
            "PUBLIC_URL": "https://gatehouse.example",
            "WEB_CONCURRENCY": "2",  # Heroku's Python sets it
        }

        def dyno(name: str) -> Dyno:
            return Dyno(code, folder, name, variables)

        release = dyno("release.1")
        await release.start()
        assert await release.ends() == 0
        webs, workers = [dyno("web.1"), dyno("web.2")], [dyno("worker.1"), dyno("worker.2")]
        app = App(House(variables["PUBLIC_URL"], carrier, webs, {}), cluster, webs, workers)
        async with serving(carrier.app, listening):
            counting = asyncio.create_task(app.count())
            try:
                yield app
            finally:
                counting.cancel()
                await asyncio.gather(counting, return_exceptions=True)
                await app.stop()
                await app.house.client.aclose()


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_the_main_job_and_a_restart_of_everything_on_heroku(app: App) -> None:
    await app.start()
    await _refund_after_a_strangers_click(app.house, ALICE)
    await _a_crowd(app.house)

    assert await app.house.text(REFUND, sender=BOB, door=1) == 200
    card = await app.house.card_about(BOB)
    memory = {dyno.name: round(dyno.memory()) for dyno in app.dynos}
    ended = await app.stop()
    await app.start()
    assert await app.house.clicks("U0ANA", card, door=0) == 200
    await app.house.gets(BOB, REFUNDED)
    await _one_more_exchange(app.house, BOB)

    assert sum(REFUNDED in text for text in app.house.got(BOB)) == 1
    print(
        f"\nmemory in MB: {memory}; connections at most: {app.most_connections} of {CONNECTIONS};"
        f" ended {max(ended):.1f} s after SIGTERM at the latest"
    )
    assert max(memory.values()) < MOST_MB
    assert app.most_connections <= CONNECTIONS


async def _refund_after_a_strangers_click(house: House, customer: str) -> None:
    assert await house.text(REFUND, sender=customer, door=0) == 200
    card = await house.card_about(customer)
    await house.gets(customer, "colleague")

    assert await house.clicks("U0EVE", card, door=1) == 200

    async def told() -> bool:
        return bool(house.carriers.called("chat.postEphemeral"))

    await until(told, "a private word to the stranger")
    assert len(house.got(customer)) == 1
    assert await house.clicks("U0ANA", card, door=1) == 200
    await house.gets(customer, REFUNDED)
    await _one_more_exchange(house, customer)
    assert len(house.got(customer)) == 3


async def _one_more_exchange(house: House, customer: str) -> None:
    """Whatever was to come twice would have come before its answer."""
    assert await house.text("Tell me about kites.", sender=customer, door=1) == 200
    await house.gets(customer, "about kites")


async def _a_crowd(house: House) -> None:
    """Many at once, for the memory and the connections this takes."""
    posts = (house.text("Count slowly to 20.", sender=one, door=at % 2) for at, one in enumerate(CROWD))
    assert set(await asyncio.gather(*posts)) == {200}
    for one in CROWD:
        await house.gets(one, "nineteen twenty")
