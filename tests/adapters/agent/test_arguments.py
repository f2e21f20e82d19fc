from typing import Any

import pytest

from adapters.agent.server import arguments, definitions
from adapters.agent.server.arguments import ArgumentsWrong
from tests.adapters.agent.world import AGENTS

SUPPORT = definitions.load(AGENTS)["support"]
REFUND = next(tool for tool in SUPPORT.tools if tool.name == "issue_refund")
ADDRESS = next(tool for tool in SUPPORT.tools if tool.name == "update_address")


@pytest.mark.parametrize(
    ("amount", "taken"), [(40, 40), (40.5, 40.5), (40.0, 40), ("40", 40), ("$40.50", 40.5), (" 7 ", 7)]
)
def test_a_number_is_taken_as_people_write_it(amount: Any, taken: float) -> None:
    assert arguments.checked(REFUND, {"order_id": "A-1001", "amount": amount})["amount"] == taken


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"order_id": "A-1001"}, "amount"),
        ({"order_id": "A-1001", "amount": "a lot"}, "amount"),
        ({"order_id": "A-1001", "amount": True}, "amount"),
        ({"order_id": "A-1001", "amount": "nan"}, "amount"),
        ({"order_id": "A-1001", "amount": [40]}, "amount"),
        ({"order_id": 1001, "amount": 40}, "order_id"),
        ({"order_id": "A-1001", "amount": 40, "to": "me"}, "to"),
    ],
)
def test_a_wrong_argument_is_named(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ArgumentsWrong, match=named):
        arguments.checked(REFUND, given)


def test_only_a_tool_whose_agent_decides_offers_to_ask() -> None:
    assert arguments.ASK in arguments.schema(ADDRESS)["properties"]
    assert arguments.ASK not in arguments.schema(REFUND)["properties"]
    assert arguments.without_flags({"address": "x", arguments.ASK: True, arguments.WHY: "y"}) == {"address": "x"}
