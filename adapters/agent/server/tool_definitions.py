"""A tool as an agent definition names it, as frozen models. Knows nothing of models, sockets or databases."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FUNCTION_NAMES = ("lookup_order", "issue_refund", "update_address", "search_knowledge", "human_handoff")


class Words(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Approval(StrEnum):
    AUTO_RUN = "auto_run"
    LET_AGENT_DECIDE = "let_agent_decide"
    REQUIRES_APPROVAL = "requires_approval"


class Parameter(Words):
    type: Literal["string", "number", "integer", "boolean"] = "string"
    description: str = ""
    required: bool = True
    enum: tuple[str, ...] = ()

    @property
    def schema_object(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": self.type, "description": self.description}
        return {**schema, "enum": list(self.enum)} if self.enum else schema


class ToolDefinition(Words):
    """`static` are inputs the model never sees. `id` is the one it has at the platform; empty: ours, from its name."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")
    description: str = ""
    approval: Approval = Approval.AUTO_RUN
    function: str = ""
    parameters: dict[str, Parameter] = {}
    static: dict[str, Any] = {}
    id: str = ""

    @property
    def function_name(self) -> str:
        return self.function or self.name

    @model_validator(mode="after")
    def _function_exists(self) -> "ToolDefinition":
        if self.function_name not in FUNCTION_NAMES:
            raise ValueError(f"there is no function {self.function_name!r}; there are {', '.join(FUNCTION_NAMES)}")
        return self
