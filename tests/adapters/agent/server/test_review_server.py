"""What a hostile service or a sly model tries on the embedded server."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from adapters.agent import frames
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from adapters.agent.server.tool_kinds import Condition, Scalar
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings, floor
from adapters.agent.server.tools.addresses import is_internal
from tests.helpers.far_mcp import FarMcp
from tests.helpers.far_model import Conversation, FarModel
from tests.helpers.far_service import Answer, FarService, http_tool, served

OUTSIDE = ToolSettings(allow_loopback=True)
DO_NOT_REPEAT = "whether it was done is not known, so do not repeat it"


@pytest.fixture
async def far() -> AsyncIterator[FarService]:
    async with served(FarService()) as service:
        yield service


@pytest.fixture
def call(store: Store) -> Call:
    return Call(store.database, AgentDefinition(name="shop"), "s1", "c1")


@pytest.mark.parametrize("site", ["fec0::1", "feff:ffff::1"])
def test_no_tool_may_call_an_address_of_our_own_site(site: str) -> None:
    assert is_internal(site)
    assert is_internal(site, allow_loopback=True)


@pytest.mark.parametrize(
    ("words", "charset"), [(b"+2AA- kites", "utf-7"), (b"\\ud800 kites", "unicode_escape")], ids=["utf-7", "escapes"]
)
async def test_half_a_character_of_a_service_breaks_no_clients_socket(
    far: FarService, store: Store, words: bytes, charset: str
) -> None:
    far.answers["/"] = Response(words, headers={"content-type": f"text/plain; charset={charset}"})
    model = FarModel([("shop", {})])
    conversation = Conversation(store, model, http_tool(far, "/", writes=False), settings=OUTSIDE)

    await conversation.say("What do you have?")

    assert conversation.failure == ""
    assert model.came_back[0]["body"].endswith(" kites")
    for frame in conversation.sent:
        assert frames.encode(frame).encode()


async def test_an_answer_of_three_hundred_boxes_in_boxes_is_told_as_it_came(far: FarService, store: Store) -> None:
    boxes = '{"box":' * 300 + "1" + "}" * 300
    far.answers["/"] = Response(boxes, media_type="application/json")
    model = FarModel([("shop", {})])
    conversation = Conversation(store, model, http_tool(far, "/", writes=False), settings=OUTSIDE)

    await conversation.say("What is in the box?")

    assert conversation.failure == ""
    assert model.came_back == [{"status": 200, "body": boxes}]


UNCLEAR: dict[str, Answer] = {
    "gateway timeout": PlainTextResponse("late", 504),
    "sent elsewhere": RedirectResponse("/receipt", 303),
    "compressed": Response(b"?", headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR.keys())
async def test_a_write_that_may_have_been_done_is_not_to_be_repeated(
    far: FarService, call: Call, answer: Answer
) -> None:
    far.answers["/"] = answer

    with pytest.raises(ToolFailed, match=DO_NOT_REPEAT):
        await Toolbox(OUTSIDE).run(http_tool(far, "/", http={"method": "POST"}), call, {})
    with pytest.raises(ToolFailed) as only_read:
        await Toolbox(OUTSIDE).run(http_tool(far, "/", http={"method": "POST"}, writes=False), call, {})

    assert DO_NOT_REPEAT not in str(only_read.value)


async def test_a_write_that_was_refused_may_be_tried_again(far: FarService, call: Call) -> None:
    far.answers["/"] = PlainTextResponse("no such order", 422)

    with pytest.raises(ToolFailed, match=r"it answered 422: no such order$"):
        await Toolbox(OUTSIDE).run(http_tool(far, "/", http={"method": "POST"}), call, {})


@pytest.mark.parametrize("reply", [Response(status_code=502), JSONResponse([])], ids=["bad gateway", "no answer"])
async def test_a_tool_of_an_mcp_server_that_may_have_run_is_not_to_be_repeated(
    far: FarService, call: Call, reply: Response
) -> None:
    mcp = FarMcp()

    async def loses_the_call(request: Request) -> Response:
        body = await request.body()
        is_call = request.method == "POST" and json.loads(body)["method"] == "tools/call"
        return reply if is_call else await mcp.answer(request)

    far.answers["/mcp"] = loses_the_call
    there: dict[str, Any] = {"url": f"{far.url}/mcp", "hosts": ["127.0.0.1"], "tool": "add"}
    tool = ToolDefinition.model_validate({"name": "sum", "mcp": there})

    with pytest.raises(ToolFailed, match=DO_NOT_REPEAT):
        await Toolbox(OUTSIDE).run(tool, call, {})


SPELLINGS: list[tuple[Scalar, Any]] = [
    ("gift card", "gift\u00ad card"),
    ("gift card", "\u200bGift  Card\u2060"),
    ("gift card", "ｇｉｆｔ　ｃａｒｄ"),
    (100, "100"),
    (100, "$100.00"),
    ("100", 100),
    (True, "yes"),
]


@pytest.mark.parametrize(("limit", "said"), SPELLINGS)
def test_no_spelling_leads_around_the_floor(limit: Scalar, said: Any) -> None:
    assert floor.holds(Condition(argument="goods", equals=limit), {"goods": said})
    assert floor.holds(Condition(argument="goods", one_of=("kite", limit)), {"goods": said})


@pytest.mark.parametrize(("limit", "said"), [("gift card", "kite"), (100, "101"), (1, True), (True, 1), (True, "no")])
def test_what_is_something_else_is_not_asked_about(limit: Scalar, said: Any) -> None:
    assert not floor.holds(Condition(argument="goods", equals=limit), {"goods": said})


async def test_a_model_cannot_hide_an_order_behind_a_sign_nobody_sees(store: Store) -> None:
    order = {"order_id": "A-1001\u200b", "ask_for_approval": False}
    watched = Condition(argument="order_id", equals="A-1001")
    tool = ToolDefinition(
        name="lookup_order",
        approval=Approval.LET_AGENT_DECIDE,
        parameters={"order_id": Parameter()},
        ask_if=(watched,),
    )
    conversation = Conversation(store, FarModel([("lookup_order", order)]), tool)

    await conversation.say("Look it up.")

    assert [request["metadata"] for request in conversation.requests] == [{"why": "order_id is A-1001"}]
    assert conversation.ran == []
