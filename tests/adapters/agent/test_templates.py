"""Placeholders: as people write them, as platforms keep them, and what a run puts in their place."""

import pytest
from hypothesis import given, strategies as st

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.templates import (
    References,
    TemplateReferenceError,
    canonical,
    canonical_agent,
    filled,
    leads_nowhere,
    placeholders,
)
from gateway.errors import ConfigError

REFS = References(
    inputs={"topic": "input_1", "brief": "input_2", "house style": "input_3"},
    outputs={"brief": "output_2"},
    tools={"brief": "custom_tool_2", "search_knowledge": "custom_tool_3"},
)
PLACE = "agent brief, instructions"


def rewritten(text: str) -> str:
    return canonical(text, REFS, PLACE)


def refusal(text: str) -> str:
    with pytest.raises(TemplateReferenceError) as caught:
        rewritten(text)
    assert isinstance(caught.value, ConfigError)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("On [[inputs.topic]].", "On {{inputs.input_1}}."),
        ("[[inputs.brief]] [[outputs.brief]]", "{{inputs.input_2}} {{outputs.output_2}}"),
        ("[[tools.brief]] <vs-context>[x]</vs-context>", "{{tools.custom_tool_2}} <vs-context>[x]</vs-context>"),
        ("[[ inputs.topic ]] [[\ninputs.topic\n]]", "{{inputs.input_1}} {{inputs.input_1}}"),
        ("[[inputs.TOPIC]]", "{{inputs.input_1}}"),
        ("[[tools.searchKnowledge]] [[tools.SearchKnowledge]]", "{{tools.custom_tool_3}} {{tools.custom_tool_3}}"),
        ("[[inputs.input_1]] [[outputs.output_2]]", "{{inputs.input_1}} {{outputs.output_2}}"),
        ("[[tools.custom_tool_3]]", "{{tools.custom_tool_3}}"),
        ("[[inputs.house style]]", "{{inputs.input_3}}"),
        ("[[[inputs.topic]]]", "[{{inputs.input_1}}]"),
        ("{{inputs.input_1}} {{inputs.topic}} {{ anything }}", "{{inputs.input_1}} {{inputs.topic}} {{ anything }}"),
        ("[[1, 2], [3, 4]] [[]] [[see there]] [[\n", "[[1, 2], [3, 4]] [[]] [[see there]] [[\n"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_placeholder_becomes_the_platforms_and_the_rest_stays(written: str, kept: str) -> None:
    assert rewritten(written) == kept
    assert rewritten(kept) == kept, "saving twice changes nothing"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[[brief]]", "did you mean [[inputs.brief]] or [[outputs.brief]] or [[tools.brief]]?"),
        ("[[topci]]", "did you mean [[inputs.topic]]?"),
        ("[[inputs.tpoic]]", "there is no such input; did you mean [[inputs.topic]]? (there are topic, brief"),
        ("[[inputs.searchKnowledge]]", "did you mean [[tools.search_knowledge]]?"),
        ("[[outputs.search]]", "there is no such output (there are brief)"),
        ("[[tools.input_1]]", "there is no such tool"),
        ("[[input.brief]]", "'input' is no kind: write [[inputs.name]]"),
        ("[[input.brief]]", "did you mean [[inputs.brief]]?"),
        ("[[Inputs.topic]]", "did you mean [[inputs.topic]]?"),
        ("[[things.zzz]]", "'things' is no kind"),
        ("[[inputs topic]]", "[[inputs topic]]"),
        ("[[inputs.]]", "no name follows"),
        ("[[house style]]", "did you mean [[inputs.house style]]?"),
        ("First\n[[inputs.topic] and more", "it is not closed"),
        ("[[ inputs.topic", "it is not closed"),
    ],
)
def test_what_leads_nowhere_is_named_with_its_place_and_what_is_near(written: str, said: str) -> None:
    refused = refusal(written)

    assert refused.startswith(f"{PLACE}: [[")
    assert said in refused


def test_a_name_that_may_be_two_is_not_guessed() -> None:
    two = References(inputs={"Topic": "input_1", "topic": "input_2"}, outputs={}, tools={})

    assert canonical("[[inputs.topic]]", two, PLACE) == "{{inputs.input_2}}"
    with pytest.raises(TemplateReferenceError, match="it may be Topic or topic"):
        canonical("[[inputs.TOPIC]]", two, PLACE)


# --- a whole agent -----------------------------------------------------------------------------------------

WRITER = {
    "name": "brief",
    "agent_type": "functional",
    "instructions": "Write [[outputs.brief]] on [[inputs.brief]] with [[tools.search_knowledge]].",
    "inputs": [{"name": "brief"}],
    "outputs": [{"name": "brief"}],
    "tools": [
        {
            "name": "search_knowledge",
            "description": "Search for [[inputs.brief]].",
            "parameters": {"query": {"description": "About [[inputs.brief]]."}},
        }
    ],
}


def agent(**changed: object) -> AgentDefinition:
    return AgentDefinition.model_validate({**WRITER, **changed})


def test_one_name_as_input_and_output_has_two_ids_and_saving_twice_changes_nothing() -> None:
    once = canonical_agent(agent())
    refs = References.of(once)

    asked, made, tool = refs.inputs["brief"], refs.outputs["brief"], refs.tools["search_knowledge"]
    assert len({asked, made, tool}) == 3
    assert once.instructions == f"Write {{{{outputs.{made}}}}} on {{{{inputs.{asked}}}}} with {{{{tools.{tool}}}}}."
    assert once.tools[0].description == f"Search for {{{{inputs.{asked}}}}}."
    assert once.tools[0].parameters["query"].description == f"About {{{{inputs.{asked}}}}}."
    assert canonical_agent(once) == once


def test_an_id_that_the_platform_gave_is_the_one_that_is_written() -> None:
    known = canonical_agent(agent(inputs=[{"name": "brief", "id": "input_theirs"}]))

    assert "{{inputs.input_theirs}}" in known.instructions


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"instructions": "[[breif]]"}, "agent brief, instructions: [[breif]]"),
        (
            {"tools": [{"name": "search_knowledge", "description": "[[inputs.x]]"}]},
            "agent brief, tool search_knowledge, description: [[inputs.x]]",
        ),
        (
            {"tools": [{"name": "search_knowledge", "parameters": {"query": {"description": "[[inputs.x]]"}}}]},
            "agent brief, tool search_knowledge, parameter query, description: [[inputs.x]]",
        ),
    ],
)
def test_the_place_of_a_wrong_one_is_named(changed: dict[str, object], place: str) -> None:
    with pytest.raises(TemplateReferenceError) as caught:
        canonical_agent(agent(**changed))

    assert place in str(caught.value)


def test_what_a_conversational_agent_says_in_brackets_is_text() -> None:
    talker = agent(agent_type="conversational", inputs=[], outputs=[], instructions="Write [[name]] and [[inputs.x]].")

    assert canonical_agent(talker) is talker


# --- a run -------------------------------------------------------------------------------------------------


def test_a_run_fills_inputs_by_id_and_by_name_and_calls_the_others_by_name() -> None:
    text = "{{inputs.input_1}}, {{ inputs.topic }}, {{outputs.output_2}}, {{tools.custom_tool_3}}, {{inputs.brief}}"

    assert filled(text, REFS, {"topic": "kites"}) == "kites, kites, brief, search_knowledge, "


def test_a_value_is_never_read_as_a_placeholder() -> None:
    assert filled("{{inputs.topic}}", REFS, {"topic": "{{tools.brief}} \\1 [[x]]"}) == "{{tools.brief}} \\1 [[x]]"


def test_a_value_that_is_no_text_is_written_as_json() -> None:
    assert filled("{{inputs.topic}}", REFS, {"topic": ["ä", 1]}) == '["ä", 1]'


def test_what_names_nothing_stays_and_can_be_told() -> None:
    assert filled("{{inputs.gone}} {{other}}", REFS, {}) == "{{inputs.gone}} {{other}}"
    assert placeholders("{{inputs.gone}} {{ tools.brief }} {{other}}") == ["{{inputs.gone}}", "{{ tools.brief }}"]
    assert [leads_nowhere(one, REFS) for one in ("{{inputs.gone}}", "{{ tools.brief }}", "{{inputs.input_1}}")] == [
        *(True, False, False)
    ]


# --- whatever people write ---------------------------------------------------------------------------------

PLACEHOLDERS = ["[[inputs.topic]]", "[[outputs.Brief]]", "[[tools.searchKnowledge]]", "{{inputs.input_1}}"]
PIECES = st.sampled_from([*PLACEHOLDERS, "[", "]", "{", "}", "[["])
TEXTS = st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join)


@given(TEXTS)
def test_a_second_time_changes_nothing(text: str) -> None:
    try:
        once = rewritten(text)
    except TemplateReferenceError:
        return
    assert rewritten(once) == once


@given(st.text() | TEXTS.map(lambda text: text.replace("[[", "[ [")))
def test_a_text_without_a_placeholder_is_unchanged(text: str) -> None:
    if "[[" not in text:
        assert rewritten(text) == text


@given(st.text(alphabet="[]{}.inputs tool\n", max_size=40))
def test_any_text_is_either_rewritten_or_refused_with_its_place(text: str) -> None:
    said = ""
    try:
        rewritten(text)
    except TemplateReferenceError as error:
        said = str(error)
    assert not said or said.startswith(PLACE)
