"""Agents over REST as any HTTP client sees them: kept, foreign, refused with what was wrong."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.limits import Limits
from adapters.agent.server.rates import Rates
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import AGENTS, serving

MODEL = {"provider": "offline", "model_id": ""}
DESK = {"name": "desk", "llm_client_key": MODEL, "agent_type": "conversational", "instructions": "Be kind."}
JSON = {"Content-Type": "application/json"}


def as_client(url: str, key: str = "key-1") -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, verify=False)


@pytest.fixture
async def both_url(settings: ServerSettings) -> AsyncIterator[str]:
    async with serving(settings) as url:
        yield url


@pytest.fixture
async def http(both_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with as_client(both_url) as client:
        yield client


@pytest.fixture
async def lite(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """On SQLite alone: for what no database has a say in."""
    async with as_client(url) as client:
        yield client


async def made(http: httpx.AsyncClient, **more: Any) -> str:
    answer = await http.post("/agent", json={**DESK, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def read(http: httpx.AsyncClient, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/agent", params={"id": id})).json()["object"]
    return found


async def test_an_agent_is_kept_as_it_came(http: httpx.AsyncClient) -> None:
    odd = {"llm_client_key": {**MODEL, "temperature": 1}, "enable_subagents": True, "of_the_future": [1, {"a": None}]}

    id = await made(http, **odd, branch_id="b", deploy=True, description="of this save")

    assert len(id) == 24
    kept = {**DESK, **odd, "llm_client_key": {**MODEL, "temperature": 1, "api_key": None}}
    assert await read(http, id) == {**kept, "_id": id, "mainBranch": "main"}
    assert (await http.get("/agent", params={"name": "desk"})).json()["object"]["_id"] == id


async def test_saving_changes_what_it_names_and_leaves_the_rest(http: httpx.AsyncClient) -> None:
    id = await made(http)

    saved = await http.post(f"/update/agent/{id}", json={"instructions": "Be brief.", "bump": "patch"})

    assert (saved.status_code, saved.json()["id"]) == (200, id)
    kept = await read(http, id)
    assert (kept["instructions"], kept["name"], "bump" in kept) == ("Be brief.", "desk", False)


async def test_the_key_of_a_model_is_neither_kept_nor_shown(http: httpx.AsyncClient, settings: ServerSettings) -> None:
    id = await made(http, llm_client_key={**MODEL, "api_key": "sk-secret"})

    await http.post(f"/update/agent/{id}", json={"llm_client_key": {**MODEL, "api_key": "sk-secret"}})

    listed = (await http.get("/agents")).text
    assert "sk-secret" not in listed + json.dumps(await read(http, id))
    if settings.database_url.startswith("sqlite:///"):
        folder = Path(settings.database_url.removeprefix("sqlite:///")).parent
        assert not any(b"sk-secret" in file.read_bytes() for file in folder.glob("agent.db*"))


async def test_another_key_sees_the_files_agents_and_none_of_ours(both_url: str, http: httpx.AsyncClient) -> None:
    id = await made(http)
    unknown = {"error": f"there is no agent '{id}'"}

    async with as_client(both_url, "key-2") as theirs:
        listed = (await theirs.get("/agents")).json()["object_ids"]
        answers = [
            await theirs.get("/agent", params={"id": id}),
            await theirs.post(f"/update/agent/{id}", json=DESK),
            await theirs.post(f"/agent/{id}/run", json={"inputs": {}}),
            await theirs.delete(f"/agent/{id}"),
        ]
        assert await made(theirs)  # the name is free to them

    assert listed == ["support"]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(404, unknown)] * 4
    assert (await read(http, id))["name"] == "desk"


async def test_a_name_belongs_to_one_agent(http: httpx.AsyncClient) -> None:
    await made(http)
    other = await made(http, name="other")

    answers = [
        await http.post("/agent", json=DESK),
        await http.post(f"/update/agent/{other}", json={"name": "desk"}),
        await http.post("/agent", json={**DESK, "name": "support"}),
    ]

    assert [answer.status_code for answer in answers] == [409] * 3
    assert "'desk' is there already" in answers[0].json()["error"]
    assert (await read(http, other))["name"] == "other"


async def test_an_agent_from_a_file_is_read_only(lite: httpx.AsyncClient) -> None:
    for answer in (await lite.post("/update/agent/support", json=DESK), await lite.delete("/agent/support")):
        assert answer.status_code == 409
        assert "comes from a file" in answer.json()["error"]


async def test_a_deleted_agent_is_gone_and_its_sessions_say_so(both_url: str, http: httpx.AsyncClient) -> None:
    id = await made(http)
    async with wired(both_url) as wire:
        session_id = await wire.session("desk")

        assert (await http.delete(f"/agent/{id}")).json()["id"] == id
        assert (await http.delete(f"/agent/{id}")).status_code == 404
        await wire.send(frames.post_message(session_id, "Hello?"))

        ended = (await wire.until("Idle"))[-2]["message"]["content"]
    assert ended == frames.error_message(f"the agent {id} does not exist any more")


async def test_a_session_speaks_with_the_agent_as_it_is_now(both_url: str, http: httpx.AsyncClient) -> None:
    look = {"id": "t_1", "name": "lookup_order", "value": {"node_type": "custom_tool", "tool_type": "lookup_order"}}
    id = await made(http)
    async with wired(both_url) as wire:
        session_id = await wire.session(id)
        await wire.send(frames.post_message(session_id, "Where is order A-1001?"))
        assert "no tool named lookup_order" in str(await wire.until("Idle"))

        await http.post(f"/update/agent/{id}", json={"name": "desk of Ann", "tools": {"t_1": look}})
        await wire.send(frames.post_message(session_id, "Where is order A-1001?"))

        assert "was delivered" in str(await wire.until("Idle"))


@pytest.mark.parametrize("settings", ["postgres"], indirect=True)  # one server owns a SQLite file
async def test_servers_on_one_database_share_the_agents(settings: ServerSettings) -> None:
    async with serving(settings) as url, serving(settings) as other, as_client(url) as http, as_client(other) as there:
        id = await made(http)
        async with wired(other) as wire:
            session_id = await wire.session(id)
            await there.post(f"/update/agent/{id}", json={"memory_config": {"enable_session_memory": False}})
            assert (await read(http, id))["memory_config"] == {"enable_session_memory": False}
            await http.delete(f"/agent/{id}")
            await wire.send(frames.post_message(session_id, "Hello?"))
            ended = (await wire.until("Idle"))[-2]["message"]["content"]["error"]

    assert ended == f"the agent {id} does not exist any more"


async def test_pages_go_over_files_and_saved_agents_alike(http: httpx.AsyncClient) -> None:
    ids = ["support", *[await made(http, name=f"desk {n}") for n in range(4)]]

    pages = [(await http.get("/agents", params={"limit": 2, "offset": at})).json() for at in (0, 2, 4, 6)]

    assert [page["object_ids"] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [agent["_id"] for page in pages for agent in page["objects"]] == ids


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/agent", "{", 400, "the body is not JSON"),
        ("POST", "/agent", "[]", 400, "not a JSON object"),
        ("POST", "/agent", '{"name": NaN}', 400, "the body is not JSON"),
        ("POST", "/agent", '{"name": 1e999}', 400, "the body is not JSON"),
        ("POST", "/agent", "[" * 100_000, 400, "the body is not JSON"),
        ("POST", "/agent", "\xff", 400, "the body is not JSON"),
        ("POST", "/agent", '{"name": "x"}', 422, "llm_client_key: Field required"),
        ("POST", "/update/agent/nobody", "{}", 404, "there is no agent 'nobody'"),
        ("POST", "/update/agent/nobody", '{"bump": "huge"}', 422, "bump: must be one of"),
        ("GET", "/agent", "", 400, "id=... or name=..."),
        ("GET", "/agent?id=%00", "", 404, "there is no agent"),
        ("GET", "/agents?limit=-1", "", 422, "limit: must be a whole number"),
        ("GET", "/agents?offset=many", "", 422, "offset: must be a whole number"),
        ("POST", "/agent/support/run", '{"inputs": {}}', 422, "conversational"),
        ("POST", "/agent/nobody/run", '{"inputs": {}}', 404, "there is no agent"),
        ("GET", "/mcp-server/x/tools", "", 404, "no such call here"),
        ("PUT", "/agent", "", 405, "no such call here"),
    ],
)
async def test_what_is_refused_says_what_was_wrong(
    lite: httpx.AsyncClient, method: str, path: str, body: str, status: int, said: str
) -> None:
    answer = await lite.request(method, path, content=body.encode("latin-1"), headers=JSON)

    assert answer.status_code == status
    assert said in answer.json()["error"]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_request_that_is_too_large_is_refused(tmp_path: Path, chunked: bool) -> None:
    settings = ServerSettings(
        agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path}/agent.db", limits=Limits(max_request_bytes=5000)
    )

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 1000

    async with serving(settings) as url, as_client(url) as http:
        answer = await http.post("/agent", content=pieces() if chunked else b" " * 10_000, headers=JSON)
        fits = await http.get("/agents")

    assert answer.status_code == 413
    assert answer.json() == {"error": "the request is over 5000 bytes"}
    assert fits.status_code == 200


async def test_a_key_that_asks_too_often_waits_and_the_others_do_not(tmp_path: Path) -> None:
    settings = ServerSettings(
        agents_dir=AGENTS,
        database_url=f"sqlite:///{tmp_path}/agent.db",
        limits=Limits(requests_per_second=0.01, requests_at_once=2),
    )
    async with serving(settings) as url, as_client(url) as http, as_client(url, "key-2") as theirs:
        answers = [await http.get("/agents") for _ in range(3)]
        other = await theirs.get("/agents")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 90 <= int(answers[-1].headers["retry-after"]) <= 100
    assert "too many requests" in answers[-1].json()["error"]
    assert other.status_code == 200


async def test_a_socket_that_sends_too_fast_is_read_more_slowly_and_loses_nothing(tmp_path: Path) -> None:
    settings = ServerSettings(
        agents_dir=AGENTS,
        database_url=f"sqlite:///{tmp_path}/agent.db",
        limits=Limits(frames_per_second=4, frames_at_once=3),
    )
    clock = asyncio.get_running_loop().time
    async with serving(settings) as url, wired(url) as wire:
        began = clock()
        await wire.send(*[frames.ping_session(f"s{n}") for n in range(6)])
        pongs = [await wire.next() for _ in range(6)]

    assert pongs == [frames.pong(f"s{n}") for n in range(6)]
    assert clock() - began >= 0.7  # three at once, and the next three at four a second


def test_a_bucket_fills_again_and_never_over_its_brim() -> None:
    now = [0.0]
    rates = Rates(2, 3, clock=lambda: now[0])

    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 1]
    now[0] = 0.5
    assert [rates.take("a") for _ in range(2)] == [0, 1]
    now[0] = 100
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert Rates(0, 0).take("a") == 0


async def test_a_wrong_key_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    settings = ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path}/agent.db", api_key="right")
    async with serving(settings) as url, as_client(url, "wrong") as http:
        answers = [
            await http.post("/agent", content=b"{"),
            await http.post("/update/agent/support", json=DESK),
            await http.delete("/agent/support"),
            await http.post("/agent/support/run", json={}),
        ]

    assert [answer.status_code for answer in answers] == [401] * 4
    assert answers[0].json() == {"error": "the API key is missing or wrong"}
