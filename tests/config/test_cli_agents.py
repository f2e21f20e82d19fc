"""`gateway agents ...` as a person meets it."""

import asyncio
import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from adapters.agent.server.app import ServerSettings
from config.cli import app
from tests.adapters.agent.world import AGENTS, serving
from tests.helpers.cli import asks

WRITER = """
agent_type = "functional"
instructions = "Write [[outputs.brief]] on [[inputs.topic]]."
inputs = [{name = "topic"}]
outputs = [{name = "brief"}]
"""


def says(*words: str, **variables: str) -> Result:
    unset = {"AGENT__URL": "", "AGENT__API_KEY": "", "MODEL__PROVIDER": "", "COLUMNS": "200"}
    return CliRunner(env={**unset, **variables}).invoke(app, ["agents", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "agents"
    made.mkdir()
    (made / "writer.toml").write_text(WRITER)
    return made


# --- check and list ------------------------------------------------------------------------------------------


def test_the_files_that_ship_are_fine() -> None:
    done = says("check")

    assert done.exit_code == 0
    assert done.output.startswith("ok      config/agents/")


def test_a_broken_file_fails_the_check_with_file_line_and_word(folder: Path) -> None:
    (folder / "desk.toml").write_text("\n[memory]\nsesion = true")
    done = says("check", str(folder))

    assert done.exit_code == 1
    assert f"not ok  {folder}/desk.toml, line 3: memory.sesion: `sesion` is not a word" in done.output
    assert f"ok      {folder}/writer.toml: agent writer, functional, 0 tools, runs on offline" in done.output


def test_what_is_worth_a_look_is_no_failure(folder: Path) -> None:
    (folder / "desk.toml").write_text("[[tools]]\nname = 'issue_refund'")
    done = says("check", str(folder), "--json")

    assert done.exit_code == 0
    looks = [one for one in json.loads(done.output) if one["advice"]]
    assert [one["what"] for one in looks] == [f"{folder}/desk.toml: tool issue_refund writes and is auto_run"]


def test_no_folder_is_one_line(tmp_path: Path) -> None:
    done = says("check", str(tmp_path / "nowhere"))

    assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
    assert "no such folder" in done.output


def test_the_list_tells_the_model_its_reason_and_what_each_tool_may_do() -> None:
    done = says("list")

    assert done.exit_code == 0
    lines = [line.split() for line in done.output.splitlines()]
    assert any(line[:3] == ["support", "conversational", "offline"] and line[3:] for line in lines)
    assert ["support", "issue_refund", "requires_approval", "yes"] in lines
    assert ["support", "lookup_order", "auto_run", "no"] in lines


def test_the_list_can_be_read_by_a_script() -> None:
    support = next(one for one in json.loads(says("list", "--json").output) if one["name"] == "support")

    assert (support["type"], support["runs_on"]) == ("conversational", "offline")
    assert {"name": "update_address", "approval": "let_agent_decide", "writes": True} in support["tools"]


def test_the_list_says_when_another_platform_answers() -> None:
    assert "AGENT__URL is set" in says("list", AGENT__URL="https://agents.example/v1").output


# --- push ----------------------------------------------------------------------------------------------------


async def pushes(*words: str, code: int = 0, **variables: str) -> str:
    done = await asyncio.to_thread(says, "push", *words, **variables)

    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.fixture
def settings(tmp_path: Path) -> ServerSettings:
    return ServerSettings(agents_dir=AGENTS, database_url=f"sqlite:///{tmp_path / 'agent.db'}")


async def test_a_push_says_what_became_of_each_agent(folder: Path, settings: ServerSettings) -> None:
    (folder / "desk.toml").write_text("instructions = 'Be kind.'")
    async with serving(settings) as url:
        first = await pushes("--from", str(folder), AGENT__URL=url)
        (folder / "desk.toml").write_text("instructions = 'Be kind and short.'")
        second = await pushes("--from", str(folder), "--to", url)

    assert [line.split(" (")[0] for line in first.splitlines()[:2]] == ["created: desk", "created: writer"]
    assert [line.split(" (")[0] for line in second.splitlines()[:2]] == ["updated: desk", "unchanged: writer"]


async def test_only_the_agents_that_are_named_are_pushed(folder: Path, settings: ServerSettings) -> None:
    (folder / "desk.toml").write_text("instructions = 'Be kind.'")
    async with serving(settings) as url:
        said = await pushes("desk", "--from", str(folder), "--to", url)

    assert "created: desk" in said
    assert "writer" not in said


async def test_an_agent_that_is_refused_is_named_with_what_was_said(folder: Path, settings: ServerSettings) -> None:
    (folder / "support.toml").write_text("instructions = 'Another one.'")
    async with serving(settings) as url:
        said = await pushes("--from", str(folder), "--to", url, code=1)

    assert "gateway: agent support: the platform said: " in said
    assert "(HTTP 409)" in said
    assert "created: writer" in said


async def test_what_a_platform_does_not_get_is_told(folder: Path, settings: ServerSettings) -> None:
    (folder / "writer.toml").write_text("[[knowledge.documents]]\ntitle = 'a'\ntext = 'b'")
    async with serving(settings) as url:
        said = await pushes("--from", str(folder), "--to", url)

    assert "agent writer: the 1 document of its knowledge stays here" in said


def test_a_push_to_nowhere_is_one_line(folder: Path) -> None:
    for words, said in (
        ((), "AGENT__URL is not set"),
        (("--to", "agents.example"), "agents.example is no address"),
        (("--to", "http://127.0.0.1:1/v1"), "agent writer: http://127.0.0.1:1/v1/ does not answer"),
        (("writr", "--to", "http://127.0.0.1:1/v1"), "no file defines an agent 'writr'; did you mean writer?"),
    ):
        done = says("push", "--from", str(folder), *words)

        assert (done.exit_code, len(done.output.splitlines())) == (1, 1)
        assert said in done.output


def test_a_folder_without_agents_is_nothing_to_push(tmp_path: Path) -> None:
    done = says("push", "--from", str(tmp_path), "--to", "http://127.0.0.1:1/v1")

    assert (done.exit_code, done.output) == (1, f"gateway: {tmp_path}: there is no agent definition (*.toml) in it\n")


async def test_a_key_that_is_refused_is_one_line_without_it(folder: Path, settings: ServerSettings) -> None:
    async with serving(settings.model_copy(update={"api_key": SecretStr("another")})) as url:
        said = await pushes("--from", str(folder), "--to", url, code=1, AGENT__API_KEY="s3cret")

    assert "(HTTP 401); see AGENT__API_KEY" in said
    assert len(said.splitlines()) == 1
    assert "s3cret" not in said


# --- the start of the server ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("agent_typ = 'functional'", "desk.toml, line 1: agent_typ: "),
        (
            WRITER.replace("inputs.topic", "inputs.tpoic"),
            "agent desk, instructions: [[inputs.tpoic]]: there is no such",
        ),
    ],
)
def test_a_server_does_not_start_with_a_definition_that_is_wrong(written: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "config/agents").mkdir(parents=True)
    (tmp_path / "config/agents/desk.toml").write_text(written)
    done = asks(tmp_path, "agents", "serve", "--port", "0")

    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
