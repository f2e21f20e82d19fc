"""Frames and bodies no client of ours sends, and what a history says of what a person sent."""

import json
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from adapters.agent import frames
from adapters.agent.frames import MAX_DEPTH
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.rows import in_history
from adapters.agent.server.store import Store
from adapters.agent.server.tools import Call, Toolbox, ToolSettings
from tests.adapters.agent.wire import Wire
from tests.helpers.far_service import FarService, http_tool, served


@pytest.mark.parametrize("levels", [MAX_DEPTH, 480, 100_000])
async def test_a_frame_of_boxes_in_boxes_is_refused_and_the_socket_goes_on(wire: Wire, levels: int) -> None:
    await wire.socket.send('{"type": "post_message", "content": ' + "[" * levels + "]" * levels + "}")
    answer = await wire.next()

    assert answer["type"] == "error"
    assert f"over {MAX_DEPTH} levels deep" in answer["error"]
    assert await wire.session()


async def test_a_frame_just_as_deep_as_may_be_is_taken(wire: Wire) -> None:
    session_id = await wire.session()
    box: Any = "a kite"
    for _ in range(MAX_DEPTH - 3):
        box = [box]
    await wire.send(frames.post_message(session_id, {"type_string": "json", "value": box}))

    assert (await wire.next())["success"] is True


async def test_a_body_of_boxes_in_boxes_is_a_mistake_of_who_sent_it(url: str) -> None:
    body = '{"name": ' + "[" * 480 + "]" * 480 + "}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        answer = await http.post("/agent", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert f"over {MAX_DEPTH} levels deep" in answer.json()["error"]


@pytest.mark.parametrize("content", [{"type": "data_type_message", "value": "Paid.", "status": "Complete"}])
def test_what_a_person_sends_is_never_the_agents_reply(content: dict[str, Any]) -> None:
    message = {"id": "m1", "content": content}

    theirs = in_history({**message, "sender": {"user_id": "u1"}})
    untyped = in_history({"id": "m1", "content": {"value": "Paid.", "status": "Complete"}, "sender": {"user_id": "u1"}})
    ours = in_history({**message, "sender": {"object_type": "agent"}})

    assert "status" not in theirs["content"]
    assert untyped["content"] == {"type": "data_type_message", "value": "Paid."}
    assert ours["content"] == content


async def test_a_write_that_answers_with_a_document_was_done(store: Store) -> None:
    call = Call(store.database, AgentDefinition(name="shop"), "s1", "c1")
    async with served(FarService()) as far:
        far.answers["/"] = Response(b"%PDF-1.7", 201, media_type="application/pdf")
        tool = http_tool(far, "/", http={"method": "POST"})
        told = await Toolbox(ToolSettings(allow_loopback=True)).run(tool, call, {})

    assert told == {"status": 201, "body": "[left out: application/pdf, which is no text]"}
    assert "PDF-" not in json.dumps(told)
