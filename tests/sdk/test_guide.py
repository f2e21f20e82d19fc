"""The public guide's steps, done with the real SDK."""

import pytest

from tests.sdk.conftest import Sdk

pytestmark = pytest.mark.timeout(300)  # the first one makes the SDK's environment


async def test_a_guide_reader_streams_turns_watches_tools_and_reads_the_history(sdk: Sdk) -> None:
    told = await sdk("turns")

    assert told["streamed"] == told["reply"] == "Nice to meet you, Alice from Boston."
    assert told["plain"] == [
        "session_connected",
        "message_posted",
        "Processing",
        "message_delta",
        "message_complete",
        "Idle",
    ]
    assert told["tool"][-7:-3] == ["Processing", "tool_call in_progress", "tool_call completed", "message_streaming"]
    assert told["tool_names"] == ["lookup_order", "lookup_order"]
    assert "thinking" in told["thought"]
    assert "search_result" in told["searched"]
    assert "Alice" in told["recalled"]
    assert "Boston" in told["recalled"]
    assert told["failed"][-2:] == ["error", "Idle"]
    assert len(told["errors"]) == 1
    assert "three kites and a line" in told["attached"]
    assert told["history"][0] == ["user", "data_type_message", "My name is Alice and I live in Boston."]
    assert ["object", "data_type_message", told["reply"]] in told["history"]
    assert {kind for _, kind, _ in told["history"]} >= {"tool_call", "thinking", "search_message", "error_message"}


@pytest.mark.parametrize(
    ("answer", "outcome", "reply"),
    [
        ("approve", "tool_call completed", "$40 for order A-1001"),
        ("reject", "tool_call denied", "the goods are still on their way"),
        ("override", "tool_call completed", "$25 for order A-1001"),
    ],
)
async def test_a_person_approves_rejects_or_changes_what_the_agent_wants(
    sdk: Sdk, answer: str, outcome: str, reply: str
) -> None:
    told = await sdk("approvals", answer)

    assert told["parked"][-2:] == ["approval_request", "AwaitingApproval"]
    assert (told["input"]["order_id"], told["input"]["amount"]) == ("A-1001", 40)
    assert outcome in told["rest"]
    assert reply in told["reply"]
    assert told["again"] == "already answered"


@pytest.mark.long
async def test_a_second_process_takes_up_what_the_first_one_left(sdk: Sdk) -> None:
    left = await sdk("park")

    told = await sdk("resume", left["session_id"])

    assert told["request_id"] == left["message_id"]
    assert told["rest"][-1] == "Idle"
    assert "$40" in told["reply"]
    assert told["last"] == told["reply"]


async def test_somebody_elses_session_looks_unknown(sdk: Sdk) -> None:
    left = await sdk("park")

    told = await sdk("resume", left["session_id"], key="key-2")

    assert "unknown session" in told["error"]


async def test_clients_of_one_session_see_its_turns_and_it_outlives_them_all(sdk: Sdk) -> None:
    told = await sdk("company")

    assert told["said"] == "one two three"
    assert told["watched"] == ["Processing", "message_delta", "message_complete", "Idle"]
    assert told["in_a_row"][0] == "Nice to meet you, Alice from Boston."
    assert "Alice" in told["in_a_row"][1]
    assert "was delivered" in told["back"]
    assert told["history"][0] == "Count slowly to 3."
    assert "the turn was interrupted" in told["history"]
