from pathlib import Path

import pytest

from adapters.agent.server import definitions, tool_definitions
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
        ("name = \nx = 1", "line 1"),
    ],
)
def test_what_is_wrong_in_a_definition_is_named_with_its_file(tmp_path: Path, written: str, named: str) -> None:
    (tmp_path / "broken.toml").write_text(written)

    with pytest.raises(ConfigError) as caught:
        definitions.load(tmp_path)

    assert "broken.toml" in str(caught.value)
    assert named in str(caught.value)


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
