"""A tool of an MCP server, in either form of its answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings
from tests.helpers.far_mcp import FarMcp
from tests.helpers.far_model import Conversation, FarModel
from tests.helpers.far_service import FarService, served

KEY = "mcp-3f9a-secret"
SETTINGS = ToolSettings(secrets={"TOOL_MCP_KEY": KEY}, allow_loopback=True)
FORMS = [{}, {"streams": True}, {"streams": True, "line_end": "\r\n"}, {"streams": True, "line_end": "\r"}]


@pytest.fixture(params=FORMS, ids=["json", "events", "events with crlf", "events with cr"])
def mcp(request: pytest.FixtureRequest) -> FarMcp:
    return FarMcp(**request.param)


@pytest.fixture
async def far(mcp: FarMcp) -> AsyncIterator[FarService]:
    async with served(FarService({"/mcp": mcp.answer})) as service:
        yield service


@pytest.fixture
def call(store: Store) -> Call:
    return Call(store.database, AgentDefinition(name="shop"), "s1", "c1")


def tool(far: FarService, name: str = "add", **words: Any) -> ToolDefinition:
    mcp = {"url": f"{far.url}/mcp", "hosts": ["127.0.0.1"], "tool": name, "secret": "TOOL_MCP_KEY"}
    parameters = {"a": {"type": "number"}, "b": {"type": "number"}}
    return ToolDefinition.model_validate({"name": "sum", "mcp": mcp, "parameters": parameters, **words})


async def test_what_it_says_is_the_result(mcp: FarMcp, far: FarService, call: Call) -> None:
    result = await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 2})

    assert result == {"content": "3\n[image: left out]", "structured": {"sum": 3}}
    assert mcp.methods == ["initialize", "notifications/initialized", "tools/call", "DELETE"]
    assert mcp.sessions == set()
    assert {request.headers["authorization"] for request in far.requests} == {f"Bearer {KEY}"}


async def test_a_failure_of_the_tool_is_told_in_its_words(far: FarService, call: Call) -> None:
    with pytest.raises(ToolFailed, match="beneath me"):
        await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 0})


async def test_a_tool_it_does_not_have_is_told_with_those_it_has(far: FarService, call: Call) -> None:
    with pytest.raises(ToolFailed, match="has no tool multiply; it has add, sub"):
        await Toolbox(SETTINGS).run(tool(far, "multiply"), call, {"a": 1, "b": 2})


async def test_an_agent_uses_it_after_an_approval(far: FarService, store: Store) -> None:
    model = FarModel([("sum", {"a": 1, "b": 2})])
    conversation = Conversation(store, model, tool(far, approval="requires_approval"), settings=SETTINGS)
    await conversation.say("Add 1 and 2.")
    assert far.requests == []

    await conversation.confirm({"b": 5})

    assert model.came_back[0]["structured"] == {"sum": 6}


async def test_a_server_that_keeps_no_sessions_is_used_too(call: Call) -> None:
    mcp = FarMcp(keeps_sessions=False)
    async with served(FarService({"/mcp": mcp.answer})) as far:
        result = await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 2})

    assert result["structured"] == {"sum": 3}
    assert "DELETE" not in mcp.methods


async def test_a_server_of_another_time_is_not_spoken_to(call: Call) -> None:
    mcp = FarMcp(version="1999-01-01")
    async with served(FarService({"/mcp": mcp.answer})) as far:
        with pytest.raises(ToolFailed, match="another version"):
            await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 2})

    assert mcp.methods == ["initialize"]


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (Response(status_code=401), "answered 401"),
        (Response("hello"), "did not answer"),
        (Response("[1, 2]", media_type="application/json"), "did not answer"),
        (Response("data: {", media_type="text/event-stream"), "did not answer"),
        (Response("x" * 100_000, media_type="application/json"), "longer than 64 KiB"),
        (Response("data: x" * 100_000, media_type="text/event-stream"), "longer than 64 KiB"),
    ],
)
async def test_a_server_that_answers_nonsense_is_a_tool_that_failed(call: Call, answer: Response, named: str) -> None:
    async with served(FarService({"/mcp": answer})) as far:
        with pytest.raises(ToolFailed, match=named):
            await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 2})


async def test_a_server_that_repeats_the_secret_does_not_show_it(call: Call) -> None:
    async def repeat(request: Request) -> Response:
        return JSONResponse({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": f"bad key {KEY}"}})

    async with served(FarService({"/mcp": repeat})) as far:
        with pytest.raises(ToolFailed, match=r"bad key \[secret\]"):
            await Toolbox(SETTINGS).run(tool(far), call, {"a": 1, "b": 2})


async def test_it_is_no_way_into_our_own_network(call: Call) -> None:
    far = FarService(url="http://127.0.0.1:1")

    with pytest.raises(ToolFailed, match="internal address"):
        await Toolbox(ToolSettings(secrets={"TOOL_MCP_KEY": KEY})).run(tool(far), call, {"a": 1, "b": 2})
