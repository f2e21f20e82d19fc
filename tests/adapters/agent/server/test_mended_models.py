"""What a careless model does to its own turn: ids used again, half a character, a fault of our own beside it."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.functional import Functional
from adapters.agent.server.model_errors import showable
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.store import Store
from adapters.agent.server.tables import refunds
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from tests.adapters.agent.stores import count, store_of
from tests.helpers.far_model import Conversation, FarModel

ORDER = {"order_id": Parameter()}
LOOKUP = ToolDefinition(name="lookup_order", parameters=ORDER)
REFUND = ToolDefinition(
    name="issue_refund",
    approval=Approval.REQUIRES_APPROVAL,
    parameters={**ORDER, "amount": Parameter(type="number"), "reason": Parameter()},
)
FIRST = {"order_id": "A-1001", "amount": 10, "reason": "late"}
SECOND = {"order_id": "A-1002", "amount": 20, "reason": "broken"}
HALF = "a kite \ud83d"
Step = Sequence[tuple[str, Mapping[str, Any]]]


class Forgetful(FarModel):
    """Counts its calls from 0 in each response."""

    async def _stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        self._made = -1
        async for piece in super()._stream(messages, info):
            yield piece


async def test_a_second_look_of_a_model_that_counts_from_zero_is_a_look(store: Store) -> None:
    model = Forgetful([("lookup_order", {"order_id": "A-1001"})], [("lookup_order", {"order_id": "A-1002"})])
    conversation = Conversation(store, model, LOOKUP)

    await conversation.say("Where are my orders?")

    assert [found["order_id"] for found in model.came_back] == ["A-1001", "A-1002"]
    assert len({shown["tool_call_id"] for shown in conversation.ran}) == 2


async def test_a_second_refund_of_a_model_that_counts_from_zero_is_asked_for_and_made(settings: ServerSettings) -> None:
    async with store_of(settings) as store:
        conversation = Conversation(store, Forgetful([("issue_refund", FIRST)], [("issue_refund", SECOND)]), REFUND)

        await conversation.say("Refund both.")
        await conversation.confirm()
        await conversation.confirm()

        assert conversation.failure == ""
        assert [request["input"]["order_id"] for request in conversation.requests] == ["A-1001", "A-1002"]
        assert await count(store, refunds) == 2


async def test_two_calls_with_one_id_in_one_response_are_two_calls(store: Store) -> None:
    async def twins(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        if any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
            yield "Done."
            return
        for at, order in enumerate(("A-1001", "A-1002")):
            yield {at: DeltaToolCall(name="lookup_order", json_args=json.dumps({"order_id": order}), tool_call_id="0")}

    conversation = Conversation(store, of(twins), LOOKUP)
    await conversation.say("Where are my orders?")

    assert [shown["input"]["order_id"] for shown in conversation.ran] == ["A-1001", "A-1002"]
    assert conversation.failure == ""


async def test_every_refund_that_a_run_reports_was_made(store: Store) -> None:
    free = REFUND.model_copy(update={"approval": Approval.AUTO_RUN})
    agent = AgentDefinition.model_validate(
        {"name": "desk", "agent_type": "functional", "outputs": [{"name": "said"}], "tools": [free]}
    )
    model = Forgetful([("issue_refund", FIRST)], [("issue_refund", SECOND)])

    await Functional(Runtime(lambda _: model.model()), store.database, within_s=60).run(agent, {}, {})

    assert [made["order_id"] for made in model.came_back] == ["A-1001", "A-1002"]
    assert await count(store, refunds) == 2


class of(FarModel):
    def __init__(self, stream: Callable[[list[ModelMessage], AgentInfo], AsyncIterator[Any]]) -> None:
        super().__init__()
        self._told = stream

    def model(self) -> FunctionModel:
        return FunctionModel(stream_function=self._told)


async def test_half_a_character_of_a_model_breaks_no_clients_socket(store: Store) -> None:
    async def halves(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaThinkingPart(content=HALF)}
        yield HALF
        yield "\ude00 for you"
        if not any(isinstance(part, ToolReturnPart) for one in messages for part in one.parts):
            yield {1: DeltaToolCall(name="lookup_order", json_args='{"order_id": "\ud83d"}', tool_call_id="c\ud83d")}

    conversation = Conversation(store, of(halves), LOOKUP)
    await conversation.say("Hello")
    await conversation.say("And again")

    assert conversation.failure == ""
    assert any("for you" in frame.get("value", "") for frame in conversation.sent)
    for frame in conversation.sent:
        assert frames.encode(frame).encode()


async def test_half_a_character_before_a_model_broke_off_is_no_second_fault(store: Store) -> None:
    async def breaks(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        yield HALF
        if len([one for one in messages if isinstance(one, ModelRequest)]) == 1:
            raise ValueError("s3cret")

    conversation = Conversation(store, of(breaks), LOOKUP)
    await conversation.say("Hello")
    assert conversation.failure == "this server failed (ValueError)"

    await conversation.say("Again")
    assert conversation.failure == "this server failed (ValueError)", "the second turn is fine"


def test_what_a_database_says_of_a_fault_is_for_no_client() -> None:
    from sqlalchemy.exc import IntegrityError

    error = IntegrityError("INSERT INTO agent_calls", None, Exception("UNIQUE constraint failed"))

    assert showable(error) == "this server failed (IntegrityError)"
