"""What an argument of a tool may be: declared in a definition, checked before the tool runs. Pure."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Parameter(Words):
    type: Literal["string", "number", "integer", "boolean"] = "string"
    description: str = ""
    required: bool = True
    enum: tuple[str, ...] = ()

    @property
    def schema_object(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        return {**schema, "enum": list(self.enum)} if self.enum else schema

    def typed(self, name: str, value: object) -> str | int | float | bool:
        """The value as declared. Raises `ValueError` naming the argument."""
        match self.type:
            case "string" if isinstance(value, str):
                if self.enum and value not in self.enum:
                    raise ValueError(f"{name} must be one of {', '.join(self.enum)}")
                return value
            case "boolean" if isinstance(value, bool):
                return value
            case "boolean" if isinstance(value, str) and value.strip().lower() in TRUTHS:
                return TRUTHS[value.strip().lower()]
            case "number" | "integer":
                return _number(name, value, whole=self.type == "integer")
        raise ValueError(f"{name} must be a {self.type}")


TRUTHS: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False}  # as people type them


def like(example: object) -> Parameter | None:
    """What another value in the place of this one must be. None: anything."""
    match example:
        case bool():
            return Parameter(type="boolean")
        case int() | float():
            return Parameter(type="number")
        case str():
            return Parameter(type="string")
    return None


def _number(name: str, value: object, *, whole: bool) -> int | float:
    wanted = "a whole number" if whole else "a number"
    try:
        # People who edit a request type "40" or "$40": both mean the number.
        number = float(value.strip().removeprefix("$")) if isinstance(value, str) else value
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or number - number != 0:
        raise ValueError(f"{name} must be {wanted}")
    if number == int(number):
        return int(number)
    if whole:
        raise ValueError(f"{name} must be {wanted}")
    return number
