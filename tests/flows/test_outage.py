"""Something outside is away: nothing is lost, nobody is left in silence, and it goes on by itself."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from adapters.agent.server import app as agent_server
from config.running import AGENTS
from config.serving import bind, serving
from tests.helpers.clock import Clock
from tests.helpers.process import free_port, until
from tests.helpers.rows import rows
from tests.helpers.town import Town


async def test_while_the_agent_is_away_a_text_waits_the_customer_is_told_once_and_then_answered(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    port = free_port()
    town = Town(database_url, tmp_path, clock)
    town.with_agent_at(f"http://127.0.0.1:{port}/v1")
    await town.open()
    await town.alice.texts("Where is order A-1001?")
    await town.alice.texts("Where is order A-1002?")
    await _tried(town, 1)

    for _ in range(4):  # pauses grow to minutes; the clock makes them pass
        tries = (await rows(town.store, "inbox"))[0]["attempts"]
        clock.passes(timedelta(minutes=1))
        await _tried(town, tries + 1)
    assert len(await town.alice.gets(1)) == 1
    assert "safe" in town.alice.got()[0]
    assert any("does not answer" in alert for alert in town.alerts())

    async with _agent(tmp_path, port):
        clock.passes(timedelta(minutes=10))
        got = await town.alice.gets(3)
        assert "A-1001" in got[1]
        assert "A-1002" in got[2]
        assert sum("safe" in text for text in got) == 1
        await town.close()


async def test_a_decision_made_while_the_agent_is_away_reaches_it_later(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    port = free_port()
    town = Town(database_url, tmp_path, clock)
    town.with_agent_at(f"http://127.0.0.1:{port}/v1")
    async with _agent(tmp_path, port):
        await town.open()
        await town.alice.texts("Please refund order A-1001, $40.")
        card = await town.card()
        await town.alice.gets(1)

    await town.ana.approves(card)
    await town.card_says("being carried out")
    await _tried(town, 1, of="decision")

    async with _agent(tmp_path, port):
        clock.passes(timedelta(minutes=10))
        assert "A-1001" in (await town.alice.gets(2))[1]
        await town.card_says("The agent went on with it")
        await town.close()


@contextlib.asynccontextmanager
async def _agent(folder: Path, port: int) -> AsyncIterator[None]:
    settings = agent_server.ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{folder}/away.db")
    async with serving(agent_server.build(settings), bind("127.0.0.1", port)):
        yield


async def _tried(town: Town, times: int, *, of: str = "message") -> None:
    """Until the oldest event of a kind has been tried so often in vain."""

    async def enough() -> bool:
        return next(row for row in await rows(town.store, "inbox") if row["kind"] == of)["attempts"] >= times

    await until(enough, f"try {times}")
