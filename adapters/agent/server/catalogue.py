"""The parameters of the functions this server has, as they are: on the wire an input has a description but no type."""

from collections.abc import Mapping

from adapters.agent.server.tool_definitions import Parameter

ORDER_ID = Parameter(description="The number of the order, such as A-1001.")

PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    "lookup_order": {"order_id": ORDER_ID},
    "issue_refund": {
        "order_id": ORDER_ID,
        "amount": Parameter(type="number", description="How much to pay back, in dollars."),
        "reason": Parameter(description="Why, in a few words.", required=False),
    },
    "update_address": {"address": Parameter(description="The whole new address on one line.")},
    "search_knowledge": {"query": Parameter(description="What to look for, in a few words.")},
    "human_handoff": {
        "reason": Parameter(description="Why a person is needed."),
        "summary": Parameter(description="What was said so far, in one sentence."),
        "urgency": Parameter(description="How urgent it is.", required=False, enum=("low", "normal", "high")),
    },
    "web_search": {"query": Parameter(description="What to search the web for.")},
    "ask_human": {"question": Parameter(description="What a person should answer.")},
}
