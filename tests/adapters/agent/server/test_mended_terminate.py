"""A session that is terminated at one server while another runs its turn: what is said to be over is over."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from adapters.agent import frames
from adapters.agent.server import tables
from adapters.agent.server.agents import Agents
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import load
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sessions import Sessions
from adapters.agent.server.store import Store
from adapters.agent.server.turns import RunningTurn
from gateway.events import AgentStatus
from tests.adapters.agent.stores import TENANT, claimed, count, store_of
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import AGENTS, serving

SUPPORT = load(AGENTS)["support"]
on_postgres = pytest.mark.parametrize("settings", ["postgres"], indirect=True)


@on_postgres
async def test_who_terminates_at_another_server_hears_that_it_is_over_and_it_is(settings: ServerSettings) -> None:
    async with serving(settings) as here, serving(settings) as there, wired(here) as alice, wired(there) as other:
        session_id = await alice.session()
        await alice.send(frames.post_message(session_id, "Count slowly to 5."))
        while (await alice.next())["type"] != "message_delta":
            pass
        await other.send(frames.connect_session(session_id), frames.terminate_session(session_id))
        seen = [await other.next() for _ in range(4)]
        assert seen[1]["message"]["content"]["error"] == "the turn was interrupted"
        assert seen[2]["message"]["status"] == "Idle"
        assert (seen[3]["type"], seen[3]["success"]) == ("terminate_session", True)

        told = await alice.until("Idle")
    contents = [frame["message"]["content"] for frame in told if frame["type"] == "message_notification"]
    assert [content["type"] for content in contents] == ["error_message"], "she hears no Complete of it"


@on_postgres
async def test_a_turn_that_was_terminated_at_another_server_begins_no_tool(settings: ServerSettings) -> None:
    async with store_of(settings) as runs, store_of(settings) as other:
        await other.database.liveness.prove()
        session_id = await runs.open_session(TENANT, "support")
        await runs.post(session_id, TENANT, ["Where is order A-1001?"], "c1")
        turn = await claimed(runs, session_id)

        async def terminated(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            await without_door(other).terminate(session_id)
            yield {0: DeltaToolCall(name="lookup_order", json_args='{"order_id": "A-1001"}', tool_call_id="c1")}

        sent: list[frames.Frame] = []
        running = RunningTurn(runs, turn, SUPPORT, sent.append, timedelta(days=8))
        await running.play(Runtime(lambda _: FunctionModel(stream_function=terminated)))

        assert sent == []
        assert await count(runs, tables.calls) == 0
        [(_, _, status)] = await runs.standing([session_id])
        assert status is AgentStatus.IDLE


def without_door(store: Store) -> Sessions:
    return Sessions(store, Agents({"support": SUPPORT}, store.database), Runtime(), approval_expires_after=timedelta(1))
