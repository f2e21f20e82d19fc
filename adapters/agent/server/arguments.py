"""A tool's parameters: as a JSON schema for the model, and as the check its arguments pass before it runs. Pure."""

from collections.abc import Mapping
from typing import Any

from adapters.agent.server.parameters import like
from adapters.agent.server.tool_definitions import ASK, WHY, Approval, Parameter, ToolDefinition

ASK_WORDS = {
    ASK: {"type": "boolean", "description": "True when a person should approve this call before it runs."},
    WHY: {"type": "string", "description": "Why a person should look at it, in a few words."},
}


class ArgumentsWrong(Exception):
    """Its text names the argument, for the model."""


def schema(tool: ToolDefinition) -> dict[str, Any]:
    """What the model may fill in: no static input is among it."""
    made = _object(tool.asked_parameters)
    if tool.approval is Approval.LET_AGENT_DECIDE:
        made["properties"] |= ASK_WORDS
    return made


def schema_for_people(tool: ToolDefinition) -> dict[str, Any]:
    """What a person who is asked may change: what the model filled in, and what only a person does."""
    own = {name: like(value) for name, value in tool.fixed.items() if name not in tool.static}
    hidden = {name: parameter for name, parameter in own.items() if parameter is not None}
    declared = {name: parameter for name, parameter in tool.parameters.items() if name not in tool.static}
    return _object({**hidden, **declared})


def _object(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    properties = {name: parameter.schema_object for name, parameter in parameters.items()}
    required = [name for name, parameter in parameters.items() if parameter.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def without_flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in ASK_WORDS}


def checked(tool: ToolDefinition, given: Mapping[str, Any], *, by_person: bool = False) -> dict[str, Any]:
    """What is given over the tool's static inputs, with the declared types. Raises `ArgumentsWrong`.

    Only what a person has confirmed may change a static input; for the model there is none of that name.
    """
    may_name = set(tool.parameters) | set(tool.fixed) if by_person else set(tool.asked_parameters)
    if unknown := set(given) - may_name:
        raise ArgumentsWrong(f"{tool.name} has no argument {', '.join(sorted(unknown))}")
    said = {**tool.fixed, **{name: value for name, value in given.items() if value is not None}}
    taken = {name: value for name, value in said.items() if value is not None}
    for name, parameter in tool.parameters.items():
        if parameter.required and name not in taken:
            raise ArgumentsWrong(f"{name} is missing")
    return {name: _typed(tool, name, value) for name, value in taken.items()}


def _typed(tool: ToolDefinition, name: str, value: Any) -> Any:
    parameter = tool.parameters.get(name) or like(tool.fixed.get(name))
    try:
        return parameter.typed(name, value) if parameter else value
    except ValueError as error:
        raise ArgumentsWrong(str(error)) from error
