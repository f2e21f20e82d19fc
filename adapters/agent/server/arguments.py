"""A tool's parameters: as a JSON schema for the model, and as the check its arguments pass before it runs. Pure."""

from collections.abc import Mapping
from typing import Any

from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition

ASK = "ask_for_approval"
WHY = "approval_reason"
ASK_WORDS = {
    ASK: {"type": "boolean", "description": "True when a person should approve this call before it runs."},
    WHY: {"type": "string", "description": "Why a person should look at it, in a few words."},
}


class ArgumentsWrong(Exception):
    """Its text names the argument, for the model."""


def schema(tool: ToolDefinition) -> dict[str, Any]:
    properties = {name: parameter.schema_object for name, parameter in tool.parameters.items()}
    if tool.approval is Approval.LET_AGENT_DECIDE:
        properties |= ASK_WORDS
    required = [name for name, parameter in tool.parameters.items() if parameter.required]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def without_flags(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in ASK_WORDS}


def checked(tool: ToolDefinition, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their declared types. Raises `ArgumentsWrong`."""
    if unknown := set(arguments) - set(tool.parameters):
        raise ArgumentsWrong(f"{tool.name} has no argument {', '.join(sorted(unknown))}")
    taken = {name: value for name, value in arguments.items() if value is not None}
    for name, parameter in tool.parameters.items():
        if name in taken:
            taken[name] = _typed(name, parameter, taken[name])
        elif parameter.required:
            raise ArgumentsWrong(f"{name} is missing")
    return taken


def _typed(name: str, parameter: Parameter, value: Any) -> Any:
    match parameter.type:
        case "string" if isinstance(value, str):
            if parameter.enum and value not in parameter.enum:
                raise ArgumentsWrong(f"{name} must be one of {', '.join(parameter.enum)}")
            return value
        case "boolean" if isinstance(value, bool):
            return value
        case "number" | "integer":
            return _number(name, parameter, value)
    raise ArgumentsWrong(f"{name} must be a {parameter.type}")


def _number(name: str, parameter: Parameter, value: Any) -> int | float:
    try:
        # People who edit a request type "40" or "$40": both mean the number.
        number = float(value.strip().removeprefix("$")) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or number - number != 0:
        raise ArgumentsWrong(f"{name} must be a {parameter.type}")
    if number == int(number):
        return int(number)
    if parameter.type == "integer":
        raise ArgumentsWrong(f"{name} must be a whole number")
    return number
