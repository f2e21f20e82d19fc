"""Are changed arguments what the tool takes? By its JSON Schema, types as they are: nothing is converted. Pure."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.digests import canonical

MOST_PROBLEMS = 10
MAX_CHARS = 100_000
UNWRITABLE = "the arguments hold what cannot be written down: a number without end, or lists in lists without end"
UNREADABLE = "the tool's own definition cannot be read, so nothing can be changed here"
_NOTHING_ELSE: Registry[Any] = Registry()  # what a definition points at elsewhere is not fetched


def problems(arguments: dict[str, Any], schema: dict[str, Any]) -> tuple[str, ...]:
    """What the tool would not take, a line each that names the argument; empty: it takes them.

    An argument that the schema does not name is refused, also where the schema is silent about such.
    """
    if len(str(arguments)) > MAX_CHARS:
        return (f"the arguments are longer than {MAX_CHARS} characters",)
    try:
        canonical(arguments)
    except (ValueError, RecursionError):
        return (UNWRITABLE,)
    closed = {"additionalProperties": False, **schema} if "properties" in schema else schema
    try:
        Draft202012Validator.check_schema(schema)
        errors = Draft202012Validator(closed, registry=_NOTHING_ELSE).iter_errors(arguments)
        found = sorted(errors, key=lambda error: list(map(str, error.path)))
    except (SchemaError, Unresolvable, RecursionError):
        return (UNREADABLE,)
    return tuple(_line(error.path, error.message) for error in found[:MOST_PROBLEMS])


def fixed(before: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """What the tool's own definition sets, which its schema does not name: it stays as it was asked for."""
    named = schema.get("properties")
    if not isinstance(named, dict) or "patternProperties" in schema or schema.get("additionalProperties", False):
        return {}
    return {name: value for name, value in before.items() if name not in named}


def free(arguments: Mapping[str, Any], set_already: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not merely said once more."""
    same = {name for name, value in set_already.items() if name in arguments and arguments[name] == value}
    return {name: value for name, value in arguments.items() if name not in same}


def taken_out(first: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What the agent asked with and is not among the changed ones.

    An agent platform puts ours over its own: what is left out would run as it was asked for, whatever an approver saw.
    """
    gone = [name for name in first if name not in arguments]
    return tuple(f"{name}: cannot be left out, only changed" for name in gone[:MOST_PROBLEMS])


def _line(path: Any, message: str) -> str:
    where = ".".join(str(part) for part in path)
    return f"{where}: {message}" if where else message
