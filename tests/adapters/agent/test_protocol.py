"""The embedded server as any client of the protocol sees it: bare frames, in their order."""

from pathlib import Path

import pytest

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from gateway.events import Confirm, Deny
from tests.adapters.agent.wire import Wire, kinds, wired
from tests.adapters.agent.world import client_of, serving


async def test_a_turn_with_a_tool_comes_in_the_order_of_the_protocol(wire: Wire) -> None:
    session_id = await wire.session()

    await wire.send(frames.post_message(session_id, "Where is order A-1001?"))

    seen = await wire.until("Idle")
    assert kinds(seen) == [
        "post_message",
        "Processing",
        "tool_call in_progress",
        "tool_call completed",
        "tool_result",
        "message_delta",
        "data_type_message Complete",
        "Idle",
    ]
    deltas = [frame for frame in seen if frame["type"] == "message_delta"]
    complete = seen[-2]["message"]
    assert [delta["index"] for delta in deltas] == list(range(len(deltas)))
    assert {delta["message_id"] for delta in deltas} == {complete["id"]}
    assert "".join(delta["value"] for delta in deltas) == complete["content"]["value"]
    assert seen[2]["message"]["id"] == seen[3]["message"]["id"]


async def test_a_gated_turn_comes_in_the_order_of_the_protocol(wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Please refund order A-1001, $40."))

    parked = await wire.until("AwaitingApproval")
    assert kinds(parked) == ["post_message", "Processing", "tool_call_approval pending", "AwaitingApproval"]
    request = parked[2]["message"]
    assert request["content"]["input"] == {"order_id": "A-1001", "amount": 40, "reason": "the customer asked for it"}

    await wire.send(frames.approval_answer(session_id, request["id"], Confirm(arguments={"amount": 30})))
    seen = await wire.until("Idle")
    assert kinds(seen) == [
        "post_message",
        "Processing",
        "tool_call in_progress",
        "tool_call completed",
        "tool_result",
        "message_delta",
        "data_type_message Complete",
        "Idle",
    ]
    assert seen[2]["message"]["content"]["input"]["amount"] == 30
    assert seen[3]["message"]["content"]["result"]["amount"] == 30


async def test_a_denied_call_is_shown_as_denied_and_never_as_running(wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Please refund order A-1001, $40."))
    request = (await wire.until("AwaitingApproval"))[-2]["message"]

    await wire.send(frames.approval_answer(session_id, request["id"], Deny(reason="No")))

    seen = kinds(await wire.until("Idle"))
    assert "tool_call denied" in seen
    assert "tool_call in_progress" not in seen


@pytest.mark.parametrize(
    ("text", "kind"), [("Think about it first.", "thinking"), ("Search the web for kites.", "search_message")]
)
async def test_what_it_does_before_it_answers_is_shown_and_kept(wire: Wire, text: str, kind: str) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, text))
    assert kind in kinds(await wire.until("Idle"))

    await wire.send(frames.get_messages(session_id))

    listed = (await wire.next())["messages"]
    assert [message["content"]["type"] for message in listed[1:]] == [kind, "data_type_message"]


async def test_the_second_answer_to_a_request_is_a_failed_ack(wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Please refund order A-1001, $40."))
    request = (await wire.until("AwaitingApproval"))[-2]["message"]
    await wire.send(frames.approval_answer(session_id, request["id"], Deny(reason="No")))
    await wire.until("Idle")

    await wire.send(frames.approval_answer(session_id, request["id"], Confirm()))

    ack = await wire.next()
    assert (ack["success"], ack["error"]) == (False, "already answered")


async def test_an_answer_without_an_id_is_for_the_only_open_request(wire: Wire) -> None:
    session_id = await wire.session()
    answer = frames.approval_answer(session_id, "", Confirm())
    await wire.send(answer)
    assert (await wire.next())["success"] is False

    await wire.send(frames.post_message(session_id, "Please refund order A-1001, $40."))
    await wire.until("AwaitingApproval")
    await wire.send(answer)

    assert "data_type_message Complete" in kinds(await wire.until("Idle"))


async def test_post_messages_is_one_turn(wire: Wire) -> None:
    session_id = await wire.session()

    await wire.send(frames.post_messages(session_id, ["Where is it?", "Order A-1002"]))

    seen = await wire.until("Idle")
    assert len(seen[0]["message_ids"]) == 2
    assert kinds(seen).count("data_type_message Complete") == 1


async def test_a_stopped_session_keeps_its_open_request(url: str, wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Please refund order A-1001, $40."))
    await wire.until("AwaitingApproval")
    await wire.send(frames.post_message(session_id, "Hello"), frames.terminate_session(session_id))
    while (await wire.next())["type"] != "terminate_session":
        pass

    async with client_of(url) as client, client.attach(session_id) as line:
        assert any(getattr(entry, "open", False) for entry in await line.history())


async def test_terminate_stops_a_turn_that_runs(url: str, wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Count slowly to 100."))
    while (await wire.next())["type"] != "message_delta":
        pass

    await wire.send(frames.terminate_session(session_id))
    seen = [frame["type"] for frame in await wire.until("Idle")]
    assert "message_notification" in seen

    await wire.send(frames.connect_session(session_id))
    while (frame := await wire.next())["type"] != "connect_session":
        pass
    assert frame["status"] == "Idle"


async def test_the_session_that_was_left_sends_nothing_more(wire: Wire) -> None:
    session_id = await wire.session()
    await wire.send(frames.post_message(session_id, "Hello"), frames.disconnect_session(session_id))
    while (await wire.next())["type"] != "disconnect_session":
        pass

    await wire.send(frames.ping_session(session_id))

    assert await wire.next() == frames.pong(session_id)


async def test_an_agent_without_memory_sees_only_the_turn(tmp_path: Path) -> None:
    (tmp_path / "forgetful.toml").write_text("[memory]\nsession = false")
    settings = ServerSettings(agents_dir=tmp_path, database_url=f"sqlite:///{tmp_path / 'agent.db'}")
    async with serving(settings) as url, wired(url) as wire:
        session_id = await wire.session("forgetful")
        await wire.send(frames.post_message(session_id, "My name is Alice."))
        await wire.until("Idle")
        await wire.send(frames.post_message(session_id, "What did I just tell you about myself?"))

        complete = (await wire.until("Idle"))[-2]["message"]
        assert "not told me anything" in complete["content"]["value"]
