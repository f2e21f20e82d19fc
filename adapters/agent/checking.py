"""What is to be said of a folder of agent definitions before anybody runs or pushes it. Looks, and changes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.agent import templates
from adapters.agent.server import definitions, models
from adapters.agent.server.definitions import OFFLINE, AgentDefinition, DefinitionWrong, Io
from adapters.agent.server.mistakes import nearest
from adapters.agent.server.model_settings import ModelSettings
from adapters.agent.server.tool_definitions import Approval, ToolDefinition
from adapters.agent.server.tools import Toolbox
from adapters.agent.templates import References
from gateway.errors import ConfigError
from gateway.ports import Finding

IO_TYPES = (  # those of the published SDK
    *("string", "int32", "int64", "float", "bool", "file", "image", "audio", "json", "bytes", "timestamp"),
    *("dataframe", "table", "chart", "bucket_key", "path", "any"),
)


@dataclass(frozen=True, slots=True)
class Here:
    """What an agent finds where it runs: the models there are keys for, and what its tools need."""

    models: ModelSettings
    toolbox: Toolbox


def check(folder: Path, here: Here) -> list[Finding]:
    """At least one for each file; not ok is what would keep the server from starting, the rest is worth a look.

    Raises `ConfigError` where there is no folder, or nothing in it.
    """
    paths = definitions.files(folder)
    if not paths:
        raise ConfigError(f"{folder}: there is no agent definition (*.toml) in it")
    found: dict[str, AgentDefinition] = {}
    return [finding for path in paths for finding in _of_file(path, found, here)]


def _of_file(path: Path, found: dict[str, AgentDefinition], here: Here) -> Iterator[Finding]:
    try:
        agent = definitions.read(path)
        definitions.add(found, agent, path)
        canonical = templates.canonical_agent(agent)
    except DefinitionWrong as error:
        yield from (Finding(False, mistake) for mistake in error.mistakes)
    except ConfigError as error:
        yield Finding(False, str(error))
    else:
        runs_on = models.standing(agent, here.models).runs_on
        tools = f"{len(agent.tools)} tool{'s' if len(agent.tools) != 1 else ''}"
        yield Finding(True, f"{path}: agent {agent.name}, {agent.agent_type}, {tools}, runs on {runs_on}")
        for what, advice in _remarks(canonical, here):
            yield Finding(True, f"{path}: {what}", advice)


def _remarks(agent: AgentDefinition, here: Here) -> Iterator[tuple[str, str]]:
    where = models.standing(agent, here.models)
    if where.runs_on == OFFLINE and agent.provider != OFFLINE:
        yield f"runs offline: {where.why}", "until then a deterministic stand-in answers"
    for tool in agent.tools:
        yield from _of_tool(tool, here)
    yield from _of_placeholders(agent)
    yield from _of_inputs_and_outputs(agent)
    if agent.knowledge.documents and not any(_searches(tool) for tool in agent.tools):
        yield "no tool reads its knowledge", "add the tool search_knowledge"


def _of_tool(tool: ToolDefinition, here: Here) -> Iterator[tuple[str, str]]:
    if here.toolbox.writes(tool) and tool.approval is Approval.AUTO_RUN:
        advice = 'set approval = "requires_approval" or "let_agent_decide", unless nobody need be asked'
        yield f"tool {tool.name} writes and is auto_run", advice
    if why := here.toolbox.why_away(tool):
        lacking = here.toolbox.lacks(tool)
        advice = f"set the variable {lacking}" if lacking else "only the platform it is pushed to can run it"
        yield f"tool {tool.name} cannot run here: {why}", advice


def _searches(tool: ToolDefinition) -> bool:
    return not tool.is_remote and tool.function_name == "search_knowledge"


def _of_placeholders(agent: AgentDefinition) -> Iterator[tuple[str, str]]:
    refs = References.of(agent)
    for place, text in _texts(agent):
        if agent.agent_type == "conversational":
            written = [*templates.placeholders(text), *templates.as_people_write(text)]
            if written:
                yield f"{place}: {written[0]} stays as it is written", "only functional agents have placeholders"
            continue
        for one in templates.placeholders(text):
            if templates.leads_nowhere(one, refs):
                yield f"{place}: {one} names nothing this agent has", "write [[inputs.name]] and the like"


def _texts(agent: AgentDefinition) -> Iterator[tuple[str, str]]:
    yield "instructions", agent.instructions
    for tool in agent.tools:
        yield f"tool {tool.name}, description", tool.description
        for name, parameter in tool.parameters.items():
            yield f"tool {tool.name}, parameter {name}, description", parameter.description


def _of_inputs_and_outputs(agent: AgentDefinition) -> Iterator[tuple[str, str]]:
    both: Sequence[Io] = (*agent.inputs, *agent.outputs)
    if agent.agent_type == "conversational" and both:
        yield "has inputs or outputs, and is conversational", 'remove them, or set agent_type = "functional"'
    if agent.agent_type == "functional" and not agent.outputs:
        yield "has no outputs: a run answers nothing", "add an [[outputs]] table"
    if agent.agent_type == "functional" and agent.gated_tools:
        said = f"is functional, and {agent.gated_tools[0]} may ask: in a run nobody can be asked, so the call is denied"
        yield said, 'set approval = "auto_run", or leave the tool out'
    for one in both:
        if one.io_type not in IO_TYPES:
            yield (
                f"{one.name}: io_type {one.io_type!r} is not known{nearest(one.io_type, IO_TYPES)}",
                "see docs/agents.md",
            )
