"""What a person is told of a folder of definitions before anything runs."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.agent import checking
from adapters.agent.checking import Here
from adapters.agent.server.definitions import AgentDefinition, Io, Knowledge, Memory
from adapters.agent.server.mistakes import UNWRITTEN
from adapters.agent.server.model_settings import ModelSettings, is_installed
from adapters.agent.server.tool_definitions import Parameter, ToolDefinition
from adapters.agent.server.tool_kinds import CatalogueTool, Condition, HttpCall
from adapters.agent.server.tools import Toolbox, ToolSettings
from gateway.errors import ConfigError
from tests.adapters.agent.world import AGENTS

HERE = Here(ModelSettings(), Toolbox())


def remarks(folder: Path, written: str, here: Here = HERE) -> list[str]:
    (folder / "desk.toml").write_text(written)
    first, *found = checking.check(folder, here)

    assert first.ok, first.what
    assert all(one.ok and one.advice for one in found)
    return [one.what.removeprefix(f"{folder / 'desk.toml'}: ") for one in found]


def test_the_agents_that_ship_have_nothing_to_be_looked_at() -> None:
    found = checking.check(AGENTS, HERE)

    assert all(one.ok and not one.advice for one in found)
    assert f"{AGENTS / 'support.toml'}: agent support, conversational, 5 tools, runs on offline" in [
        one.what for one in found
    ]


def test_each_file_is_told_of_although_another_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("agent_typ = 1\nmodle = 2")
    (tmp_path / "b.toml").write_text("name = ")
    (tmp_path / "c.toml").write_text("name = 'same'")
    (tmp_path / "d.toml").write_text("name = 'same'")
    (tmp_path / "e.toml").write_text("agent_type = 'functional'\ninstructions = '[[inputs.x]]'")

    found = checking.check(tmp_path, HERE)

    assert [(one.ok, one.what.removeprefix(f"{tmp_path}/").split(":")[0]) for one in found] == [
        (False, "a.toml, line 1"),
        (False, "a.toml, line 2"),
        (False, "b.toml, line 1"),
        (True, "c.toml"),
        (False, "d.toml"),
        (False, "e.toml, line 2"),
    ]
    assert "agent e, instructions: [[inputs.x]]: there is no such input" in found[-1].what


def test_a_tool_that_writes_and_asks_nobody_is_pointed_out(tmp_path: Path) -> None:
    written = """
        [[tools]]
        name = "issue_refund"
        [[tools]]
        name = "lookup_order"
        [[tools]]
        name = "update_address"
        approval = "let_agent_decide"
        [[tools]]
        name = "post_note"
        http = {method = "POST", url = "https://api.example.com/notes", hosts = ["api.example.com"]}
        [[tools]]
        name = "read_note"
        writes = false
        http = {url = "https://api.example.com/notes", hosts = ["api.example.com"]}
    """
    assert remarks(tmp_path, written) == [
        "tool issue_refund writes and is auto_run",
        "tool post_note writes and is auto_run",
    ]


def test_a_tool_that_lacks_its_secret_is_pointed_out_by_its_variable(tmp_path: Path) -> None:
    written = """
        [[tools]]
        name = "look"
        writes = false
        http = {url = "https://api.example.com/x", hosts = ["api.example.com"], secret = "TOOL_DESK_KEY"}
        [[tools]]
        name = "web_search"
    """
    found = remarks(tmp_path, written)
    keys = Toolbox(ToolSettings(secrets={"TOOL_DESK_KEY": "s3cret", "EXA_API_KEY": "k3y"}))

    assert found[0] == "tool look cannot run here: TOOL_DESK_KEY is not set"
    assert found[1].startswith("tool web_search cannot run here: ")
    assert remarks(tmp_path, written, Here(ModelSettings(), keys)) == []


def test_an_agent_whose_provider_has_no_key_here_is_pointed_out(tmp_path: Path) -> None:
    written = "provider = 'openai'\nmodel = 'gpt-5'"
    (said,) = remarks(tmp_path, written)

    assert said.startswith("runs offline: ")
    assert remarks(tmp_path, "model = ''") == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "instructions = 'Say [[inputs.x]], not [[this]].'",
            ["instructions: [[inputs.x]] stays as it is written"],
        ),
        (
            "instructions = 'Say {{inputs.x}}.'",
            ["instructions: {{inputs.x}} stays as it is written"],
        ),
        (
            """
            agent_type = 'functional'
            instructions = 'Say {{inputs.gone}} [[inputs.x]].'
            inputs = [{name = 'x'}]
            outputs = [{name = 'y'}]
            """,
            ["instructions: {{inputs.gone}} names nothing this agent has"],
        ),
        ("agent_type = 'functional'", ["has no outputs: a run answers nothing"]),
        (
            """
            agent_type = 'functional'
            outputs = [{name = 'y'}]
            tools = [{name = 'issue_refund', approval = 'requires_approval'}]
            """,
            ["is functional, and issue_refund may ask: in a run nobody can be asked, so the call is denied"],
        ),
        ("outputs = [{name = 'y'}]", ["has inputs or outputs, and is conversational"]),
        (
            "agent_type = 'functional'\noutputs = [{name = 'y', io_type = 'strin'}]",
            ["y: io_type 'strin' is not known; did you mean string?"],
        ),
        ("[[knowledge.documents]]\ntitle = 'a'\ntext = 'b'", ["no tool reads its knowledge"]),
    ],
)
def test_what_does_nothing_is_pointed_out(written: str, said: list[str], tmp_path: Path) -> None:
    assert remarks(tmp_path, written) == said


def test_the_examples_of_the_page_on_agents_can_be_read_and_have_no_mistake(tmp_path: Path) -> None:
    page = (AGENTS.parents[1] / "docs" / "agents.md").read_text()
    examples = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    for number, example in enumerate(examples):
        (tmp_path / f"example-{number}.toml").write_text(example)

    found = checking.check(tmp_path, HERE)

    assert len(examples) == 4
    assert [one.what for one in found if not one.ok] == []
    assert [one.what.removeprefix(f"{tmp_path}/") for one in found if one.advice] == [
        "example-2.toml: tool book_courier cannot run here: TOOL_COURIER_TOKEN is not set",
        "example-3.toml: tool read_mail cannot run here: integration_gmail is of a platform's own catalogue",
    ]


def test_every_word_of_a_definition_is_on_the_page_on_agents() -> None:
    page = (AGENTS.parents[1] / "docs" / "agents.md").read_text()
    words = {word for model in (AgentDefinition, Io, Knowledge, Memory) for word in model.model_fields}
    words |= {
        word for model in (ToolDefinition, Parameter, Condition, HttpCall, CatalogueTool) for word in model.model_fields
    }
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page, flags=re.DOTALL))
    named = {word for span in spans for word in re.findall(r"[a-z_]+", span)}

    assert words - named == UNWRITTEN


def test_a_folder_without_agents_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no agent definition"):
        checking.check(tmp_path, HERE)
    with pytest.raises(ConfigError, match="no such folder"):
        checking.check(tmp_path / "nowhere", HERE)


def test_an_agent_with_a_key_is_told_with_its_model(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text("provider = 'openai'\nmodel = 'gpt-5'")
    here = Here(ModelSettings.model_construct(provider="openai", api_key=SecretStr("k3y"), name="gpt-4"), Toolbox())

    (found, *_) = checking.check(tmp_path, here)

    assert "k3y" not in found.what
    assert found.what.endswith(f"runs on {'openai gpt-5' if is_installed('openai') else 'offline'}")
