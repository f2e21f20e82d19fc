"""What survives a server that stops or dies, on each database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from adapters.agent.server import calls
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.rows import now
from gateway.events import AgentStatus, Confirm, Delta, TurnFailed
from tests.adapters.agent.stores import TENANT, begin_call, claimed, refunds_made, store_of
from tests.adapters.agent.world import (
    AWAITING,
    REFUND,
    asked_all,
    client_of,
    failure,
    parked,
    reply,
    rest_of_turn,
    say,
    serving,
)


async def test_an_approval_is_answered_at_the_next_server(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert line.status is AgentStatus.AWAITING_APPROVAL
        await line.answer(request_id, Confirm(arguments={"amount": 30}))

        assert "$30" in reply(await rest_of_turn(line))

    assert await refunds_made(settings) == 1


async def test_a_message_that_waits_behind_an_approval_survives(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        await line.post("Hello", client_message_id="c2")

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        await line.answer(request_id, Confirm())

        assert "$40" in reply(await rest_of_turn(line))
        assert "Hello" in reply(await rest_of_turn(line))


async def test_a_server_that_stops_closes_its_turns_as_interrupted(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            await line.post("Count slowly to 100.", client_message_id="c1")
            while not isinstance(await anext(line.events()), Delta):
                pass

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert line.status is AgentStatus.IDLE
        last = (await line.history())[-1]
        assert isinstance(last, TurnFailed)
        assert "interrupted" in last.error
        assert "Hello" in reply(await say(line, "Hello"))


async def test_a_server_that_died_mid_turn_left_a_turn_that_is_closed_as_interrupted(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Hello"], "c1")
        await claimed(store, session_id)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert line.status is AgentStatus.IDLE
        assert [type(entry) for entry in await line.history()][-1] is TurnFailed
        assert "again" in reply(await say(line, "Hello again"))


async def test_a_message_that_was_acknowledged_and_not_begun_is_answered_by_the_next_server(
    settings: ServerSettings,
) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Count slowly to 5."], "c1")

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        if line.status is not AgentStatus.IDLE:
            await until_idle(line.events())
        assert "five" in str((await line.history())[-1])


async def until_idle(events: AsyncIterator[object]) -> None:
    async for event in events:
        if getattr(event, "status", None) is AgentStatus.IDLE:
            return


async def test_an_answer_that_was_taken_and_not_begun_is_carried_out_once(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await calls.answer(db, session_id, request_id, Confirm(), now())
        await claimed(store, session_id)

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        if line.status is not AgentStatus.IDLE:
            await until_idle(line.events())
        assert "$40" in str((await line.history())[-1])

    assert await refunds_made(settings) == 1


async def test_an_approved_call_that_had_begun_is_never_run_again(settings: ServerSettings) -> None:
    session_id, request_id = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await calls.answer(db, session_id, request_id, Confirm(), now())
        turn = await claimed(store, session_id)
        [call] = turn.answered
        await begin_call(store, turn, call.tool_call_id, call.tool_name, dict(call.arguments or {}))

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert line.status is AgentStatus.IDLE
        last = (await line.history())[-1]
        assert isinstance(last, TurnFailed)
        assert not last.resumable
        assert "the outcome of issue_refund is unknown" in last.error
        assert "Hello" in reply(await say(line, "Hello"))

    assert await refunds_made(settings) == 0


async def test_a_request_nobody_answers_expires(settings: ServerSettings) -> None:
    at_once = settings.model_copy(update={"approval_expires_after": timedelta(0), "look_every_s": 0.01})
    async with serving(at_once) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            assert (await say(line, REFUND))[-1] == AWAITING

            assert "nobody could decide" in reply(await rest_of_turn(line))


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)  # one process owns a SQLite database
async def test_two_servers_that_live_leave_each_others_turns_alone(settings: ServerSettings) -> None:
    async with serving(settings) as one, client_of(one) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            await line.post("Count slowly to 5.", client_message_id="c1")
            while not isinstance(await anext(line.events()), Delta):
                pass

            async with serving(settings):
                await until_idle(line.events())

            assert "five" in str((await line.history())[-1])


async def test_many_sessions_at_once_each_get_their_own_reply(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:

        async def one(n: int) -> str:
            async with client.attach(await client.open_session("support")) as line:
                return reply(await say(line, f"I am number {n}"))

        replies = await asyncio.gather(*(one(n) for n in range(20)))

    assert [f"number {n}" in said for n, said in enumerate(replies)] == [True] * 20


async def test_a_removed_agent_says_so(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "gone")

    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        events = await say(line, "Hello")

    assert "gone" in failure(events)
    assert asked_all(events) == []


async def test_a_database_of_an_older_release_gets_the_index_of_what_waits(settings: ServerSettings) -> None:
    async with store_of(settings) as store, store.database.writing() as db:
        await db.execute(text("DROP INDEX ix_agent_posts_waiting"))

    async with store_of(settings) as store, store.database.writing() as db:
        await db.execute(text("DROP INDEX ix_agent_posts_waiting"))
