"""As many sockets, posts and agents as one key may have; a session that fails, and the others beside it."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import update
from websockets.exceptions import InvalidStatus

from adapters.agent import frames
from adapters.agent.server import recovery, tables
from adapters.agent.server.agents import Agents
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import load
from adapters.agent.server.limits import Limits
from adapters.agent.server.rows import now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.sessions import Sessions
from adapters.agent.server.store import Store
from gateway.events import AgentStatus
from tests.adapters.agent.stores import TENANT, claimed, store_of
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import AGENTS, parked, serving

DESK = {"llm_client_key": {"provider": "offline", "model_id": ""}, "instructions": "Be kind."}


def limited(settings: ServerSettings, **limits: int) -> ServerSettings:
    return settings.model_copy(update={"limits": Limits.model_validate(limits)})


async def test_one_socket_more_than_a_key_may_have_is_refused_and_others_come_in(
    sqlite_settings: ServerSettings,
) -> None:
    async with serving(limited(sqlite_settings, max_sockets=1)) as url:
        async with wired(url), wired(url, "key-2"):
            with pytest.raises(InvalidStatus) as refused:
                async with wired(url):
                    pass
        async with wired(url) as again:
            assert await again.session()

    assert refused.value.response.status_code == 429
    assert b"set AGENT_SERVER__MAX_SOCKETS" in (refused.value.response.body or b"")


async def test_one_post_more_than_may_wait_is_refused_and_the_first_comes_twice(settings: ServerSettings) -> None:
    async with serving(limited(settings, max_waiting_posts=1)) as url, wired(url) as wire:
        session_id = await wire.session()
        for name in ("Count slowly to 5.", "Hello", "Hello again", "Hello"):
            await wire.send(frames.post_message(session_id, name, client_message_id=name))
            if name == "Count slowly to 5.":
                while (await wire.next())["type"] != "message_delta":
                    pass
        acks = [frame for frame in await wire.until("Idle") if frame["type"] == "post_message"]

    assert [ack["success"] for ack in acks] == [True, False, True]
    assert acks[1]["error"].startswith("1 posts wait in this session")


async def test_one_agent_more_than_a_key_may_save_is_refused(settings: ServerSettings) -> None:
    async with (
        serving(limited(settings, max_agents=1)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http,
    ):
        first = await http.post("/agent", json={"name": "one", **DESK})
        second = await http.post("/agent", json={"name": "two", **DESK})
        await http.delete(f"/agent/{first.json()['id']}")
        third = await http.post("/agent", json={"name": "three", **DESK})

    assert (first.status_code, second.status_code, third.status_code) == (200, 429, 200)
    assert "delete one" in second.json()["error"]


# --- one that fails ------------------------------------------------------------------------------------------


async def test_a_request_that_cannot_be_ended_keeps_no_other_open(settings: ServerSettings) -> None:
    """Its message is gone."""
    broken, request_id = await parked(settings)
    whole, _ = await parked(settings)
    async with store_of(settings) as store:
        async with store.database.writing() as db:
            await db.execute(update(tables.calls).values(expires_at=now() - timedelta(1)))
            await db.execute(tables.messages.delete().where(tables.messages.c.id == request_id))
        looker = Sessions(
            store, Agents(load(AGENTS), store.database), Runtime(), approval_expires_after=timedelta(days=8)
        )
        await looker.look()
        await looker.look()
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

        standing = {id: status for id, _, status in await store.standing([broken, whole])}
    assert standing == {broken: AgentStatus.AWAITING_APPROVAL, whole: AgentStatus.IDLE}


async def test_a_turn_that_cannot_be_ended_keeps_no_other_running(settings: ServerSettings) -> None:
    """The id of its end is taken."""
    async with store_of(settings) as store:
        sessions = [await posted(store) for _ in range(2)]
        turns = [await claimed(store, session_id) for session_id in sessions]
        said = await store.say(turns[0], {"type": "thinking"})
        assert said is not None
        async with store.database.writing() as db:
            await db.execute(update(tables.messages).filter_by(id=said["id"]).values(id=turns[0].id))

    async with store_of(settings) as store:
        ended = await recovery.end_orphans(store, lambda _: False)

    assert [session_id for session_id, _ in ended] == [sessions[1]]


async def posted(store: Store) -> str:
    session_id = await store.open_session(TENANT, "support")
    await store.post(session_id, TENANT, ["Hello"], None)
    return session_id


# --- approvals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"amuont": 40}, {"amount": "much"}], ids=["unknown", "no number"])
async def test_a_confirm_that_cannot_run_is_refused_and_may_be_mended(
    settings: ServerSettings, changed: dict[str, object]
) -> None:
    session_id, request_id = await parked(settings)
    async with serving(settings) as url, wired(url) as wire:
        await wire.send(frames.connect_session(session_id))
        await wire.next()
        for arguments in (changed, {"amount": 30}):
            verdict = {"tool_call_approval": {"confirm": arguments}}
            content = {"type_string": "response_message", "value": verdict}
            await wire.send(frames.post_message(session_id, content, parent_message_id=request_id))
        refused, taken = await wire.next(), await wire.next()
        said = json.dumps(await wire.until("Idle"))

    assert (refused["success"], taken["success"]) == (False, True)
    assert next(iter(changed)) in refused["error"]
    assert "the request stays open" in refused["error"]
    assert "refunded" in said
