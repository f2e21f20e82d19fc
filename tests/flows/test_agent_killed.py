"""The agent server dies in the middle of a turn: the turn is taken up again, and the customer notices nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server.phrases import NUMBERS
from gateway.events import HistoryEntry, UserPosted
from tests.helpers.agentline import Seen
from tests.helpers.halt import Halt
from tests.helpers.house import House, opened

pytestmark = pytest.mark.long

ALICE = "+15550001111"


async def test_a_turn_whose_agent_server_is_killed_is_taken_up_and_answered_once(
    database_url: str, tmp_path: Path
) -> None:
    agents_on = "" if database_url.startswith("sqlite") else database_url
    async with opened(tmp_path, database_url, workers=["one"], agents_on=agents_on) as house:
        assert house.agents is not None
        (tap,) = house.taps.values()
        some_deltas: Halt[Seen] = Halt(lambda seen: seen.type == "message_delta" and seen.frame["index"] >= 3)
        tap.halt = some_deltas
        assert await house.text("Count slowly to 20.", sender=ALICE) == 200
        session = (await some_deltas.next()).session

        await house.agents.kill()
        some_deltas.open(losing=lambda _: True)
        await house.agents.start()
        await house.gets(ALICE, " ".join(NUMBERS))
        assert await house.text("Tell me about kites.", sender=ALICE) == 200
        await house.gets(ALICE, "about kites")
        history = await _history(house, session)

    assert house.got(ALICE) == [" ".join(NUMBERS), 'You asked: "Tell me about kites."']
    posts = [entry.text for entry in history if isinstance(entry, UserPosted)]
    assert [text.partition("\n")[2] for text in posts] == ["Count slowly to 20.", "Tell me about kites."]


async def _history(house: House, session: str) -> Sequence[HistoryEntry]:
    assert house.agents is not None
    client = AgentClient(AgentSettings(url=house.agents.url + "/v1"))
    try:
        async with client.attach(session) as line:
            return await line.history()
    finally:
        await client.aclose()
