"""What comes back from an address outside: late, long, unreadable, or from somewhere else."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, ToolSettings
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


async def test_a_service_that_is_silent_is_given_up(far: FarService, store: Store, call: Call) -> None:
    async def silence(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    far.answers["/orders"] = silence
    settings = ToolSettings(allow_loopback=True, timeout_s=0.1)

    with pytest.raises(ToolFailed, match=r"did not answer within 0\.1 s; whether it was done is not known"):
        await run(settings, http_tool(far, "/orders", http={"method": "POST"}), call)
    with pytest.raises(ToolFailed, match=r"did not answer within 0\.1 s$"):
        await run(settings, http_tool(far, "/orders", writes=False), call)


async def test_a_service_that_dribbles_is_given_up_too(far: FarService, call: Call) -> None:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(0)

    async def dribble(request: Request) -> Response:
        return StreamingResponse(drops(), media_type="text/plain")

    far.answers["/"] = dribble

    with pytest.raises(ToolFailed, match="did not answer within"):
        await run(ToolSettings(allow_loopback=True, timeout_s=0.2, max_answer_bytes=10**9), http_tool(far, "/"), call)


async def test_a_service_nobody_serves_is_named_unreachable(settings: ToolSettings, call: Call) -> None:
    async with served(FarService()) as gone:
        pass

    with pytest.raises(ToolFailed, match=r"could not be reached \(ConnectError\)$"):
        await run(settings, http_tool(gone, "/", http={"method": "POST"}), call)


async def test_an_answer_is_cut_at_its_most(far: FarService, settings: ToolSettings, call: Call) -> None:
    far.answers["/"] = Response(json.dumps({"x": "y" * 100_000}), media_type="application/json")

    result = await run(settings, http_tool(far, "/"), call)

    assert result["truncated"] is True
    assert len(result["body"]) == 64 * 1024


async def test_an_answer_that_is_packed_small_is_not_unpacked(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/"] = Response(gzip.compress(b"0" * 10_000_000), headers={"Content-Encoding": "gzip"})

    with pytest.raises(ToolFailed, match="compressed"):
        await run(settings, http_tool(far, "/"), call)
    assert far.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (Response('{"a": NaN}', media_type="application/json"), '{"a": NaN}'),
        (Response('{"a": "\\ud800\\u0000"}', media_type="application/json"), {"a": "\ufffd\ufffd\ufffd\ufffd"}),
        (Response("[" * 60_000, media_type="application/json"), "[" * 60_000),
        (Response(b"caf\xe9", media_type="text/plain; charset=latin-1"), "café"),
        (Response(b"caf\xe9", media_type="text/plain"), "caf\ufffd"),
        (Response(b"kite", media_type="text/plain; charset=klingon"), "kite"),
        (Response(b"kite", media_type="text/plain; charset=idna"), "kite"),
        (Response(status_code=204), ""),
    ],
    ids=["no number", "half a character", "deep", "latin-1", "not utf-8", "no encoding", "odd encoding", "empty"],
)
async def test_any_text_can_be_kept(
    far: FarService, settings: ToolSettings, call: Call, answer: Response, body: Any
) -> None:
    far.answers["/"] = answer

    assert (await run(settings, http_tool(far, "/"), call))["body"] == body


async def test_an_answer_that_is_no_text_is_not_given_to_the_model(
    far: FarService, settings: ToolSettings, call: Call
) -> None:
    far.answers["/"] = Response(b"\x89PNG", media_type="image/png")

    answered = await run(settings, http_tool(far, "/"), call)

    assert answered == {"status": 200, "body": "[left out: image/png, which is no text]"}


async def test_a_get_follows_to_a_listed_host(far: FarService, settings: ToolSettings, call: Call) -> None:
    far.answers |= {"/old": RedirectResponse("/new"), "/new": PlainTextResponse("moved here")}

    result = await run(settings, http_tool(far, "/old", http={"secret": "TOOL_SHOP_KEY"}), call)

    assert result["body"] == "moved here"
    assert "authorization" in far.requests[1].headers


async def test_a_secret_does_not_go_along_to_another_port(settings: ToolSettings, call: Call) -> None:
    async with served(FarService()) as far, served(FarService()) as other:
        far.answers["/old"] = RedirectResponse(f"{other.url}/new")
        other.answers["/new"] = PlainTextResponse("moved here")

        await run(settings, http_tool(far, "/old", http={"secret": "TOOL_SHOP_KEY"}), call)

        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    "to", ["http://localhost:1/", "https://example.com/", "http://example.com/", "//169.254.169.254/"]
)
async def test_nobody_is_followed_to_a_host_that_is_not_listed(
    far: FarService, settings: ToolSettings, call: Call, to: str
) -> None:
    far.answers["/"] = RedirectResponse(to)

    with pytest.raises(ToolFailed, match="a host that is not allowed"):
        await run(settings, http_tool(far, "/"), call)


async def test_a_post_is_not_sent_twice_by_a_redirect(far: FarService, settings: ToolSettings, call: Call) -> None:
    far.answers |= {"/": RedirectResponse("/new"), "/new": PlainTextResponse("moved here")}

    with pytest.raises(ToolFailed, match="it answered 307"):
        await run(settings, http_tool(far, "/", http={"method": "POST"}), call)
    assert len(far.requests) == 1


async def test_a_circle_is_left(far: FarService, settings: ToolSettings, call: Call) -> None:
    far.answers["/"] = RedirectResponse("/")

    with pytest.raises(ToolFailed, match="in a circle"):
        await run(settings, http_tool(far, "/"), call)
    assert len(far.requests) == 4
