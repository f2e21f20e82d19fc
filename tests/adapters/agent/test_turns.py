"""What a turn writes and sends when the model does what the offline one never does."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from adapters.agent import frames
from adapters.agent.server import calls
from adapters.agent.server.database import Database, async_url
from adapters.agent.server.definitions import load
from adapters.agent.server.limits import MIB
from adapters.agent.server.pages import page
from adapters.agent.server.rows import Turn, now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sockets import Outflow
from adapters.agent.server.store import Store
from adapters.agent.server.turns import RunningTurn
from gateway.errors import ConfigError
from gateway.events import Confirm
from tests.adapters.agent.world import AGENTS

SUPPORT = load(AGENTS)["support"]
SQLITE = "sqlite+aiosqlite"
PSYCOPG = "postgresql+psycopg"


async def talkative(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """Speaks before, between and after two tools, the second of which asks."""
    returned = [p.tool_name for m in messages for p in m.parts if isinstance(p, ToolReturnPart)]
    if not returned:
        yield "I look. "
        yield {0: DeltaToolCall(name="lookup_order", json_args='{"order_id": "A-1001"}', tool_call_id="c1")}
    elif returned == ["lookup_order"]:
        yield "I ask."
        args = '{"order_id": "A-1001", "amount": 40}'
        yield {0: DeltaToolCall(name="issue_refund", json_args=args, tool_call_id="c2")}
    else:
        yield "Done."


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    database = Database(f"sqlite:///{tmp_path / 'agent.db'}")
    await database.open()
    yield Store(database)
    await database.close()


async def next_turn(store: Store, session_id: str) -> Turn:
    turn = await store.claim(session_id)
    assert turn is not None
    return turn


async def played(store: Store, turn: Turn) -> list[frames.Frame]:
    sent: list[frames.Frame] = []
    running = RunningTurn(store, turn, SUPPORT, sent.append, timedelta(days=8))
    await running.play(Runtime(lambda _: FunctionModel(stream_function=talkative)))
    return sent


async def test_what_is_said_around_tools_and_approvals_is_one_text(store: Store) -> None:
    session_id = await store.open_session("t", "support")
    await store.post(session_id, "t", ["Hello"], None)
    sent = await played(store, await next_turn(store, session_id))
    request = next(
        f["message"] for f in sent if f.get("message", {}).get("content", {}).get("type") == "tool_call_approval"
    )
    assert not any(f.get("message", {}).get("content", {}).get("type") == "data_type_message" for f in sent)

    async with store.database.writing() as db:
        await calls.answer(db, session_id, request["id"], Confirm(), now())
    sent += await played(store, await next_turn(store, session_id))

    deltas = [frame for frame in sent if frame["type"] == "message_delta"]
    complete = sent[-2]["message"]
    assert complete["content"]["value"] == "I look. \n\nI ask.\n\nDone."
    assert "".join(delta["value"] for delta in deltas) == complete["content"]["value"]
    assert [delta["index"] for delta in deltas] == list(range(len(deltas)))
    assert {delta["message_id"] for delta in deltas} == {complete["id"]}


async def test_only_one_server_gets_a_turn(store: Store) -> None:
    session_id = await store.open_session("t", "support")
    await store.post(session_id, "t", ["Hello"], None)

    assert await store.claim(session_id) is not None
    assert await store.claim(session_id) is None


async def test_a_turn_that_was_taken_away_writes_nothing(store: Store) -> None:
    session_id = await store.open_session("t", "support")
    await store.post(session_id, "t", ["Hello"], None)
    turn = await next_turn(store, session_id)
    await store.fail(turn, "interrupted", None)

    assert await store.complete(turn, "Too late.", None) is None
    assert [message["content"] for message in (await page(store.database, session_id, MIB)).messages] == [
        {"type": "data_type_message", "value": "Hello"},
        frames.error_message("interrupted"),
    ]


async def test_a_client_that_does_not_read_is_noticed() -> None:
    unread: Any = None
    outflow = Outflow(unread, max_waiting=2)
    for _ in range(2):
        outflow.send(frames.pong("s1"))
    assert not outflow.too_slow.is_set()

    outflow.send(frames.pong("s1"))

    assert outflow.too_slow.is_set()


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:///var/agent.db", SQLITE),
        ("postgres://u:p@db:5432/x", PSYCOPG),
        ("postgresql://u:p@db:5432/x?sslmode=require", PSYCOPG),
    ],
)
def test_a_database_url_is_taken_as_it_is_usually_written(given: str, driver: str) -> None:
    assert async_url(given).drivername == driver


@pytest.mark.parametrize("given", ["", "agent.db", "sqlite://", "mysql://u:p@db/x"])
def test_a_database_we_cannot_use_is_named_by_its_variable(given: str) -> None:
    with pytest.raises(ConfigError, match="AGENT_SERVER__DATABASE_URL"):
        async_url(given)
