"""Static inputs: the model never sees them, the approver does, and may change them."""

from typing import Any

import pytest
from pydantic import ValidationError

from adapters.agent.server import arguments
from adapters.agent.server.arguments import ArgumentsWrong
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from tests.helpers.far_model import Conversation, FarModel

AMOUNT = Parameter(type="number")


def refund(approval: Approval = Approval.REQUIRES_APPROVAL, **static: Any) -> ToolDefinition:
    parameters = {"order_id": Parameter(), "amount": AMOUNT, "reason": Parameter(required=False)}
    return ToolDefinition(name="issue_refund", approval=approval, parameters=parameters, static=static)


async def test_the_model_does_not_see_them_and_the_approver_does(store: Store) -> None:
    model = FarModel([("issue_refund", {"order_id": "A-1001"})])
    conversation = Conversation(store, model, refund(amount=15, reason="goodwill"))

    await conversation.say("My kite is torn.")

    assert list(model.offered["issue_refund"]["properties"]) == ["order_id"]
    [request] = conversation.requests
    assert request["input"] == {"order_id": "A-1001", "amount": 15, "reason": "goodwill"}


async def test_what_a_person_confirmed_is_over_what_was_proposed_and_that_over_them(store: Store) -> None:
    conversation = Conversation(
        store, FarModel([("issue_refund", {"order_id": "A-1001"})]), refund(amount=15, reason="goodwill")
    )
    await conversation.say("My kite is torn.")

    await conversation.confirm({"amount": "$20", "order_id": "A-1002"})

    [ran] = conversation.ran
    assert ran["input"] == {"order_id": "A-1002", "amount": 20, "reason": "goodwill"}


async def test_a_tool_that_asks_nobody_runs_with_them_too(store: Store) -> None:
    model = FarModel([("issue_refund", {"order_id": "A-1001"})])
    conversation = Conversation(store, model, refund(Approval.AUTO_RUN, amount=15))

    await conversation.say("My kite is torn.")

    assert model.came_back == [{"order_id": "A-1001", "amount": 15, "status": "refunded"}]


async def test_a_model_that_guesses_the_name_of_one_is_told_that_there_is_none(store: Store) -> None:
    guess, plain = {"order_id": "A-1001", "amount": 500}, {"order_id": "A-1001"}
    model = FarModel([("issue_refund", guess)], [("issue_refund", plain)])
    conversation = Conversation(store, model, refund(amount=15))

    await conversation.say("My kite is torn.")

    assert model.came_back == ["issue_refund has no argument amount"]
    [request] = conversation.requests
    assert request["input"]["amount"] == 15


async def test_a_change_that_makes_no_sense_is_not_run(store: Store) -> None:
    conversation = Conversation(store, FarModel([("issue_refund", {"order_id": "A-1001"})]), refund(amount=15))
    await conversation.say("My kite is torn.")

    await conversation.confirm({"amount": "lots"})

    assert conversation.ran == []


def test_one_that_is_nothing_is_not_passed_on() -> None:
    tool = refund(reason=None)

    assert arguments.checked(tool, {"order_id": "A-1001", "amount": 5}) == {"order_id": "A-1001", "amount": 5}


@pytest.mark.parametrize(
    ("static", "given", "taken"), [(5, "7", 7), (True, "no", False), ("a", "b", "b"), ({"x": 1}, [2], [2])]
)
def test_one_without_a_declared_type_has_the_type_of_its_value(static: Any, given: Any, taken: Any) -> None:
    tool = ToolDefinition(name="lookup_order", static={"extra": static})

    assert arguments.checked(tool, {"extra": given}, by_person=True) == {"extra": taken}


def test_one_of_the_wrong_type_is_named_to_the_person() -> None:
    tool = ToolDefinition(name="lookup_order", static={"most": 5})

    with pytest.raises(ArgumentsWrong, match="most must be a number"):
        arguments.checked(tool, {"most": "many"}, by_person=True)


@pytest.mark.parametrize(
    ("static", "named"), [({"amount": "lots"}, "amount must be a number"), ({"approval_reason": "x"}, "name of ours")]
)
def test_one_that_cannot_be_is_refused_when_the_definition_is_read(static: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        refund(**static)
