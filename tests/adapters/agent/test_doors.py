"""What the embedded server refuses, and how: frames, keys, and the REST side."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from websockets.exceptions import InvalidStatus

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from tests.adapters.agent.wire import Frame, Wire, kinds, wired
from tests.adapters.agent.world import client_of, serving


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "{",
        "[1]",
        "{}",
        '{"type": "ping_session", "session_id": "s1", "at": NaN}',
        '{"type": "ping_session", "session_id": "s1", "at": -Infinity}',
        '{"type": "ping_session", "session_id": "s1", "at": 1e999}',
        '{"type": "dance"}',
        b"{}",
        '{"type": "create_session"}',
        '{"type": "get_messages"}',
        "x" * (8 * 1024 * 1024 + 1),
    ],
    ids=range(12),
)
async def test_what_cannot_be_done_is_an_error_frame_and_the_socket_stays(wire: Wire, sent: str | bytes) -> None:
    await wire.socket.send(sent)
    assert (await wire.next())["type"] == "error"

    await wire.send(frames.ping_session("s1"))
    assert (await wire.next())["type"] == "pong"


@pytest.mark.parametrize(
    "sent",
    [
        frames.connect_session("session_none"),
        frames.post_message("session_none", "Hi"),
        frames.post_messages("session_none", ["Hi"]),
        {"type": "post_message"},
        {"type": "connect_session", "session_id": 7},
    ],
)
async def test_a_refused_connect_or_post_is_a_failed_ack(wire: Wire, sent: Frame) -> None:
    await wire.send(sent)

    ack = await wire.next()
    assert (ack["type"], ack["success"]) == (sent["type"], False)


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        [],
        {},
        {"type_string": "response_message"},
        {"type_string": "response_message", "value": {"tool_call_approval": {}}},
        {"type_string": "response_message", "value": {"tool_call_approval": {"confirm": {}, "deny": "x"}}},
        {"type_string": "response_message", "value": {"tool_call_approval": {"confirm": "yes"}}},
    ],
)
async def test_a_post_that_makes_no_sense_is_a_failed_ack(wire: Wire, content: Any) -> None:
    session_id = await wire.session()

    await wire.send({"type": "post_message", "session_id": session_id, "content": content})

    assert (await wire.next())["success"] is False


async def test_text_no_database_can_store_is_answered_all_the_same(wire: Wire) -> None:
    session_id = await wire.session()

    post = json.dumps(frames.post_message(session_id, "a\0b\ud83d"))
    assert "\\u0000b\\ud83d" in post
    await wire.socket.send(post)

    assert kinds(await wire.until("Idle"))[-2] == "data_type_message Complete"


@pytest.fixture
async def locked_url(sqlite_settings: ServerSettings) -> AsyncIterator[str]:
    settings = sqlite_settings.model_copy(update={"api_key": SecretStr("right")})
    async with serving(settings) as base:
        yield base


async def test_a_wrong_key_gets_401_at_every_door(locked_url: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with wired(locked_url, key="wrong"):
            pass
    assert caught.value.response.status_code == 401

    async with httpx.AsyncClient(base_url=locked_url, trust_env=False, verify=False) as http:
        for path in ("/agents", "/agent?id=support"):
            refused = await http.get(path, headers={"Authorization": "Bearer wrong"})
            assert (refused.status_code, list(refused.json())) == (401, ["error"])

    async with client_of(locked_url, key="wrong") as client:
        [finding] = await client.check()
        assert not finding.ok


async def test_the_right_key_opens(locked_url: str) -> None:
    async with wired(locked_url, key="right") as wire:
        assert await wire.session()


@pytest.mark.parametrize("prefix", ["/v1", ""])
async def test_agents_are_listed_and_found_with_and_without_the_version(url: str, prefix: str) -> None:
    async with httpx.AsyncClient(base_url=url.removesuffix("/v1") + prefix, trust_env=False, verify=False) as http:
        [listed] = (await http.get("/agents", params={"limit": 1})).json()["objects"]
        by_name = (await http.get("/agent", params={"name": "support"})).json()["object"]
        by_id = (await http.get("/agent", params={"id": listed["_id"]})).json()["object"]
        missing = await http.get("/agent", params={"id": "none"})

    assert listed == by_name == by_id
    assert (listed["llm_client_key"]["provider"], listed["llm_client_key"]["model_id"]) == ("offline", "")
    assert missing.status_code == 404
    approvals = {tool["name"]: tool["approval_config"] for tool in listed["tools"].values()}
    assert approvals["issue_refund"] == "requires_approval"
