"""What a server takes up that it did not keep itself: its look, beside another server on the same database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from adapters.agent import frames
from adapters.agent.server import calls
from adapters.agent.server.agents import Agents
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import load
from adapters.agent.server.rows import now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sessions import Sessions
from adapters.agent.server.store import Store
from gateway.events import AgentStatus, Confirm
from tests.adapters.agent.stores import TENANT, claimed, refunds_made, store_of
from tests.adapters.agent.world import parked

on_postgres = pytest.mark.parametrize("settings", ["postgres"], indirect=True)
on_sqlite = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)


class Looker:
    """A server without a door: it only looks."""

    def __init__(self, store: Store, settings: ServerSettings) -> None:
        agents = Agents(load(settings.agents_dir), store.database)
        self._sessions = Sessions(store, agents, Runtime(), approval_expires_after=timedelta(days=8))

    async def looks(self) -> None:
        """And does all it finds to do."""
        await self._sessions.look()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)


@asynccontextmanager
async def two_servers(settings: ServerSettings) -> AsyncIterator[tuple[Looker, Store]]:
    """One that looks, and one that takes posts and answers, as far as the database has it."""
    async with store_of(settings) as one, store_of(settings) as other:
        await other.database.liveness.prove()
        yield Looker(one, settings), other


async def posted(store: Store, text: str, session_id: str = "") -> str:
    session_id = session_id or await store.open_session(TENANT, "support")
    await store.post(session_id, TENANT, [text], text)
    return session_id


async def is_done(store: Store, session_id: str) -> bool:
    [(_, _, status)] = await store.standing([session_id])
    return status is AgentStatus.IDLE and await store.claim(session_id) is None


@on_postgres
async def test_a_post_that_another_server_has_just_kept_is_left_to_it(settings: ServerSettings) -> None:
    async with two_servers(settings) as (looker, other):
        session_id = await posted(other, "Hello")

        await looker.looks()

        await claimed(other, session_id)


@on_postgres
async def test_a_post_that_still_waits_at_the_next_look_is_taken_up(settings: ServerSettings) -> None:
    async with two_servers(settings) as (looker, other):
        session_id = await posted(other, "Hello")

        await looker.looks()
        await looker.looks()

        assert await is_done(other, session_id)


@on_postgres
async def test_each_post_of_a_session_is_left_to_its_server_anew(settings: ServerSettings) -> None:
    async with two_servers(settings) as (looker, other):
        session_id = await posted(other, "Hello")
        await looker.looks()
        await other.complete(await claimed(other, session_id), frames.complete("Hello!"), None)

        await posted(other, "Goodbye", session_id)
        await looker.looks()

        await claimed(other, session_id)


@on_postgres
async def test_an_answer_that_another_server_has_just_taken_is_left_to_it_until_the_next_look(
    settings: ServerSettings,
) -> None:
    session_id, request_id = await parked(settings)
    async with two_servers(settings) as (looker, other):
        async with other.database.writing() as db:
            await calls.answer(db, session_id, request_id, Confirm(), now())

        await looker.looks()
        assert await refunds_made(settings) == 0

        await looker.looks()
        assert await refunds_made(settings) == 1
        assert await is_done(other, session_id)


@on_postgres
async def test_what_waits_behind_a_dead_servers_turn_is_taken_up_with_its_end(settings: ServerSettings) -> None:
    async with store_of(settings) as looking:
        async with store_of(settings) as dead:
            session_id = await posted(dead, "Hello")
            await claimed(dead, session_id)
            await posted(dead, "Are you there?", session_id)

        await Looker(looking, settings).looks()

        assert await is_done(looking, session_id)


@on_sqlite
async def test_what_waits_where_there_is_no_other_server_is_taken_up_at_once(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        session_id = await posted(store, "Hello")

        await Looker(store, settings).looks()

        assert await is_done(store, session_id)
