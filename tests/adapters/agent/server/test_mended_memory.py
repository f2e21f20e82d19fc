"""What a model knows of a turn whose server died in it: whatever was done is not done again. On each database."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from adapters.agent import frames
from adapters.agent.server import calls, recovery
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import load
from adapters.agent.server.remembering import begun, with_calls
from adapters.agent.server.rows import CallState, MadeCall, Turn, now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.store import Store
from adapters.agent.server.turns import RunningTurn
from gateway.events import Confirm
from tests.adapters.agent.stores import TENANT, begin_call, claimed, store_of
from tests.adapters.agent.world import AGENTS, parked

SUPPORT = load(AGENTS)["support"]
FOUND = {"order_id": "A-1001", "status": "shipped"}


async def finished(store: Store, turn: Turn, call_id: str, result: dict[str, Any]) -> None:
    async with store.database.writing() as db:
        await calls.finish(db, turn.session_id, turn.id, call_id, CallState.COMPLETED, result)


async def ended_by_another(store: Store) -> str:
    """The `error_message` that the next server writes."""
    [(_, shown)] = await recovery.end_orphans(store, lambda _: False)
    return str(shown[-1]["content"]["error"])


async def given(store: Store, session_id: str) -> list[ModelMessage]:
    """What the model is given when the customer writes again."""
    seen: list[ModelMessage] = []

    async def looks(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        seen.extend(messages)
        yield "I see."

    await store.post(session_id, TENANT, ["Well?"], "c2")
    turn = await claimed(store, session_id)
    await RunningTurn(store, turn, SUPPORT, lambda _: None, timedelta(days=8)).play(
        Runtime(lambda _: FunctionModel(stream_function=looks))
    )
    return seen


def results(messages: list[ModelMessage]) -> dict[str, Any]:
    parts = [part for one in messages if isinstance(one, ModelRequest) for part in one.parts]
    return {part.tool_name: part.content for part in parts if isinstance(part, ToolReturnPart)}


def prompts(messages: list[ModelMessage]) -> str:
    parts = [part for one in messages for part in one.parts if isinstance(part, UserPromptPart)]
    return json.dumps([part.content for part in parts], default=str)


async def test_a_refund_that_was_made_before_the_server_died_is_known_as_made(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await calls.answer(db, session_id, request_id, Confirm(), now())
        turn = await claimed(store, session_id)
        call_id = turn.answered[0].tool_call_id
        content = frames.tool_call(call_id, "t1", "issue_refund", "in_progress", {"order_id": "A-1001"})
        async with store.database.writing() as db:
            assert await calls.begin(db, session_id, turn.id, content, request_id)
        await finished(store, turn, call_id, {"status": "refunded"})
        await begin_call(store, turn, "c9", "human_handoff", {"reason": "?"})

    async with store_of(settings) as store:
        said = await ended_by_another(store)
        seen = await given(store, session_id)

    assert "issue_refund ran before that" in said
    assert "the outcome of human_handoff is unknown" in said
    assert results(seen)["issue_refund"] == {"status": "refunded"}
    assert "do not repeat it" in results(seen)["human_handoff"]


async def test_what_ran_unasked_before_the_server_died_is_known_with_what_was_said(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Where is order A-1001?"], "c1")
        turn = await claimed(store, session_id)
        await begin_call(store, turn, "c1", "lookup_order", {"order_id": "A-1001"})
        await finished(store, turn, "c1", FOUND)
        await begin_call(store, turn, "c2", "human_handoff", {"reason": "?"})

    async with store_of(settings) as store:
        said = await ended_by_another(store)
        seen = await given(store, session_id)

    assert "lookup_order ran before that" in said
    assert "Where is order A-1001?" in prompts(seen)
    assert results(seen)["lookup_order"] == FOUND
    assert "do not repeat it" in results(seen)["human_handoff"]


async def test_a_turn_that_runs_again_finds_the_history_as_it_was(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Where is order A-1001?"], "c1")
        await claimed(store, session_id)

    async with store_of(settings) as store:
        assert await ended_by_another(store)
        await store.post(session_id, TENANT, ["Where is order A-1001?"], "c1")

        assert (await claimed(store, session_id)).history is None


def test_a_call_that_has_its_result_already_is_told_once() -> None:
    made = [MadeCall(id, "lookup_order", {}, state, FOUND, "") for id, state in STATES]

    once = with_calls(begun(None, ["Hello"]), made)
    twice = with_calls(once, made[:1])

    assert once.count(b'"tool_call_id":"done"') == 2, "the call and its result"
    assert twice == once


STATES = [("done", CallState.COMPLETED), ("failed", CallState.FAILED), ("never", CallState.APPROVED)]
