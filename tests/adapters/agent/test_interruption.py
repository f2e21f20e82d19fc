"""A turn whose server stopped or died: posted again it runs again, unless a tool had begun. On each database."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from adapters.agent import frames
from adapters.agent.server import calls, recovery, tables
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import load
from adapters.agent.server.rows import Turn, now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.store import Store
from adapters.agent.server.turns import RunningTurn
from gateway.events import AgentStatus, Confirm, Delta, Deny, HistoryEntry, Replied, TurnFailed, UserPosted
from gateway.ports import AgentLine
from tests.adapters.agent.stores import TENANT, begin_call, claimed, count, model_history, refunds_made, store_of
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import AGENTS, REFUND, client_of, failure, parked, reply, rest_of_turn, say, serving

SUPPORT = load(AGENTS)["support"]
COUNT = "Count slowly to 5."


async def stopped_while_counting(settings: ServerSettings) -> str:
    """A session whose server stopped in the middle of an answer; the post is `c1`."""
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            await say(line, "My name is Alice and I live in Boston.")
            await line.post(COUNT, client_message_id="c1")
            while not isinstance(await anext(line.events()), Delta):
                pass
    return session_id


async def died_with(settings: ServerSettings, text: str, tool: str = "") -> str:
    """A session whose server died after it had begun the post `c1`, and a call of a tool if one is named."""
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, [text], "c1")
        turn = await claimed(store, session_id)
        if tool:
            await begin_call(store, turn, "call-1", tool, {"order_id": "A-1001"})
    return session_id


def last_failure(history: Sequence[HistoryEntry]) -> TurnFailed:
    assert isinstance(history[-1], TurnFailed)
    return history[-1]


async def silent(line: AgentLine) -> bool:
    """Nothing comes of what was posted: the next message is answered alone."""
    said = await say(line, "Hello", name="after")
    return "Hello" in reply(said) and isinstance((await line.history())[-1], Replied)


async def test_who_posts_again_after_the_server_stopped_gets_the_whole_reply_once(settings: ServerSettings) -> None:
    session_id = await stopped_while_counting(settings)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert last_failure(await line.history()).resumable
        await line.post(COUNT, client_message_id="c1")
        assert reply(await rest_of_turn(line)) == "one two three four five"

        history = await line.history()
        assert [entry.text for entry in history if isinstance(entry, UserPosted)].count(COUNT) == 1
        assert [type(entry) for entry in history[2:]] == [UserPosted, TurnFailed, Replied]
        assert "Alice" in reply(await say(line, "What did I just tell you about myself?"))
    assert (await model_history(settings, session_id)).count(COUNT) == 1


async def test_who_posts_again_after_the_server_died_gets_the_reply(settings: ServerSettings) -> None:
    session_id = await died_with(settings, "Where is order A-1001?")

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert last_failure(await line.history()).resumable
        await line.post("Where is order A-1001?", client_message_id="c1")

        assert "A-1001" in reply(await rest_of_turn(line))


@pytest.mark.long
async def test_a_post_may_be_interrupted_many_times_and_is_one_message(settings: ServerSettings) -> None:
    session_id = await stopped_while_counting(settings)
    for _ in range(2):
        async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
            await line.post(COUNT, client_message_id="c1")
            while not isinstance(await anext(line.events()), Delta):
                pass

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        await line.post(COUNT, client_message_id="c1")
        assert reply(await rest_of_turn(line)) == "one two three four five"
        assert [type(entry) for entry in (await line.history())[2:]] == [UserPosted, *[TurnFailed] * 3, Replied]


async def test_the_second_post_is_acknowledged_with_the_ids_of_the_first(settings: ServerSettings) -> None:
    async with serving(settings) as url, wired(url) as wire:
        session_id = await wire.session()
        await wire.send(frames.post_message(session_id, COUNT, client_message_id="c1"))
        first = await wire.next()
        while (await wire.next())["type"] != "message_delta":
            pass

    async with serving(settings) as url, wired(url) as wire:
        await wire.send(frames.connect_session(session_id), frames.get_messages(session_id))
        assert (await wire.next())["status"] == "Idle"
        content = (await wire.next())["messages"][-1]["content"]
        assert (content["code"], content["resumable"]) == ("interrupted", True)
        await wire.send(frames.post_message(session_id, COUNT, client_message_id="c1"))

        assert await wire.next() == first


async def test_a_post_that_is_answered_or_runs_is_not_run_again(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            await line.post(COUNT, client_message_id="c1")
            await line.post(COUNT, client_message_id="c1")
            assert reply(await rest_of_turn(line)) == "one two three four five"
            await line.post(COUNT, client_message_id="c1")

            assert await silent(line)


# --- not to be posted again --------------------------------------------------------------------------------


async def test_a_turn_whose_tool_had_begun_when_the_server_died_is_not_run_again(settings: ServerSettings) -> None:
    session_id = await died_with(settings, "I want to talk to a person.", "human_handoff")

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        failed = last_failure(await line.history())
        assert not failed.resumable
        assert "the outcome of human_handoff is unknown" in failed.error
        await line.post("I want to talk to a person.", client_message_id="c1")

        assert await silent(line)


async def test_a_turn_whose_tool_had_run_when_the_server_stopped_is_not_run_again(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Where is order A-1001?"], "c1")
        sent = await cancelled(store, await claimed(store, session_id))

    ended = sent[-2]["message"]["content"]
    assert (ended["code"], ended["resumable"]) == ("interrupted", False)
    assert "A-1001" in await model_history(settings, session_id), "the model knows what was done"


async def test_a_turn_that_was_terminated_is_not_run_again(settings: ServerSettings) -> None:
    async with serving(settings) as url, wired(url) as wire, client_of(url) as client:
        session_id = await wire.session()
        await wire.send(frames.post_message(session_id, COUNT, client_message_id="c1"))
        while (await wire.next())["type"] != "message_delta":
            pass
        await wire.send(frames.terminate_session(session_id))
        ended = (await wire.until("Idle"))[-2]["message"]["content"]
        assert (ended["code"], ended["resumable"]) == ("interrupted", False)

        async with client.attach(session_id) as line:
            await line.post(COUNT, client_message_id="c1")
            assert await silent(line)


async def test_a_session_that_is_terminated_forgets_what_could_run_again(settings: ServerSettings) -> None:
    session_id = await stopped_while_counting(settings)

    async with serving(settings) as url, wired(url) as wire, client_of(url) as client:
        await wire.send(frames.connect_session(session_id), frames.terminate_session(session_id))
        for _ in range(2):
            await wire.next()
        async with client.attach(session_id) as line:
            await line.post(COUNT, client_message_id="c1")
            assert await silent(line)


async def test_a_failure_of_the_model_is_not_resumable(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            assert "asked to fail" in failure(await say(line, "Please fail.", name="c1"))

            assert not last_failure(await line.history()).resumable
            await line.post("Please fail.", client_message_id="c1")
            assert await silent(line)


# --- decisions ---------------------------------------------------------------------------------------------


@pytest.mark.long
async def test_a_decision_that_was_taken_when_the_server_stopped_is_told_by_the_next(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await calls.answer(db, session_id, request_id, Deny(reason="not in this month"), now())
        await cancelled(store, await claimed(store, session_id))

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        await line.answer(request_id, Deny(reason="not in this month"))  # as who did not hear the end would
        if line.status is not AgentStatus.IDLE:
            await until_idle(line)
        assert "not in this month" in str((await line.history())[-1])


async def test_an_approved_call_that_had_run_when_the_server_stopped_runs_once(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await calls.answer(db, session_id, request_id, Confirm(), now())
        sent = await cancelled(store, await claimed(store, session_id))
    assert sent[-2]["message"]["content"]["resumable"] is False

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert not last_failure(await line.history()).resumable
        await line.post(REFUND, client_message_id=f"posted:{REFUND}")
        assert await silent(line)
    assert await refunds_made(settings) == 1


async def until_idle(line: AgentLine) -> None:
    async for event in line.events():
        if getattr(event, "status", None) is AgentStatus.IDLE:
            return


# --- a server that is held to be dead and is not -----------------------------------------------------------


async def test_a_turn_that_another_server_ended_begins_no_tool(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Where is order A-1001?"], "c1")
        turn = await claimed(store, session_id)

        async def held_to_be_dead(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            assert await recovery.end_orphans(store, lambda _: False)
            yield {0: DeltaToolCall(name="lookup_order", json_args='{"order_id": "A-1001"}', tool_call_id="c1")}

        sent: list[frames.Frame] = []
        running = RunningTurn(store, turn, SUPPORT, sent.append, timedelta(days=8))

        await running.play(Runtime(lambda _: FunctionModel(stream_function=held_to_be_dead)))
        assert sent == []
        assert await count(store, tables.calls) == 0


async def test_a_turn_that_another_server_ended_asks_nobody(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, [REFUND], "c1")
        turn = await claimed(store, session_id)

        async def held_to_be_dead(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
            assert await recovery.end_orphans(store, lambda _: False)
            yield {0: DeltaToolCall(name="issue_refund", json_args='{"order_id": "A-1001", "amount": 40}')}

        sent: list[frames.Frame] = []
        running = RunningTurn(store, turn, SUPPORT, sent.append, timedelta(days=8))

        await running.play(Runtime(lambda _: FunctionModel(stream_function=held_to_be_dead)))
        assert sent == []
        assert await count(store, tables.calls) == 0


# --- a model that can be stopped at a moment of our choice -------------------------------------------------


async def after_a_tool(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    """Calls a tool, and when it has its result says half a sentence and no more."""
    if any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
        yield "I have found"
        await asyncio.Event().wait()
    yield {0: DeltaToolCall(name="lookup_order", json_args='{"order_id": "A-1001"}', tool_call_id="call-1")}


async def cancelled(store: Store, turn: Turn) -> list[frames.Frame]:
    """What was sent of a turn whose server stopped when the model had said its half sentence."""
    sent: list[frames.Frame] = []
    begun = asyncio.Event()

    def send(frame: frames.Frame) -> None:
        sent.append(frame)
        if frame["type"] == "message_delta":
            begun.set()

    running = RunningTurn(store, turn, SUPPORT, send, timedelta(days=8))
    task = asyncio.create_task(running.play(Runtime(lambda _: FunctionModel(stream_function=after_a_tool))))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return sent
