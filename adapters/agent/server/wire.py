"""An agent as REST clients send and read it, and as a definition this server runs. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator

from adapters.agent.server.catalogue import PARAMETERS
from adapters.agent.server.definitions import AgentDefinition, Io, Memory
from adapters.agent.server.refusals import Wrong
from adapters.agent.server.tool_definitions import FUNCTION_NAMES, Approval, Parameter, ToolDefinition
from adapters.agent.templates import References, canonical_agent, filled

CUSTOM = "custom_tool"

# What the published SDK's model of `llm_client_key` holds, with its defaults.
MODEL_OPTIONS: Mapping[str, Any] = {
    "api_key": None,
    "fine_tuned_model_id": None,
    "endpoint": None,
    "deployment_id": None,
    "stream_response": False,
    "json_output": True,
    "show_source": False,
    "show_confidence": False,
    "enable_tools": True,
    "base_url": None,
    "max_retries": None,
    "retry_interval_ms": None,
}


def payload(definition: AgentDefinition) -> dict[str, Any]:
    """What `POST /agent` and `POST /update/agent/{id}` take, placeholders in the platform's form.

    The same definition always gives the same payload. Raises `TemplateReferenceError`.
    """
    agent = canonical_agent(definition)
    model = {"provider": agent.provider, "model_id": agent.model, "base_url": agent.base_url or None}
    given: dict[str, Any] = {
        "name": agent.name,
        "llm_client_key": {**MODEL_OPTIONS, **model},
        "agent_type": agent.agent_type,
        "tools": {agent.tool_id(tool.name): _tool_payload(agent, tool) for tool in agent.tools},
        "instructions": agent.instructions,
        "inputs": {agent.input_id(one): _io_payload(one) for one in agent.inputs},
        "outputs": {agent.output_id(one): _io_payload(one) for one in agent.outputs},
    }
    if agent.agent_type == "conversational":
        given["memory_config"] = {"enable_session_memory": agent.memory.session, "enable_global_memory": False}
    return given


def _io_payload(one: Io) -> dict[str, Any]:
    return {"name": one.name, "io_type": one.io_type, "description": one.description}


def _tool_payload(agent: AgentDefinition, tool: ToolDefinition) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        name: {"type": "dynamic", "value": one.description} for name, one in tool.asked_parameters.items()
    }
    inputs |= {name: {"type": "static", "value": value} for name, value in tool.static.items()}
    return {
        "id": agent.tool_id(tool.name),
        "name": tool.name,
        "description": tool.description,
        "approval_config": tool.approval.value,
        "value": {**_what_it_is(tool), "inputs": inputs},
    }


def _what_it_is(tool: ToolDefinition) -> dict[str, Any]:
    """Ours as a `custom_tool`: of a node type the SDK does not know it could not even be fetched.

    What is called from here stays here: its address and its secret are this server's, not the agent's.
    """
    if tool.catalogue:
        return tool.catalogue.value
    tool_type = "http_call" if tool.http else "mcp_call" if tool.mcp else tool.function_name
    return {"node_type": CUSTOM, "task_name": CUSTOM, "tool_type": tool_type}


class _Model(BaseModel):
    provider: str = Field(min_length=1)
    model_id: str
    base_url: str | None = None


class _Io(BaseModel):
    name: str = Field(min_length=1, max_length=64)
    io_type: str = "string"
    description: str | None = ""


class _Input(BaseModel):
    type: Literal["static", "dynamic"]
    value: Any = None


class _Tool(BaseModel):
    """`value` is looked into only where the tool is one this server runs."""

    id: str = Field(min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=200)
    description: str | None = ""
    approval_config: Approval = Approval.AUTO_RUN
    value: dict[str, Any]

    @property
    def function(self) -> str:
        """The function of this server that it names; empty: it names none."""
        named = self.value.get("tool_type") if self.value.get("node_type") == CUSTOM else None
        return named if isinstance(named, str) and named in FUNCTION_NAMES else ""


class _Memory(BaseModel):
    enable_session_memory: bool = True


class _Stored(BaseModel):
    name: str = Field(min_length=1, max_length=200)
    agent_type: Literal["conversational", "functional"] = "functional"
    llm_client_key: _Model
    instructions: str | None = ""
    inputs: dict[str, _Io] = {}
    outputs: dict[str, _Io] = {}
    tools: dict[str, _Tool] = {}
    memory_config: _Memory | None = None

    @field_validator("inputs", "outputs", "tools")
    @classmethod
    def _names_are_distinct(cls, listed: dict[str, Any]) -> dict[str, Any]:
        names = [one.name for one in listed.values()]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return listed

    @field_validator("name")
    @classmethod
    def _name_is_not_blank(cls, name: str) -> str:
        if not name.strip():
            raise ValueError("it is blank")
        return name


def definition_of(stored: Mapping[str, Any], id: str) -> AgentDefinition:
    """The agent as this server runs it. Raises `Wrong` naming the word that is wrong.

    A tool this server does not have stays out of `tools`; the instructions say that it is not available.
    """
    try:
        agent = _Stored.model_validate(stored)
        away = [tool for tool in agent.tools.values() if not tool.function]
        return AgentDefinition(
            name=_as_a_name(agent.name),
            stored_id=id,
            agent_type=agent.agent_type,
            provider=agent.llm_client_key.provider,
            model=agent.llm_client_key.model_id,
            base_url=agent.llm_client_key.base_url or "",
            instructions=_instructions(agent.instructions or "", away),
            inputs=_ios(agent.inputs),
            outputs=_ios(agent.outputs),
            tools=tuple(_tool(tool) for tool in agent.tools.values() if tool.function),
            memory=Memory(session=agent.memory_config is None or agent.memory_config.enable_session_memory),
        )
    except ValidationError as error:
        raise _wrong(error) from error


def unavailable(stored: Mapping[str, Any]) -> Sequence[str]:
    """The names of the tools of a stored agent that this server cannot run."""
    return [tool.name for tool in _Stored.model_validate(stored).tools.values() if not tool.function]


def _as_a_name(name: str) -> str:
    """For logs: any name will do on the wire."""
    return re.sub(r"[^a-zA-Z0-9_-]+", "-", name).strip("-_")[:64] or "agent"


def _ios(listed: Mapping[str, _Io]) -> tuple[Io, ...]:
    return tuple(
        Io(id=id, name=one.name, io_type=one.io_type, description=one.description or "") for id, one in listed.items()
    )


def _instructions(text: str, away: Sequence[_Tool]) -> str:
    if not away:
        return text
    text = filled(text, References(inputs={}, outputs={}, tools={tool.name: tool.id for tool in away}), {})
    names = ", ".join(tool.name for tool in away)
    return f"{text}\nThese tools are not available here: {names}. Never pretend to have used one; say so instead."


def _tool(tool: _Tool) -> ToolDefinition:
    known = PARAMETERS.get(tool.function, {})
    parameters: dict[str, Parameter] = dict(known)
    static: dict[str, Any] = {}
    for name, one in _inputs(tool).items():
        if one.type == "static":
            static[name] = one.value
        else:
            parameters[name] = _parameter(known.get(name), one.value)
    try:
        return ToolDefinition(
            id=tool.id,
            name=tool.name,
            function=tool.function,
            description=tool.description or "",
            approval=tool.approval_config,
            parameters=parameters,
            static=static,
        )
    except ValidationError as error:
        raise _wrong(error, f"tools.{tool.id}") from error


def _inputs(tool: _Tool) -> Mapping[str, _Input]:
    given, at = tool.value.get("inputs", {}), f"tools.{tool.id}.value.inputs"
    if not isinstance(given, dict):
        raise Wrong(f"{at}: must be an object")
    return {str(name): _input(one, f"{at}.{name}") for name, one in given.items()}


def _input(given: object, at: str) -> _Input:
    try:
        return _Input.model_validate(given)
    except ValidationError as error:
        raise _wrong(error, at) from error


def _wrong(error: ValidationError, at: str = "") -> Wrong:
    """Of several mistakes the first."""
    first = error.errors()[0]
    word = ".".join(str(part) for part in (*filter(None, [at]), *first["loc"]))
    said = "must be an object" if first["type"] == "model_type" else first["msg"].removeprefix("Value error, ")
    return Wrong(f"{word or 'the agent'}: {said}")


def _parameter(known: Parameter | None, words: object) -> Parameter:
    """Typed as the function wants it; the words are the agent's own. An input without any may be left out."""
    said = words if isinstance(words, str) else ""
    if known is not None:
        return known.model_copy(update={"description": said}) if said else known
    return Parameter(description=said, required=bool(said))
