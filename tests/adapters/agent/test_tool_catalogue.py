"""Tools of a platform's own catalogue in a file: passed on as they are, kept, and never run here."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.agent import checking, frames, pushing
from adapters.agent.checking import Here
from adapters.agent.client import AgentSettings
from adapters.agent.pushing import Pushed
from adapters.agent.server import definitions, wire
from adapters.agent.server.app import ServerSettings, build
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.model_settings import ModelSettings
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Toolbox
from gateway.errors import ConfigError
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import serving
from tests.helpers.far_model import Conversation, FarModel

DESK = """
name = "desk"
provider = "openai"
model = "gpt-5"

[[tools]]
name = "read_mail"
description = "Read the last messages."
approval = "requires_approval"
parameters.query = {description = "What to look for."}
static.num_results = 5
[tools.catalogue]
node_type = "integration_gmail"
task_name = "read_email"
more.integration = {object_id = "665f", object_type = "integration"}

[[tools]]
name = "lookup_order"
parameters.order_id = {description = "Its number."}
"""
NOT_HERE = "These tools are not available here: read_mail."


@pytest.fixture
def desk(tmp_path: Path) -> AgentDefinition:
    folder = tmp_path / "agents"
    folder.mkdir()
    (folder / "desk.toml").write_text(DESK)
    return definitions.read(folder / "desk.toml")


def read_mail(agent: dict[str, Any]) -> dict[str, Any]:
    """As the platform has it."""
    [found] = [tool for tool in agent["tools"].values() if tool["name"] == "read_mail"]
    assert agent["tools"][found["id"]] is found
    return found  # type: ignore[no-any-return]


def test_it_is_sent_in_the_platforms_own_words(desk: AgentDefinition) -> None:
    sent = read_mail(wire.payload(desk))

    assert sent["id"].startswith("integration_gmail_")
    assert sent["approval_config"] == "requires_approval"
    assert sent["value"] == {
        "node_type": "integration_gmail",
        "task_name": "read_email",
        "integration": {"object_id": "665f", "object_type": "integration"},
        "inputs": {
            "query": {"type": "dynamic", "value": "What to look for."},
            "num_results": {"type": "static", "value": 5},
        },
    }


async def test_it_goes_to_a_platform_and_comes_back_as_it_was(url: str, desk: AgentDefinition) -> None:
    async with pushing.platform(AgentSettings(url=url)) as http:
        [first] = [one async for one in pushing.push([desk], http)]
        [again] = [one async for one in pushing.push([desk], http)]
        fetched = (await http.get("/agent", params={"name": "desk"})).json()["object"]

    assert isinstance(first, Pushed)
    assert isinstance(again, Pushed)
    assert (first.deed, first.away, again.deed) == ("created", ("read_mail",), "unchanged")
    assert read_mail(fetched) == read_mail(wire.payload(desk))
    back = wire.definition_of(fetched, first.id)
    assert [tool.name for tool in back.tools] == ["lookup_order"]
    assert NOT_HERE in back.instructions


async def test_a_server_that_has_it_in_a_file_shows_it_and_answers_without_it(
    desk: AgentDefinition, tmp_path: Path
) -> None:
    settings = ServerSettings(agents_dir=tmp_path / "agents", database_url=f"sqlite:///{tmp_path / 'agent.db'}")
    async with serving(settings) as url, pushing.platform(AgentSettings(url=url)) as http, wired(url) as line:
        shown = (await http.get("/agent", params={"name": "desk"})).json()["object"]
        session_id = await line.session("desk")
        await line.send(frames.post_message(session_id, "Where is order A-1001?"))
        seen = await line.until("Idle")

    assert read_mail(shown) == read_mail(wire.payload(desk))
    assert "was delivered" in str(seen)


def test_the_start_tells_that_it_cannot_run(
    desk: AgentDefinition, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    build(ServerSettings(agents_dir=tmp_path / "agents", database_url=f"sqlite:///{tmp_path / 'agent.db'}"))

    said = "agent desk: the tool read_mail is not available: integration_gmail is of a platform's own catalogue"
    assert said in caplog.text


async def test_the_model_is_told_that_it_is_not_there_and_cannot_call_it(store: Store, desk: AgentDefinition) -> None:
    model = FarModel()
    conversation = Conversation(store, model, *desk.tools)
    await conversation.say("Read my mail.")

    assert list(model.offered) == ["lookup_order"]
    assert NOT_HERE in model.instructions


def test_it_is_pointed_out_before_anything_runs(desk: AgentDefinition, tmp_path: Path) -> None:
    found = checking.check(tmp_path / "agents", Here(ModelSettings(), Toolbox()))

    assert all(one.ok for one in found)
    [said] = [one for one in found if "read_mail" in one.what]
    assert said.what.endswith("tool read_mail cannot run here: integration_gmail is of a platform's own catalogue")
    assert said.advice == "only the platform it is pushed to can run it"


MAIL = {"node_type": "integration_gmail"}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"catalogue": {}}, "node_type"),
        ({"catalogue": {"node_type": ""}}, "node_type"),
        ({"catalogue": {**MAIL, "nodetype": "x"}}, "nodetype"),
        ({"catalogue": {**MAIL, "more": {"node_type": "x"}}}, "has its own place"),
        ({"catalogue": {**MAIL, "more": {"inputs": {}}}}, "are its parameters and static"),
        ({"catalogue": {**MAIL, "more": {"limit": float("nan")}}}, "what JSON can hold"),
        ({"catalogue": MAIL, "function": "lookup_order"}, "a tool with catalogue has no function"),
        (
            {"catalogue": MAIL, "http": {"url": "https://a.example/", "hosts": ["a.example"]}},
            "a tool is http or catalogue, not both",
        ),
    ],
)
def test_one_that_says_too_little_or_too_much_is_refused(words: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        ToolDefinition.model_validate({"name": "read_mail", **words})


def test_a_mistake_in_it_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text(DESK.replace("task_name", "taskname"))

    with pytest.raises(ConfigError, match=r"line 14: .*`taskname` is not a word of this table; did you mean task_name"):
        definitions.read(tmp_path / "desk.toml")
