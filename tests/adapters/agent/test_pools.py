"""The embedded server's connections to PostgreSQL: how many, what each is for, and what happens when they are cut."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.server.app import ServerSettings
from adapters.agent.server.database import Database
from adapters.agent.server.liveness import AWAY
from gateway.errors import AgentUnavailable, ConfigError
from gateway.events import AgentEvent, AgentStatus, Confirm, Delta, Replied, TurnFailed, UserPosted
from gateway.ports import AgentLine
from tests.adapters.agent.stores import TENANT, claimed, refunds_made, store_of
from tests.adapters.agent.world import asked_all, client_of, failure, reply, rest_of_turn, say, serving
from tests.helpers.process import until

pytestmark = pytest.mark.parametrize("settings", ["postgres"], indirect=True)  # SQLite has neither pools nor outages


TRIES = 10  # of looks at the sessions: meanwhile the turn that has ended tries too
TWO_REFUNDS = "Please refund order A-1001, $40 and order A-1002, $10."


def small(settings: ServerSettings, **changes: Any) -> ServerSettings:
    return settings.model_copy(update={"pool_size": 1, "look_every_s": 0.1, **changes})


async def connections(url: str) -> int:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        row = await (await db.execute(query)).fetchone()
    return int(row[0]) if row else 0


async def cut(settings: ServerSettings) -> None:
    """End every connection to the database."""
    async with await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True) as db:
        await db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


class Outage:
    """The database takes no connection and has cut those it had, until the block ends."""

    def __init__(self, settings: ServerSettings) -> None:
        self._server, _, self._name = settings.database_url.rpartition("/")

    async def __aenter__(self) -> None:
        await self._allow(False)
        await self._on_another("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", self._name)

    async def __aexit__(self, *_: object) -> None:
        await self._allow(True)

    async def _allow(self, allowed: bool) -> None:
        await self._on_another(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS {allowed}")

    async def _on_another(self, statement: str, *values: str) -> None:
        other = f"{self._server}/template1"
        async with await psycopg.AsyncConnection.connect(other, autocommit=True) as db:
            await db.execute(statement, values or None)


# --- few connections ---------------------------------------------------------------------------------------


@pytest.mark.long
async def test_thirty_turns_at_once_get_by_with_one_connection(settings: ServerSettings) -> None:
    seen: list[int] = []
    one_looks = asyncio.Lock()  # whoever looks is connected too
    async with serving(small(settings)) as url, client_of(url) as client:

        async def look() -> None:
            async with one_looks:
                seen.append(await connections(settings.database_url))

        async def one(n: int) -> str:
            async with client.attach(await client.open_session("support")) as line:
                if n % 3:
                    said = await say(line, f"Where is order A-100{1 + n % 5}?")
                    await look()  # in the middle of what the others do
                    return reply(said)
                for request in asked_all(await say(line, TWO_REFUNDS)):  # then two tools run at once
                    await line.answer(request.message_id, Confirm())
                return reply(await rest_of_turn(line))

        replies = await asyncio.gather(*(one(n) for n in range(30)))

    assert all("A-100" in said for said in replies)
    assert await refunds_made(settings) == 20
    assert max(seen) == 2, "one for queries, one that says that the server lives"


async def test_behind_a_pooler_the_lock_has_an_address_of_its_own(settings: ServerSettings) -> None:
    pooled = settings.database_url + "?application_name=pooled"
    direct = settings.database_url + "?application_name=direct"
    async with serving(small(settings, database_url=pooled, direct_url=direct)) as url, client_of(url) as client:
        async with client.attach(await client.open_session("support")) as line:
            for n in range(10):
                assert "Hello" in reply(await say(line, "Hello", name=f"c{n}"))
        async with await psycopg.AsyncConnection.connect(settings.database_url) as db:
            query = (
                "SELECT application_name, array_agg(DISTINCT locktype) FILTER (WHERE locktype = 'advisory')"
                " FROM pg_stat_activity LEFT JOIN pg_locks USING (pid) WHERE datname = current_database()"
                " AND application_name <> '' GROUP BY 1 ORDER BY 1"
            )
            assert await (await db.execute(query)).fetchall() == [("direct", ["advisory"]), ("pooled", None)]


async def test_a_pooler_is_given_no_prepared_statements(settings: ServerSettings) -> None:
    pooled = Database(settings.database_url, direct_url=settings.database_url)
    await pooled.open()
    async with pooled.reading() as db:
        for _ in range(10):
            await db.execute(text("SELECT 1"))
        assert await db.scalar(text("SELECT count(*) FROM pg_prepared_statements")) == 0
    await pooled.close()


async def test_a_line_that_is_cut_in_silence_is_noticed(settings: ServerSettings) -> None:
    database = Database(settings.database_url + "?keepalives_idle=7")
    async with database.reading() as db:
        parameters = await line_of(db)
    await database.close()

    assert parameters["keepalives_idle"] == "7", "the address may say otherwise"
    named = ("connect_timeout", "keepalives_interval", "keepalives_count", "tcp_user_timeout")
    assert [parameters[name] for name in named] == ["5", "2", "3", "10000"]


async def line_of(db: AsyncConnection) -> dict[str, str]:
    raw = (await db.get_raw_connection()).driver_connection
    assert isinstance(raw, psycopg.AsyncConnection)
    return raw.info.get_parameters()


async def test_a_direct_address_that_is_none_is_named_by_its_variable(settings: ServerSettings) -> None:
    with pytest.raises(ConfigError, match="DATABASE_DIRECT_URL"):
        Database(settings.database_url, direct_url="db.example")


# --- the database is away ----------------------------------------------------------------------------------


async def until_idle(events: AsyncIterator[AgentEvent]) -> list[AgentEvent]:
    seen: list[AgentEvent] = []
    async for event in events:
        seen.append(event)
        if getattr(event, "status", None) is AgentStatus.IDLE:
            return seen
    raise AssertionError("events never end by themselves")


async def counting(line: AgentLine, words: int) -> None:
    await line.post(f"Count slowly to {words}.", client_message_id="c1")
    await hears(line, "one")


async def looked(caplog: pytest.LogCaptureFixture, times: int) -> bool:
    return caplog.text.count("the database is away") >= times


async def hears(line: AgentLine, word: str) -> None:
    while not (isinstance(event := await anext(line.events()), Delta) and word in event.text):
        pass


@pytest.mark.long
async def test_a_turn_that_ends_in_an_outage_is_kept_after_it(
    settings: ServerSettings, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(small(settings)) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            await counting(line, 20)
            async with Outage(settings):
                await hears(line, "twenty")
                caplog.clear()
                await until(lambda: looked(caplog, TRIES), "a server that looks again and again")

            assert "twenty" in reply(await until_idle(line.events()))


async def test_who_asks_during_an_outage_is_answered_after_it(settings: ServerSettings) -> None:
    async with serving(small(settings)) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with Outage(settings):
            with pytest.raises(AgentUnavailable):
                async with client.attach(session_id):
                    pass

        async with client.attach(session_id) as line:
            assert "Hello" in reply(await say(line, "Hello"))


async def test_a_server_whose_connections_were_cut_is_held_to_be_alive_again(settings: ServerSettings) -> None:
    async with store_of(settings) as mine, store_of(settings) as other:
        await cut(settings)
        await mine.database.liveness.prove()
        async with store_of(settings) as fresh, fresh.database.reading() as db:
            assert await fresh.database.liveness.lives(mine.database.server_id, db)
            assert not await fresh.database.liveness.lives(other.database.server_id, db), "it has not come back yet"


async def test_after_an_outage_the_others_are_given_time_to_come_back(settings: ServerSettings) -> None:
    async with store_of(settings) as mine, store_of(settings) as other:
        await cut(settings)
        await mine.database.liveness.prove()
        async with mine.database.reading() as db:
            assert await mine.database.liveness.lives(other.database.server_id, db)


async def test_who_cannot_take_its_lock_again_says_so_and_tries_later(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        liveness = store.database.liveness
        await cut(settings)
        async with await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True) as ghost:
            # What PostgreSQL has not yet noticed of the old connection still holds the lock.
            await ghost.execute("SELECT pg_advisory_lock(%s)", [liveness.server_id])
            with pytest.raises(AWAY):
                await liveness.prove()
        await liveness.prove()
        assert await connections(settings.database_url) == 1


# --- several servers ---------------------------------------------------------------------------------------


async def test_a_dead_servers_turn_is_found_by_another_one(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with store_of(settings) as dying:
            await dying.post(session_id, TENANT, ["Hello"], "c1")
            await claimed(dying, session_id)
            line = client.attach(session_id)
            attached = await line.__aenter__()
            assert attached.status is AgentStatus.PROCESSING
        async with asyncio.timeout(20):
            found = await until_idle(attached.events())

        assert [event.resumable for event in found if isinstance(event, TurnFailed)] == [True]
        await attached.post("Hello", client_message_id="c1")
        assert "Hello" in reply(await rest_of_turn(attached))
        await line.__aexit__(None, None, None)


async def test_who_listens_at_another_server_hears_how_the_turn_ends(settings: ServerSettings) -> None:
    quick = small(settings)
    async with serving(quick) as one, serving(quick) as other, client_of(one) as here, client_of(other) as there:
        session_id = await here.open_session("support")
        async with here.attach(session_id) as line, there.attach(session_id) as idle:
            assert idle.status is AgentStatus.IDLE
            await counting(line, 5)
            async with there.attach(session_id) as listening:
                assert listening.status is AgentStatus.PROCESSING
                assert reply(await until_idle(listening.events())) == "one two three four five"

                await say(listening, "Hello")
                history = await listening.history()
    assert [type(entry) for entry in history] == [UserPosted, Replied] * 2


async def test_who_listens_at_another_server_hears_that_the_turn_failed(settings: ServerSettings) -> None:
    quick = small(settings)
    async with store_of(settings) as store, serving(quick) as url, client_of(url) as client:
        session_id = await store.open_session(TENANT, "support")
        await store.post(session_id, TENANT, ["Hello"], "c1")
        turn = await claimed(store, session_id)
        async with client.attach(session_id) as line:
            assert line.status is AgentStatus.PROCESSING
            await store.fail(turn, "the model is away", None)

            assert failure(await until_idle(line.events())) == "the model is away"


async def test_who_connected_in_silence_hears_what_is_said_at_another_server(settings: ServerSettings) -> None:
    quick = small(settings)
    async with serving(quick) as one, serving(quick) as other, client_of(one) as here, client_of(other) as there:
        session_id = await here.open_session("support")
        async with here.attach(session_id) as line, there.attach(session_id) as listening:
            assert listening.status is AgentStatus.IDLE
            for number in range(3):
                said = await say(line, f"Hello, number {number}")
                assert reply(await until_idle(listening.events())) == reply(said)


async def test_a_post_that_another_server_begins_first_is_answered_where_it_was_posted(
    settings: ServerSettings,
) -> None:
    greedy = small(settings, look_every_s=0.01)
    async with serving(greedy) as one, serving(greedy), client_of(one) as client:

        async def talk() -> list[AgentEvent]:
            async with client.attach(await client.open_session("support")) as line:
                await line.post("Hello", client_message_id="c1")
                return await until_idle(line.events())

        async with asyncio.timeout(30):
            talks = await asyncio.gather(*(talk() for _ in range(30)))
    assert all("Hello" in reply(said) for said in talks)


async def test_a_server_that_stops_leaves_no_connection(settings: ServerSettings) -> None:
    async with serving(settings) as url, client_of(url) as client:
        session_id = await client.open_session("support")
        async with client.attach(session_id) as line:
            assert "Hello" in reply(await say(line, "Hello"))

    async def none_left() -> bool:
        return await connections(settings.database_url) == 0

    await until(none_left, "no connection left")
