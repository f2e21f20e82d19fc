"""A session that is to be forgotten is, with all that names it; somebody else's is not. On each database."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server import erasing, tables
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.beside import Beside
from adapters.agent.server.rows import now
from adapters.agent.server.store import Store
from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import Delta, TurnFailed
from tests.adapters.agent.stores import TENANT, claimed, store_of
from tests.adapters.agent.world import IDLE, client_of, parked, reply, rest_of_turn, say, serving, serving_app

NAMED = [table for table in tables.metadata.sorted_tables if "session_id" in table.c]
FORGOTTEN = {"agent_sessions": 0} | {table.name: 0 for table in NAMED}


@pytest.fixture
async def url(settings: ServerSettings) -> AsyncIterator[str]:
    async with serving(settings) as base:
        yield base


async def left(settings: ServerSettings, session_id: str) -> dict[str, int]:
    """How many rows of each table name the session."""
    found = {}
    async with store_of(settings) as store, store.database.reading() as db:
        for table in (tables.sessions, *NAMED):
            name = table.c.id if table is tables.sessions else table.c.session_id
            found[table.name] = await db.scalar(select(func.count()).select_from(table).where(name == session_id)) or 0
    return found


async def with_everything(store: Store, session_id: str) -> None:
    """A row that names it in each table, whatever else the table holds."""
    async with store.database.writing() as db:
        for table in NAMED:
            values: dict[str, Any] = {}
            for column in table.c:
                if not (column.nullable or column.autoincrement is True):
                    kind = column.type.python_type if not isinstance(column.type, tables.UtcTime) else None
                    values[column.name] = now() if kind is None else {str: "x", int: 1, dict: {}}.get(kind, "x")
            await db.execute(insert(table).values({**values, "session_id": session_id}))


async def test_every_row_that_names_it_is_gone(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await with_everything(store, session_id)
    assert set((await left(settings, session_id)).values()) == {1}

    async with serving(settings) as url, client_of(url) as client:
        assert await client.erase(session_id)

    assert await left(settings, session_id) == FORGOTTEN


async def test_who_comes_back_finds_no_session(client: AgentClient, url: str, settings: ServerSettings) -> None:
    session_id = await client.open_session("support")
    other = await client.open_session("support")
    async with client.attach(session_id) as line:
        await say(line, "My name is Alice and I live in Boston.")

    assert await client.erase(session_id)
    assert await client.erase(session_id)  # twice is safe
    assert await client.erase("session_nobody_knows")

    async with client_of(url) as another:
        with pytest.raises(SessionGone):
            async with another.attach(session_id):
                pass
        async with another.attach(other) as line:
            assert "Alice" not in reply(await say(line, "Who am I?"))
    assert await left(settings, session_id) == FORGOTTEN


async def test_a_parked_session_is_forgotten_with_what_it_asked(settings: ServerSettings) -> None:
    session_id, _ = await parked(settings)

    async with serving(settings) as url, client_of(url) as client:
        assert await client.erase(session_id)

    assert await left(settings, session_id) == FORGOTTEN


async def test_a_turn_that_runs_ends_first(client: AgentClient, settings: ServerSettings) -> None:
    session_id = await client.open_session("support")
    async with client.attach(session_id) as line:
        await line.post("Count slowly to 20.", client_message_id="c1")
        events = line.events()
        while not isinstance(await anext(events), Delta):
            pass

        assert await client.erase(session_id)

        rest = []
        while (event := await anext(events)) != IDLE:
            rest.append(event)
        with pytest.raises(SessionGone):
            await line.post("Hello?", client_message_id="c2")
        with pytest.raises(SessionGone):
            await line.history()
    assert isinstance(rest[-1], TurnFailed)
    assert await left(settings, session_id) == FORGOTTEN


async def test_a_foreign_session_looks_unknown_and_stays(client: AgentClient, url: str) -> None:
    session_id = await client.open_session("support")

    async with client_of(url, key="key-2") as stranger:
        assert await stranger.erase(session_id)

    async with client.attach(session_id) as line:
        assert reply(await say(line, "Hello"))


async def test_a_server_that_runs_its_turn_elsewhere_keeps_nothing_more(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Hello"], "c1")
        turn = await claimed(store, session_id)

        await erasing.forget(store.database, session_id, TENANT)

        assert await store.say(turn, {"type": "thinking", "content": "hm"}) is None
        assert await store.complete(turn, {"type": "data_type_message", "value": "Hi"}, b"history") is None
        assert await store.fail(turn, "it failed", None) is None
    assert await left(settings, session_id) == FORGOTTEN


async def test_beside_a_running_server_its_rows_are_erased_and_its_turns_go_on(
    client: AgentClient, settings: ServerSettings
) -> None:
    session_id, other = await client.open_session("support"), await client.open_session("support")
    async with client.attach(session_id) as line:
        await say(line, "My name is Alice.")
    beside = Beside(settings.database_url, "key-1")
    async with client.attach(other) as line:
        await line.post("Count slowly to 3.", client_message_id="c1")

        assert await beside.erase(session_id)
        await beside.aclose()

        assert reply(await rest_of_turn(line)) == "one two three"
    assert await left(settings, session_id) == FORGOTTEN


async def test_a_database_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    beside = Beside(f"sqlite:///{tmp_path}/none.db", "key-1")

    with pytest.raises(AgentUnavailable, match="there is no"):
        await beside.erase("session_1")

    await beside.aclose()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_platform_without_deletion_is_told_apart(status: int) -> None:
    async with _platform(status) as client:
        assert not await client.erase("s1")


@pytest.mark.parametrize("status", [429, 500, 503, 302])
async def test_a_platform_in_trouble_is_to_be_asked_again(status: int) -> None:
    async with _platform(status) as client:
        with pytest.raises(AgentUnavailable, match=str(status)):
            await client.erase("s1")


@pytest.mark.parametrize("status", [401, 403])
async def test_a_platform_that_refuses_the_key_says_so(status: int) -> None:
    async with _platform(status) as client:
        with pytest.raises(AgentRefused, match="AGENT__API_KEY"):
            await client.erase("s1")


async def test_a_platform_that_is_not_there_cannot_be_asked() -> None:
    client = AgentClient(AgentSettings(url="http://127.0.0.1:1/v1"))
    with pytest.raises(AgentUnavailable, match="cannot be reached"):
        await client.erase("s1")
    await client.aclose()


@asynccontextmanager
async def _platform(status: int) -> AsyncIterator[AgentClient]:
    """One that answers with this to whoever erases a session."""

    async def answer(request: Request) -> Response:
        return Response(status_code=status)

    app = Starlette(routes=[Route("/v1/sessions/{id}", answer, methods=["DELETE"])])
    async with serving_app(app) as url, client_of(url) as client:
        yield client


async def test_beside_a_running_server_a_session_is_remembered_as_over_its_line(
    client: AgentClient, settings: ServerSettings
) -> None:
    session_id = await client.open_session("support")
    async with client.attach(session_id) as line:
        await say(line, "My name is Alice.")
        told = await line.history()
    ours, theirs = Beside(settings.database_url, "key-1"), Beside(settings.database_url, "key-2")

    async with ours.attach(session_id) as remembered:
        assert await remembered.history() == told
    with pytest.raises(SessionGone):
        async with theirs.attach(session_id):
            raise AssertionError("somebody else's session")

    await ours.aclose()
    await theirs.aclose()


async def test_a_database_that_is_not_there_cannot_be_asked_what_was_said(tmp_path: Path) -> None:
    beside = Beside(f"sqlite:///{tmp_path}/none.db", "key-1")

    with pytest.raises(AgentUnavailable, match="there is no"):
        async with beside.attach("session_1"):
            raise AssertionError("nobody was asked")

    await beside.aclose()
