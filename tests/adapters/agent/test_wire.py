"""An agent on its way over REST: what is sent of a file, and what this server makes of what a client sends."""

from typing import Any

import pytest

from adapters.agent.server import wire
from adapters.agent.server.definitions import AgentDefinition, Io, load
from adapters.agent.server.refusals import Wrong
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from adapters.agent.templates import TemplateReferenceError
from tests.adapters.agent.world import AGENTS

ID = "0123456789abcdef01234567"
MODEL = {"provider": "offline", "model_id": ""}
BRIEF = AgentDefinition(
    name="brief",
    agent_type="functional",
    instructions="Write [[outputs.brief]] about [[inputs.brief]] with [[tools.brief]].",
    inputs=(Io(name="brief"),),
    outputs=(Io(name="brief"),),
    tools=(ToolDefinition(name="brief", function="lookup_order", description="About [[inputs.brief]]."),),
)


def tool(**value: Any) -> dict[str, Any]:
    return {"id": "t_1", "name": "look", "approval_config": "auto_run", "value": {"node_type": "custom_tool", **value}}


def agent(**more: Any) -> dict[str, Any]:
    return {"name": "Ann's desk", "llm_client_key": MODEL, "agent_type": "conversational", **more}


def test_the_agent_that_ships_is_the_same_when_it_comes_back() -> None:
    support = load(AGENTS)["support"]

    back = wire.definition_of(wire.payload(support), ID)

    assert (back.id, back.instructions, back.memory) == (ID, support.instructions, support.memory)
    for sent, came in zip(support.tools, back.tools, strict=True):
        assert came.id == support.tool_id(sent.name)
        assert came.function_name == sent.function_name
        assert came.model_copy(update={"id": "", "function": sent.function}) == sent


def test_a_file_is_sent_with_its_placeholders_as_ids_the_same_each_time() -> None:
    sent = wire.payload(BRIEF)

    ids = [*sent["outputs"], *sent["inputs"], *sent["tools"]]
    assert len(set(ids)) == 3
    assert sent["instructions"] == "Write {{{{outputs.{}}}}} about {{{{inputs.{}}}}} with {{{{tools.{}}}}}.".format(
        *ids
    )
    assert sent["tools"][ids[2]]["description"] == f"About {{{{inputs.{ids[1]}}}}}."
    assert "memory_config" not in sent
    assert sent == wire.payload(BRIEF)


def test_a_placeholder_that_leads_nowhere_is_not_sent() -> None:
    with pytest.raises(TemplateReferenceError, match="brif"):
        wire.payload(BRIEF.model_copy(update={"instructions": "[[inputs.brif]]"}))


def test_static_inputs_travel_both_ways_and_the_model_is_not_asked_for_them() -> None:
    refund = ToolDefinition(
        name="refund",
        function="issue_refund",
        parameters={"order_id": Parameter(), "amount": Parameter(type="number")},
        static={"amount": 10},
    )

    sent = wire.payload(BRIEF.model_copy(update={"instructions": "", "tools": (refund,)}))
    [inputs] = [one["value"]["inputs"] for one in sent["tools"].values()]
    [back] = wire.definition_of(sent, ID).tools

    assert inputs == {
        "order_id": {"type": "dynamic", "value": ""},
        "amount": {"type": "static", "value": 10},
    }
    assert back.static == {"amount": 10}
    assert "amount" not in back.asked_parameters
    assert back.parameters["amount"].type == "number"


def test_an_address_and_its_secret_stay_in_the_file() -> None:
    call = ToolDefinition.model_validate(
        {
            "name": "lookup_order",
            "http": {"url": "https://api.example.com/x", "hosts": ["api.example.com"], "secret": "TOOL_KEY"},
        }
    )

    sent = wire.payload(BRIEF.model_copy(update={"instructions": "", "tools": (call,)}))

    assert "example.com" not in str(sent)
    assert "TOOL_KEY" not in str(sent)
    assert wire.unavailable(sent) == ["lookup_order"]


def test_the_words_of_an_input_are_the_agents_and_its_type_the_functions() -> None:
    given = tool(tool_type="issue_refund", inputs={"amount": {"type": "dynamic", "value": "In cents."}})

    [made] = wire.definition_of(agent(tools={"t_1": given}), ID).tools

    assert made.parameters["amount"] == Parameter(type="number", description="In cents.")
    assert made.parameters["order_id"].required  # the function cannot do without
    assert made.name == "look"


def test_an_input_the_function_does_not_know_may_be_left_out_when_nothing_is_said_about_it() -> None:
    inputs = {"why": {"type": "dynamic", "value": ""}, "tone": {"type": "dynamic", "value": "Kind or dry."}}

    [made] = wire.definition_of(agent(tools={"t_1": tool(tool_type="lookup_order", inputs=inputs)}), ID).tools

    assert (made.parameters["why"].required, made.parameters["tone"].required) == (False, True)


def test_the_model_is_told_which_tools_are_not_here() -> None:
    search = {**tool(), "name": "Google search", "value": {"node_type": "google_search", "inputs": {"odd": 1}}}
    stored = agent(agent_type="functional", instructions="Use {{tools.t_1}} on {{inputs.in_1}}.", tools={"t_1": search})

    made = wire.definition_of(stored, ID)

    assert made.tools == ()
    assert made.instructions.startswith("Use Google search on {{inputs.in_1}}.\n")
    assert "not available here: Google search" in made.instructions
    assert wire.unavailable(stored) == ["Google search"]


def test_a_person_can_be_asked_by_an_agent_that_was_saved() -> None:
    asks = {**tool(tool_type="ask_human"), "name": "ask_human", "approval_config": "requires_approval"}

    [made] = wire.definition_of(agent(tools={"t_1": asks}), ID).tools

    assert list(made.asked_parameters) == ["question"]
    with pytest.raises(Wrong, match="approval"):
        wire.definition_of(agent(tools={"t_1": {**asks, "approval_config": "auto_run"}}), ID)


def test_any_name_will_do_for_an_agent() -> None:
    assert wire.definition_of(agent(name="Ünïcødé & Söhne"), ID).id == ID
    assert wire.definition_of(agent(name="..."), ID).name == "agent"


def test_approval_modes_and_memory_are_read() -> None:
    asks = {**tool(tool_type="issue_refund"), "approval_config": "let_agent_decide"}

    made = wire.definition_of(agent(tools={"t_1": asks}, memory_config={"enable_session_memory": False}), ID)

    assert made.tools[0].approval is Approval.LET_AGENT_DECIDE
    assert made.memory.session is False


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": 5}, "name"),
        ({"llm_client_key": {"provider": "openai"}}, "llm_client_key.model_id"),
        ({"llm_client_key": None}, "llm_client_key"),
        ({"agent_type": "both"}, "agent_type"),
        ({"instructions": ["a"]}, "instructions"),
        ({"inputs": {"in_1": {"io_type": "string"}}}, "inputs.in_1.name"),
        ({"inputs": {"in_1": {"name": "a"}, "in_2": {"name": "a"}}}, "inputs: .*named twice: a"),
        ({"tools": {"t_1": tool(), "t_2": {**tool(), "id": "t_2"}}}, "tools: .*named twice: look"),
        ({"tools": {"t_1": {**tool(), "approval_config": "never"}}}, "tools.t_1.approval_config"),
        ({"tools": {"t_1": {"id": "t_1", "name": "look"}}}, "tools.t_1.value"),
        ({"tools": {"t_1": {**tool(tool_type="lookup_order"), "name": "two words"}}}, "tools.t_1.name"),
        (
            {"tools": {"t_1": tool(tool_type="lookup_order", inputs={"order_id": "A-1"})}},
            "tools.t_1.value.inputs.order_id",
        ),
        ({"tools": {"t_1": tool(tool_type="lookup_order", inputs=[])}}, "tools.t_1.value.inputs"),
        (
            {"tools": {"t_1": tool(tool_type="issue_refund", inputs={"amount": {"type": "static", "value": "much"}})}},
            "tools.t_1",
        ),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], word: str) -> None:
    with pytest.raises(Wrong, match=f"^{word}"):
        wire.definition_of(agent(**change), ID)
