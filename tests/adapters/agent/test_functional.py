"""Functional agents: from inputs to every output, with files, tools, and models that answer badly."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, strategies as st
from pydantic_ai.messages import BinaryContent, ModelMessage, UserPromptPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from adapters.agent import frames
from adapters.agent.server import functional_prompt
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition, Io
from adapters.agent.server.functional import Functional, GivenFile
from adapters.agent.server.functional_prompt import Unanswered
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from adapters.agent.templates import canonical_agent
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import serving

TOPIC, PAPER = Io(name="topic"), Io(name="paper", io_type="file")
BRIEF, SCORE = Io(name="brief", description="One paragraph."), Io(name="score", io_type="int32")
REFUND = ToolDefinition(
    name="issue_refund",
    approval=Approval.REQUIRES_APPROVAL,
    description="Pays for [[inputs.topic]].",
    parameters={"order_id": Parameter(), "amount": Parameter(type="number", description="As [[inputs.topic]] says.")},
)
WRITER = canonical_agent(
    AgentDefinition(
        name="writer",
        agent_type="functional",
        instructions="Write [[outputs.brief]] about [[inputs.topic]] with [[tools.issue_refund]]. {{inputs.topic}}!",
        inputs=(TOPIC, PAPER),
        outputs=(BRIEF, SCORE),
        tools=(REFUND,),
    )
)
GOOD = '{"brief": "Kites fly.", "score": 7}'

Said = str | dict[int, DeltaToolCall]


class FarModel:
    """Answers with what it was told to, step by step, and keeps what it was asked."""

    def __init__(self, *steps: Sequence[Said]) -> None:
        self._steps = list(steps)
        self.asked: list[ModelMessage] = []
        self.told = ""
        self.tools: list[Any] = []

    async def stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        self.asked, self.told, self.tools = messages, info.instructions or "", list(info.function_tools)
        for piece in self._steps.pop(0):
            if piece == "raise":
                raise RuntimeError("the far end broke")
            yield piece

    def prompts(self) -> list[Any]:
        parts = [part for message in self.asked for part in message.parts if isinstance(part, UserPromptPart)]
        return [
            content for part in parts for content in ([part.content] if isinstance(part.content, str) else part.content)
        ]


Runs = Callable[[FarModel], Functional]


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Runs]:
    database = Database(f"sqlite:///{tmp_path / 'agent.db'}")
    await database.open()
    yield lambda model: Functional(Runtime(lambda _: FunctionModel(stream_function=model.stream)), database, within_s=9)
    await database.close()


async def run(functional: Functional, files: dict[str, GivenFile] | None = None, **inputs: Any) -> dict[str, Any]:
    return await functional.run(WRITER, inputs, files or {})


def by_name(answer: dict[str, Any]) -> dict[str, Any]:
    names = {WRITER.output_id(one): one.name for one in WRITER.outputs}
    return {names[id]: value for id, value in answer["outputs"].items()}


async def test_the_model_reads_the_values_where_the_placeholders_were(on: Runs) -> None:
    model = FarModel([GOOD])

    answer = await on(model).run(WRITER, {"topic": "{{inputs.paper}} kites"}, {}, additional_instructions="Be dry.")

    assert model.told.startswith(
        "Write brief about {{inputs.paper}} kites with issue_refund. {{inputs.paper}} kites!\n\nBe dry."
    )
    [tool] = model.tools
    assert "{{inputs.paper}} kites" in tool.description
    assert "As {{inputs.paper}} kites says." in str(tool.parameters_json_schema)
    assert by_name(answer) == {"brief": "Kites fly.", "score": 7}
    assert (answer["status"], answer["run_id"][:4]) == ("success", "run_")


async def test_a_text_file_is_read_and_any_other_is_given_to_the_model(on: Runs) -> None:
    picture = GivenFile("kite.png", "image/png", b"\x89PNG\xff")

    text = FarModel([GOOD])
    await run(on(text), {"paper": GivenFile("a.txt", "", "\ufeffKites fly höher.".encode())})
    other = FarModel([GOOD])
    await run(on(other), {"paper": picture})

    assert "Kites fly höher." in text.prompts()[0]
    assert "[the file kite.png]" in other.prompts()[0]
    assert other.prompts()[1] == BinaryContent(data=picture.data, media_type="image/png")


async def test_an_answer_that_is_no_json_is_asked_for_once_more(on: Runs) -> None:
    model = FarModel(["I would say: kites."], ["Sorry! ", f"```json\n{GOOD}\n```"])

    assert by_name(await run(on(model))) == {"brief": "Kites fly.", "score": 7}

    assert "That answer cannot be used: it is not a JSON object." in model.prompts()[-1]


async def test_an_answer_that_stays_bad_fails_the_run_and_says_what_is_missing(on: Runs) -> None:
    answer = await run(on(FarModel(['{"brief": "Kites."}'], ['{"score": null, "brief": "Kites."}'])))

    assert (answer["status"], answer["outputs"]) == ("error", {})
    assert "says nothing under score" in answer["error"]


async def test_a_model_that_breaks_fails_the_run_and_nothing_else(on: Runs) -> None:
    answer = await run(on(FarModel(["raise"])))

    assert (answer["status"], answer["outputs"]) == ("error", {})
    assert answer["error"]


async def test_what_needs_approval_is_denied_since_nobody_can_be_asked(on: Runs) -> None:
    call = DeltaToolCall(name="issue_refund", json_args='{"order_id": "A-1001", "amount": 1}', tool_call_id="c1")
    model = FarModel(["I pay.", {0: call}], [GOOD])

    assert by_name(await run(on(model)))["score"] == 7

    assert "nobody can be asked" in str(model.asked[-1])


async def test_a_model_that_only_asks_for_approvals_is_stopped(on: Runs) -> None:
    call = DeltaToolCall(name="issue_refund", json_args='{"order_id": "A-1001", "amount": 1}')
    model = FarModel(*[[{0: call}]] * 40)

    assert "approvals" in (await run(on(model)))["error"]


async def test_a_model_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'agent.db'}")
    await database.open()
    try:
        functional = Functional(
            Runtime(lambda _: FunctionModel(stream_function=FarModel([GOOD]).stream)), database, within_s=0
        )
        answer = await run(functional)
    finally:
        await database.close()

    assert (answer["status"], answer["error"]) == ("error", "it took longer than 0 s")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ([GOOD], {"brief": "Kites fly.", "score": 7}),
        (["Here it is:\n```json\n" + GOOD + "\n```\nGood luck!"], {"brief": "Kites fly.", "score": 7}),
        (["Let me see {braces}.", GOOD], {"brief": "Kites fly.", "score": 7}),
        (['{"brief": "Kites', ' fly.", "score": 7}'], {"brief": "Kites fly.", "score": 7}),
        (['{"brief": "\\ud800 \\u0000", "score": 1}'], {"brief": "\ufffd\ufffd\ufffd \ufffd", "score": 1}),
        (['{"brief": ["a", "b"], "score": 0, "more": 1}'], {"brief": '["a", "b"]', "score": 0}),
    ],
)
def test_answers_are_read_however_they_are_wrapped(said: list[str], read: dict[str, Any]) -> None:
    assert functional_prompt.values(said, [BRIEF, SCORE]) == read


def test_a_number_that_json_does_not_have_is_no_answer() -> None:
    with pytest.raises(Unanswered):
        functional_prompt.values(['{"brief": "x", "score": NaN}'], [BRIEF, SCORE])


def test_one_output_may_be_answered_in_plain_words() -> None:
    assert functional_prompt.values(["Kites", " fly. "], [BRIEF]) == {"brief": "Kites fly."}
    assert functional_prompt.values(["Done."], []) == {}
    with pytest.raises(Unanswered):
        functional_prompt.values([" "], [BRIEF])


@given(st.dictionaries(st.text(), st.text()), st.lists(st.text(min_size=1, max_size=64), min_size=1, unique=True))
@pytest.mark.long
def test_a_prompt_is_read_as_it_was_written(inputs: dict[str, str], outputs: list[str]) -> None:
    prompt = functional_prompt.written(inputs, [Io(name=name) for name in outputs])

    assert functional_prompt.read(prompt) == (inputs, outputs)


@given(st.text())
def test_no_other_text_is_taken_for_a_prompt(text: str) -> None:
    assert functional_prompt.read(text) is None
    assert functional_prompt.read(f"{functional_prompt.HEAD}\n{text}x") is None


# --- over REST, on the offline model ---

STORED = {
    "name": "writer",
    "llm_client_key": {"provider": "offline", "model_id": ""},
    "agent_type": "functional",
    "instructions": "About {{inputs.input_1}} and {{inputs.paper}}.",
    "inputs": {"input_1": {"name": "topic", "io_type": "string"}, "input_2": {"name": "paper", "io_type": "file"}},
    "outputs": {"output_1": {"name": "brief", "io_type": "string"}, "output_2": {"name": "tone", "io_type": "string"}},
}


@pytest.fixture
async def http(settings: ServerSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(settings) as url,
        httpx.AsyncClient(
            base_url=url, headers={"Authorization": "Bearer key-1"}, trust_env=False, verify=False
        ) as client,
    ):
        made = await client.post("/agent", json=STORED)
        client.base_url = f"{url}/agent/{made.json()['id']}"
        yield client


async def test_every_output_is_one_sentence_that_names_the_inputs(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/run", json={"inputs": {"topic": "kites", "input_2": "of wind"}})).json()

    assert answer["status"] == "success"
    assert answer["outputs"] == {
        "output_1": "This is brief, made from topic (kites) and paper (of wind).",
        "output_2": "This is tone, made from topic (kites) and paper (of wind).",
    }


async def test_files_come_beside_the_inputs(http: httpx.AsyncClient) -> None:
    answer = await http.post(
        "/run",
        data={"inputs": json.dumps({"topic": "kites"}), "additional_instructions": "Be dry."},
        files={"paper": ("C:\\papers\\wind.txt", b"The wind rises.", "text/plain")},
    )

    assert answer.status_code == 200, answer.text
    assert "paper (The wind rises.)" in answer.json()["outputs"]["output_2"]


async def test_an_input_that_was_not_given_is_empty(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/run", json={"inputs": {}})).json()

    assert answer["outputs"]["output_1"] == "This is brief, made from topic and paper."


@pytest.mark.parametrize(
    ("request_of", "status", "said"),
    [
        ({"json": {"inputs": {"topik": 1}}}, 422, "inputs.topik: the agent has no such input; did you mean 'topic'?"),
        ({"json": {"inputs": {"x": 1}}}, 422, "inputs.x: the agent has no such input; there are topic, paper"),
        ({"json": {"inputs": ["kites"]}}, 422, "inputs: must be an object"),
        ({"json": {"inputs": {}, "additional_instructions": 1}}, 422, "additional_instructions: must be a text"),
        ({"data": {"inputs": "{"}, "files": {"paper": b"x"}}, 400, "inputs is not JSON"),
        ({"files": [("paper", b"x"), ("paper", b"y")]}, 422, "inputs.paper: two files for one input"),
        ({"files": {"picture": b"x"}}, 422, "inputs.picture: the agent has no such input"),
        (
            {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
            400,
            "the form cannot be read",
        ),
        ({"files": [(f"f{n}", b"x") for n in range(30)]}, 400, "the form cannot be read"),
    ],
)
async def test_what_a_run_cannot_take_is_named(
    http: httpx.AsyncClient, request_of: dict[str, Any], status: int, said: str
) -> None:
    answer = await http.post("/run", **request_of)

    assert answer.status_code == status
    assert said in answer.json()["error"]


async def test_a_functional_agent_has_no_sessions(http: httpx.AsyncClient) -> None:
    url = str(http.base_url).partition("/agent/")[0]
    async with wired(url) as wire:
        await wire.send(frames.create_session("writer"))

        refused = await wire.next()

    assert (refused["type"], refused["request_type"]) == ("error", "create_session")
    assert "POST /agent/{id}/run" in refused["error"]
