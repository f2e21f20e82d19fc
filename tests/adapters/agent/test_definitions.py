from pathlib import Path

import pytest

from adapters.agent.server import definitions, tool_definitions
from adapters.agent.server.definitions import DefinitionWrong
from adapters.agent.server.tools import FUNCTIONS
from gateway.errors import ConfigError
from tests.adapters.agent.world import AGENTS


def test_the_agent_that_ships_can_be_read() -> None:
    support = definitions.load(AGENTS)["support"]

    assert support.provider == "offline"
    assert support.gated_tools == ("issue_refund", "update_address")


def test_the_functions_a_definition_may_name_are_the_ones_there_are() -> None:
    assert set(tool_definitions.FUNCTION_NAMES) == set(FUNCTIONS)


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("agent_typ = 'conversational'", "agent_typ"),
        ("agent_type = 'chatty'", "agent_type"),
        ("[[tools]]\nname = 'x'\napproval = 'sometimes'", "tools.0.approval"),
        ("[[tools]]\nname = 'x'\nfunction = 'no_such'", "no_such"),
        ("[[tools]]\nname = 'lookup_order'\n[[tools]]\nname = 'lookup_order'", "lookup_order"),
        ("[[tools]]\nname = 'lookup_order'\n[tools.parameters.x]\ntype = 'date'", "tools.0.parameters.x.type"),
        ("[knowledge]\nfolder = 'nowhere'", "nowhere"),
        ("name = \nx = 1", "line 1: Invalid value (column 8): name ="),
        ("a = 1\nname = 'x", "line 2"),
        ("stored_id = 'x'", "line 1: stored_id: is not for files"),
        ("inputs = [{name = 'a'}, {name = 'a'}]", "line 1: inputs.1.name: 'a' is the name of two inputs"),
        ("name = 'the desk'", "line 1: name: "),
    ],
)
def test_what_is_wrong_in_a_definition_is_named_with_its_file(tmp_path: Path, written: str, named: str) -> None:
    (tmp_path / "broken.toml").write_text(written)

    with pytest.raises(ConfigError) as caught:
        definitions.load(tmp_path)

    assert "broken.toml" in str(caught.value)
    assert named in str(caught.value)


BROKEN = '''\
name = "desk"
agent_typ = "functional"
instructions = """
Not a table: [tools]
agent_type = "nor a word"
"""
inputs = [{name = "topic"},
          {nam = "tone"}]
[memory]
sesion = true   # [memory]

[[tools]]
name = "lookup_order"
aproval = "auto_run"
[tools.parameters."order_id"]
type = "strin"
[[tools]]
name = "issue_refund"
approval = "requires"
parameters.amount = {typ = "number"}
[[tools]]
function = "issue_refund"
[[knowledge.documents]]
title = "Terms"
text = 3
'''


def test_every_mistake_is_told_with_its_line_its_word_and_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(BROKEN)

    with pytest.raises(DefinitionWrong) as caught:
        definitions.read(path)

    told = [mistake.removeprefix(f"{path}, ") for mistake in caught.value.mistakes]
    expected = [
        ("line 2: agent_typ: `agent_typ` is not a word of this table", "did you mean agent_type?"),
        ("line 8: inputs.1.name: `name` is missing here", ""),
        ("line 8: inputs.1.nam: `nam` is not a word of this table", "did you mean name?"),
        ("line 10: memory.sesion: `sesion` is not a word of this table", "did you mean session?"),
        ("line 14: tools.0.aproval: `aproval` is not a word of this table", "did you mean approval?"),
        ("line 16: tools.0.parameters.order_id.type: 'strin' is none of string, number", "did you mean string?"),
        ("line 19: tools.1.approval: 'requires' is none of auto_run", "did you mean requires_approval?"),
        ("line 20: tools.1.parameters.amount.typ: `typ` is not a word", "did you mean type?"),
        ("line 21: tools.2.name: `name` is missing here", ""),
        ("line 25: knowledge.documents.0.text: takes a text, and it is 3", ""),
    ]
    assert len(told) == len(expected), told
    for said, (begins, meant) in zip(told, expected, strict=True):
        assert said.startswith(begins)
        assert meant in said
    assert str(caught.value).startswith(f"{path}, line 2: agent_typ: ")
    assert str(caught.value).endswith("(and 9 more: `gateway agents check` lists them)")
    assert "stored_id" not in str(caught.value), "a word that no file has is not offered"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_bytes(b"name = '\xff'")

    with pytest.raises(DefinitionWrong, match=r"desk.toml: it cannot be read \("):
        definitions.load(tmp_path)


def test_two_agents_of_one_name_are_an_error(tmp_path: Path) -> None:
    for file in ("a.toml", "b.toml"):
        (tmp_path / file).write_text("name = 'same'")

    with pytest.raises(ConfigError, match="same"):
        definitions.load(tmp_path)


def test_a_folder_of_texts_becomes_knowledge(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "gift_cards.md").write_text("They never expire.")
    (tmp_path / "shop.toml").write_text("[knowledge]\nfolder = 'texts'")

    [document] = definitions.load(tmp_path)["shop"].knowledge.documents

    assert (document.title, document.text) == ("gift cards", "They never expire.")


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        definitions.load(tmp_path / "nowhere")


def test_a_tool_keeps_its_id_from_start_to_start() -> None:
    first, second = (definitions.load(AGENTS)["support"].tool_id("issue_refund") for _ in range(2))

    assert first == second
    assert first.startswith("custom_tool_")
    assert len(first.removeprefix("custom_tool_")) == 24
