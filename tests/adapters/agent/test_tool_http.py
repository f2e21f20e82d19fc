"""A tool that calls an address outside: what it sends, and what it never tells."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from adapters.agent.server.app import ServerSettings, build
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Approval, ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings
from tests.adapters.agent.world import client_of, say, serving
from tests.helpers.far_model import Conversation, FarModel
from tests.helpers.far_service import FarService, http_tool, served

KEY = "k-3f9a-secret"
SHOP = AgentDefinition(name="shop")


@pytest.fixture
async def far() -> AsyncIterator[FarService]:
    async with served(FarService()) as service:
        yield service


@pytest.fixture
def settings() -> ToolSettings:
    return ToolSettings(secrets={"TOOL_SHOP_KEY": KEY}, allow_loopback=True)


@pytest.fixture
def call(store: Store) -> Call:
    return Call(store.database, SHOP, "s1", "c1")


async def run(settings: ToolSettings, tool: ToolDefinition, call: Call, **arguments: Any) -> dict[str, Any]:
    return await Toolbox(settings).run(tool, call, arguments)


async def test_the_arguments_go_into_the_path_and_the_query(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/orders/A 1/ü"] = JSONResponse({"status": "packed"})
    parameters = {"id": {}, "part": {}, "expand": {"required": False}, "n": {"type": "integer", "required": False}}
    get = http_tool(far, "/orders/{id}/{part}?full=1&expand={expand}&n={n}", parameters)

    result = await run(settings, get, call, id="A 1", part="ü", expand="a&b=c")

    assert result == {"status": 200, "body": {"status": "packed"}}
    assert far.raw_path == "/orders/A%201/%C3%BC?full=1&expand=a%26b%3Dc"


async def test_what_has_no_place_in_the_address_is_the_body(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/orders/7/refunds"] = JSONResponse({"ok": True}, 201)
    parameters = {"id": {"type": "integer"}, "amount": {"type": "number"}, "gift": {"type": "boolean"}}
    post = http_tool(far, "/orders/{id}/refunds", parameters, http={"method": "POST"})

    result = await run(settings, post, call, id=7, amount=2.5, gift=True)

    assert result["status"] == 201
    assert json.loads(far.bodies[0]) == {"amount": 2.5, "gift": True}
    assert far.requests[0].headers["content-type"] == "application/json"


async def test_what_has_no_place_in_the_address_of_a_get_is_its_query(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/find"] = PlainTextResponse("one kite")

    result = await run(settings, http_tool(far, "/find?a=b", {"q": {}}), call, q="a kite")

    assert far.raw_path == "/find?a=b&q=a+kite"
    assert result == {"status": 200, "body": "one kite"}


@pytest.mark.parametrize("value", ["..", ".", "", " ", "../admin", "a/../b", "..\\x"])
async def test_no_argument_makes_another_path_of_it(
    far: FarService, settings: ToolSettings, call: Call, value: str
) -> None:
    with pytest.raises(ToolFailed, match="id cannot be"):
        await run(settings, http_tool(far, "/orders/{id}", {"id": {}}), call, id=value)

    assert far.requests == []


async def test_the_secret_is_in_its_header_and_nowhere_else(
    far: FarService, settings: ToolSettings, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    async def echo(request: Request) -> Response:
        return JSONResponse({"you sent": dict(request.headers)})

    far.answers["/echo"] = echo
    caplog.set_level(logging.DEBUG)

    result = await run(settings, http_tool(far, "/echo", http={"secret": "TOOL_SHOP_KEY"}), call)

    assert far.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(result)
    assert "[secret]" in str(result)
    assert KEY not in repr(settings)
    assert KEY not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("adapters"))


async def test_a_secret_can_be_put_bare_into_another_header(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/"] = PlainTextResponse("hello")
    http = {"secret": "TOOL_SHOP_KEY", "secret_header": "X-Key", "headers": {"X-Shop": "kites"}}

    await run(settings, http_tool(far, "/", http=http), call)

    assert far.requests[0].headers["x-key"] == KEY
    assert far.requests[0].headers["x-shop"] == "kites"


async def test_a_tool_whose_secret_is_not_set_is_not_offered(far: FarService, store: Store) -> None:
    model = FarModel()
    conversation = Conversation(
        store, model, http_tool(far, "/", http={"secret": "TOOL_SHOP_KEY"}), settings=ToolSettings(allow_loopback=True)
    )

    await conversation.say("Hello")

    assert model.offered == {}
    assert "not available here: shop" in model.instructions


async def test_a_service_that_fails_tells_the_model_its_words_and_the_log_its_status(
    far: FarService, settings: ToolSettings, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    far.answers["/orders"] = JSONResponse({"error": f"Ann Miller owes us, {KEY}"}, 409)
    model = FarModel([("shop", {})])
    conversation = Conversation(
        store, model, http_tool(far, "/orders", http={"secret": "TOOL_SHOP_KEY"}), settings=settings
    )

    await conversation.say("Hello")

    [told] = model.came_back
    assert "it answered 409" in told
    assert "Ann Miller" in told
    assert KEY not in told
    said = "".join(record.getMessage() for record in caplog.records if record.name.startswith("adapters"))
    assert "tool shop of agent shop failed: it answered 409" in said
    assert "Miller" not in said


async def test_an_approved_call_runs_with_what_the_person_changed(
    far: FarService, settings: ToolSettings, store: Store
) -> None:
    far.answers["/refunds"] = JSONResponse({"ok": True})
    post = http_tool(
        far,
        "/refunds",
        {"amount": {"type": "number"}},
        http={"method": "POST"},
        static={"currency": "USD"},
        approval=Approval.REQUIRES_APPROVAL,
    )
    conversation = Conversation(store, FarModel([("shop", {"amount": 40})]), post, settings=settings)
    await conversation.say("Please refund me.")
    assert far.requests == []

    await conversation.confirm({"amount": 30})

    assert json.loads(far.bodies[0]) == {"amount": 30, "currency": "USD"}


async def test_a_model_that_does_not_say_is_held_up_before_an_address_is_called(
    far: FarService, settings: ToolSettings, store: Store
) -> None:
    far.answers["/"] = PlainTextResponse("hello")
    for writes, requests in ((None, 1), (True, 1), (False, 0)):
        decides = http_tool(far, "/", approval=Approval.LET_AGENT_DECIDE, writes=writes)
        conversation = Conversation(store, FarModel([("shop", {})]), decides, settings=settings)

        await conversation.say("Hello")

        assert len(conversation.requests) == requests


AGENT = """
[[tools]]
name = "lookup_order"
description = "Look an order up."
static = {{ shop = "kites" }}
[tools.parameters.order_id]
[tools.http]
url = "{url}/orders/{{order_id}}?shop={{shop}}"
hosts = ["127.0.0.1"]
secret = "TOOL_SHOP_KEY"
"""


async def test_an_agent_from_a_file_calls_it(far: FarService, settings: ToolSettings, tmp_path: Path) -> None:
    far.answers["/orders/A-1001"] = JSONResponse({"order": "is being packed"})
    (tmp_path / "shop.toml").write_text(AGENT.format(url=far.url))
    server = ServerSettings(agents_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'agent.db'}", tools=settings)

    async with serving(server) as url, client_of(url) as client:
        session_id = await client.open_session("shop")
        async with client.attach(session_id) as line:
            await say(line, "Where is order A-1001?")

    assert far.raw_path == "/orders/A-1001?shop=kites"
    assert far.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_start_tells_which_tools_cannot_run(
    far: FarService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shop.toml").write_text(AGENT.format(url=far.url))

    build(ServerSettings(agents_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'agent.db'}"))

    assert "agent shop: the tool lookup_order is not available: TOOL_SHOP_KEY is not set" in caplog.text
