"""What a tool's arguments may be, as the client learns it from the platform: typed, without what is fixed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from adapters.agent.client import AgentClient
from adapters.agent.schemas import KEPT_S, ToolSchemas
from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.test_rest import DESK, as_client, made
from tests.adapters.agent.world import client_of, serving, serving_app

DESK_FILE = """
name = "desk"

[[tools]]
name = "issue_refund"
approval = "requires_approval"
parameters = { order_id = {}, amount = { type = "number" }, reason = { required = false } }
static = { reason = "goodwill" }

[[tools]]
name = "ask_human"
approval = "requires_approval"
parameters = { question = {} }

[[tools]]
name = "forecast"
approval = "requires_approval"
mcp = { url = "https://mcp.example/", hosts = ["mcp.example"], tool = "weather" }
parameters = { city = { enum = ["Berlin", "Rome"] }, days = { type = "integer" } }
static = { units = "metric" }
"""
TEXT, NUMBER = {"type": "string", "description": ""}, {"type": "number", "description": ""}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[AgentClient]:
    (tmp_path / "desk.toml").write_text(DESK_FILE)
    settings = ServerSettings(agents_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'agent.db'}")
    async with serving(settings) as url, client_of(url) as opened:
        yield opened


async def of(client: AgentClient, tool: str, agent: str = "desk") -> Any:
    return await client.input_schema(agent, tool)


async def test_the_arguments_of_a_function_are_told_with_their_types_and_without_the_static_ones(
    client: AgentClient,
) -> None:
    assert await of(client, "issue_refund") == {
        "type": "object",
        "properties": {"order_id": TEXT, "amount": NUMBER},
        "required": ["order_id", "amount"],
        "additionalProperties": False,
    }


async def test_the_arguments_of_a_tool_elsewhere_are_told_as_its_definition_declares_them(client: AgentClient) -> None:
    schema = await of(client, "forecast")

    assert schema["properties"] == {
        "city": TEXT | {"enum": ["Berlin", "Rome"]},
        "days": {"type": "integer", "description": ""},
    }


async def test_what_only_a_person_fills_in_is_told_too(client: AgentClient) -> None:
    assert (await of(client, "ask_human"))["properties"] == {"answer": TEXT, "question": TEXT}


async def test_a_saved_agent_is_found_by_its_id_and_by_its_name(sqlite_settings: ServerSettings) -> None:
    inputs = {"order_id": {"type": "dynamic", "value": ""}, "reason": {"type": "static", "value": "goodwill"}}
    value = {"node_type": "custom_tool", "tool_type": "issue_refund", "inputs": inputs}
    tool = {"id": "t-1", "name": "pay_back", "approval_config": "requires_approval", "value": value}
    async with serving(sqlite_settings) as url, as_client(url) as http, client_of(url) as client:
        id = await made(http, tools={"t-1": tool})

        by_id, by_name = await of(client, "pay_back", id), await of(client, "pay_back", DESK["name"])  # type: ignore[arg-type]

    assert by_id == by_name
    assert list(by_id["properties"]) == ["order_id", "amount"]
    assert by_id["properties"]["amount"]["type"] == "number"


async def test_another_client_reads_the_agent_as_it_was_saved(url: str) -> None:
    async with as_client(url) as http:
        agent = (await http.get("/agent", params={"id": "support"})).json()["object"]

    assert agent["tools"]
    assert not any("input_schema" in tool for tool in agent["tools"].values())


async def test_of_an_agent_or_a_tool_that_is_not_there_nothing_is_told(client: AgentClient) -> None:
    assert await of(client, "issue_refund", "nobody") is None
    assert await of(client, "fly") is None


# --- other platforms ---------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def platform(
    *answers: Response | float, now_s: Sequence[float] = (0.0,)
) -> AsyncIterator[tuple[ToolSchemas, list[str]]]:
    """One that gives these answers, or waits so long; and what it was asked."""
    left, asked = list(answers), []

    async def agent(request: Request) -> Response:
        asked.append(request.url.query)
        answer = left.pop(0)
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return JSONResponse({})
        return answer

    app = Starlette(routes=[Route("/v1/agent", agent)])
    async with serving_app(app) as url, httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        within_s = 0.2 if any(isinstance(one, float) for one in answers) else 10.0  # a busy machine is no silence
        yield ToolSchemas(http, within_s=within_s, now_s=lambda: now_s[0]), asked


def told(schema: Any) -> Response:
    return JSONResponse({"object": {"tools": {"t-1": {"name": "pay", "input_schema": schema}}}})


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"object": {"tools": {"t-1": {"name": "pay", "value": {}}}}}),
        told("amount"),
        JSONResponse({"object": {"tools": ["pay"]}}),
        JSONResponse({"object": None}),
        JSONResponse([]),
        PlainTextResponse("{"),
        PlainTextResponse('{"object": {"tools": {"t": {"name": "pay", "input_schema": {"maximum": NaN}}}}}'),
        JSONResponse({"error": "no key"}, 401),
        JSONResponse({"error": "away"}, 503),
        0.5,
    ],
)
async def test_a_platform_that_does_not_tell_or_not_in_time_is_no_failure(answer: Response | float) -> None:
    async with platform(answer) as (schemas, _):
        assert dict(await schemas.of("desk")) == {}


async def test_a_platform_that_cannot_be_reached_is_no_failure() -> None:
    async with client_of("http://127.0.0.1:1/v1") as client:
        assert await of(client, "issue_refund") is None


async def test_what_was_told_is_remembered_for_a_while_and_a_failure_is_not() -> None:
    now_s = [0.0]
    first, second = {"type": "object"}, {"type": "object", "required": ["amount"]}
    async with platform(JSONResponse({}, 503), told(first), told(second), now_s=now_s) as (schemas, asked):
        assert dict(await schemas.of("desk")) == {}
        assert await schemas.of("desk") == await schemas.of("desk") == {"pay": first}
        assert len(asked) == 2
        now_s[0] = KEPT_S
        assert await schemas.of("desk") == {"pay": second}

    assert asked[0] == "id=desk&input_schemas=true"
