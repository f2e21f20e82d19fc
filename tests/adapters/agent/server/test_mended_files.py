"""What a newcomer hears of a definition file, and of a server that does not answer: where it is, and what to do."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters.agent.server import definitions
from adapters.agent.server.definitions import DefinitionWrong
from config.cli import app
from tests.helpers.cli import gateway

WRITER = """
agent_type = "functional"
inputs = [{name = "topic"}]
outputs = [{name = "brief"}]
instructions = '''
Write [[outputs.brief]].
It is on [[inputs.tpoic]].
'''
"""
MISPLACED = "desk.toml, line 7: agent desk, instructions: [[inputs.tpoic]]: there is no such input"
FLOOR = """
[[tools]]
name = "update_address"
approval = "let_agent_decide"
[[tools.ask_if]]
argument = "order_id"
"""


def says(*words: str, **variables: str) -> Result:
    unset = {"AGENT__URL": "", "AGENT__API_KEY": "", "MODEL__PROVIDER": "", "COLUMNS": "200"}
    return CliRunner(env={**unset, **variables}).invoke(app, ["agents", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "config" / "agents"
    made.mkdir(parents=True)
    (made / "desk.toml").write_text(WRITER)
    return made


# --- placeholders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("check",), ("list",), ("push", "--to", "http://127.0.0.1:1/v1", "--from")])
def test_a_placeholder_that_leads_nowhere_is_told_with_file_line_and_word(
    folder: Path, command: tuple[str, ...]
) -> None:
    done = says(*command, str(folder))

    assert done.exit_code == 1
    assert f"{folder}/{MISPLACED}" in done.output


def test_a_placeholder_that_an_escape_hides_is_told_with_its_file(folder: Path) -> None:
    (folder / "desk.toml").write_text('agent_type = "functional"\ninstructions = "On [[inputs.\\u0074poic]]."')

    with pytest.raises(DefinitionWrong, match=r"desk\.toml: agent desk, instructions: \[\[inputs\.tpoic\]\]"):
        definitions.load(folder)


@pytest.mark.long
def test_a_server_says_that_it_listens_only_when_it_does(folder: Path) -> None:
    done = gateway(folder.parents[1], "agents", "serve", "--port", "0")

    assert done.returncode == 1
    assert MISPLACED in done.stderr.splitlines()[-1]
    assert "listens on" not in done.stderr + done.stdout


# --- folders, ports and addresses ----------------------------------------------------------------------------


def test_the_list_and_the_server_take_a_folder(folder: Path) -> None:
    drafts = folder.parents[1] / "drafts"
    drafts.mkdir()
    (drafts / "desk.toml").write_text("instructions = 'Be kind.'")
    listed = says("list", str(drafts))
    served = gateway(drafts.parent, "agents", "serve", "drafts/none", "--port", "0")

    assert (listed.exit_code, "desk" in listed.output) == (0, True)
    assert "drafts/none: no such folder" in served.stderr


@pytest.mark.long
def test_a_port_that_is_taken_is_said_in_the_words_of_the_command(tmp_path: Path) -> None:
    (tmp_path / "config/agents").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = gateway(tmp_path, "agents", "serve", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert "set --port to a free one" in done.stderr


def test_a_push_to_a_server_that_is_not_there_says_how_to_start_it(folder: Path) -> None:
    (folder / "desk.toml").write_text("instructions = 'Be kind.'")
    done = says("push", "--from", str(folder), "--to", "http://127.0.0.1:1/v1")

    assert "start it with `gateway agents serve`, or set AGENT__URL" in done.output


# --- words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (f'{FLOOR}above = "lots"', "line 7: tools.0.ask_if.0.above: takes a number, and it is 'lots'"),
        (f"{FLOOR}one_of = 3", "line 7: tools.0.ask_if.0.one_of: takes a list, and it is 3"),
        ("[memory]\nsession = 'perhaps'", "line 2: memory.session: takes true or false, and it is 'perhaps'"),
        ("memory = 3", "line 1: memory: takes a table, and it is 3"),
    ],
)
def test_a_word_with_a_wrong_value_is_told_what_it_takes(folder: Path, written: str, said: str) -> None:
    (folder / "desk.toml").write_text(written)

    with pytest.raises(DefinitionWrong) as wrong:
        definitions.load(folder)

    assert said in str(wrong.value)
