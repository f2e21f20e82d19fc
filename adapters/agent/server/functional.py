"""Functional agents: one run from inputs to outputs, without a session. Nobody can be asked meanwhile."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from adapters.agent import frames
from adapters.agent.frames import Content
from adapters.agent.server import attachments, functional_prompt
from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.functional_prompt import Unanswered
from adapters.agent.server.model_errors import showable
from adapters.agent.server.refusals import Wrong
from adapters.agent.server.rows import new_id
from adapters.agent.server.runtime import Denied, Paused, Run, RunEvent, Runtime, Said
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox
from adapters.agent.templates import References, filled

log = logging.getLogger(__name__)

MAX_PAUSES = 10
NOBODY = Denied("UNANSWERED: this runs without a session, so nobody can be asked; go on without it")


@dataclass(frozen=True, slots=True)
class GivenFile:
    name: str
    mime_type: str
    data: bytes


class Functional:
    def __init__(self, runtime: Runtime, database: Database, *, within_s: float) -> None:
        self._runtime = runtime
        self._database = database
        self._within_s = within_s

    async def run(
        self,
        agent: AgentDefinition,
        inputs: Mapping[str, Any],
        files: Mapping[str, GivenFile],
        *,
        additional_instructions: str = "",
    ) -> dict[str, Any]:
        """Every output by its id, or the status `error` and why. Raises `Wrong` for inputs the agent does not have."""
        if agent.agent_type != "functional":
            raise Wrong(f"the agent {agent.name} is conversational: open a session with it on the socket")
        values = _values(agent, inputs, files)
        run_id = new_id("run")
        prompt = [functional_prompt.written(values, agent.outputs), *_contents(files)]
        try:
            async with asyncio.timeout(self._within_s):
                await self._runtime.prepare(agent)
                run = self._prepared(agent, values, additional_instructions, run_id)
                outputs = await _answered(run, prompt, agent)
        except TimeoutError:
            return _failed(run_id, f"it took longer than {self._within_s:.0f} s")
        except Unanswered as error:
            return _failed(run_id, f"the model's answer cannot be used: {error}")
        except Exception as error:  # noqa: BLE001  whatever a model raises ends its run, not the server
            log.warning("a run of agent %s failed: %s", agent.name, type(error).__name__)
            return _failed(run_id, showable(error))
        named = {one.name: agent.output_id(one) for one in agent.outputs}
        by_id = {named[name]: value for name, value in outputs.items()}
        return {"outputs": by_id, "run_id": run_id, "status": "success"}

    def _prepared(self, agent: AgentDefinition, values: Mapping[str, Any], additional: str, run_id: str) -> Run:
        ready = for_run(agent, values, additional)
        return self._runtime.run(ready, _Tools(self._database, ready, run_id), None)


def for_run(agent: AgentDefinition, values: Mapping[str, Any], additional_instructions: str = "") -> AgentDefinition:
    """The agent with its placeholders filled, also in what it says about its tools."""
    refs = References.of(agent)
    tools = tuple(_tool_for_run(tool, refs, values) for tool in agent.tools)
    instructions = "\n\n".join(filter(None, (filled(agent.instructions, refs, values), additional_instructions)))
    return agent.model_copy(update={"instructions": instructions, "tools": tools})


def _tool_for_run(tool: ToolDefinition, refs: References, values: Mapping[str, Any]) -> ToolDefinition:
    parameters = {
        name: one.model_copy(update={"description": filled(one.description, refs, values)})
        for name, one in tool.parameters.items()
    }
    return tool.model_copy(update={"description": filled(tool.description, refs, values), "parameters": parameters})


def _values(agent: AgentDefinition, inputs: Mapping[str, Any], files: Mapping[str, GivenFile]) -> dict[str, Any]:
    """By name, in the agent's order. An input that was not given is empty."""
    names = {agent.input_id(one): one.name for one in agent.inputs} | {one.name: one.name for one in agent.inputs}
    given = {**inputs, **{name: _text(file) for name, file in files.items()}}
    for name in given:
        if name not in names:
            near = get_close_matches(name, [one.name for one in agent.inputs], n=1)
            known = ", ".join(one.name for one in agent.inputs) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"there are {known}"
            raise Wrong(f"inputs.{name}: the agent has no such input; {hint}")
    by_name = {names[name]: value for name, value in given.items()}
    return {one.name: by_name.get(one.name, "") for one in agent.inputs}


def _text(file: GivenFile) -> str:
    """What a text file says; of any other its name, and the model is given the file itself."""
    text = attachments.text_of(file.data)
    return f"[the file {file.name}]" if text is None else text


def _contents(files: Mapping[str, GivenFile]) -> Sequence[Content]:
    return [
        frames.file_content(file.data, name=file.name, mime_type=attachments.mime_type(file.mime_type, file.data))
        for file in files.values()
        if attachments.text_of(file.data) is None
    ]


async def _answered(run: Run, prompt: Sequence[Content], agent: AgentDefinition) -> dict[str, Any]:
    """Raises `Unanswered` when the model had its second chance too."""
    try:
        return functional_prompt.values(await _said(run, run.start(prompt)), agent.outputs)
    except Unanswered as wrong:
        asked_again = functional_prompt.again(wrong)
    return functional_prompt.values(await _said(run, run.start([asked_again])), agent.outputs)


async def _said(run: Run, events: AsyncGenerator[RunEvent]) -> Sequence[str]:
    """The stretches of text until the run is over; what it asks approval for is denied."""
    stretches: list[str] = []
    for _ in range(MAX_PAUSES):
        last = None
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Said):
                    stretches = [*stretches, ""] if event.starts or not stretches else stretches
                    stretches[-1] += event.text
                last = event
        if not isinstance(last, Paused):
            return stretches
        events = run.resume({call.tool_call_id: NOBODY for call in last.calls})
    raise Unanswered("it keeps asking for approvals that nobody can give")


def _failed(run_id: str, error: str) -> dict[str, Any]:
    return {"outputs": {}, "run_id": run_id, "status": "error", "error": error}


@dataclass(frozen=True, slots=True)
class _Tools:
    """The `ToolRunner` of a run."""

    database: Database
    agent: AgentDefinition
    run_id: str

    def call(self, tool_call_id: str) -> Call:
        return Call(self.database, self.agent, self.run_id, f"{self.run_id}:{tool_call_id}")

    async def run(
        self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any], toolbox: Toolbox
    ) -> dict[str, Any]:
        return await toolbox.run(tool, self.call(tool_call_id), given)
