"""A tool as an agent definition names it, as frozen models. Knows nothing of models, sockets or databases."""

from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from adapters.agent.server.mistakes import WordWrong
from adapters.agent.server.parameters import Parameter as Parameter, Words as Words, like
from adapters.agent.server.tool_kinds import CatalogueTool, Condition, HttpCall, McpTool, check_json

ASK_HUMAN = "ask_human"
WEB_SEARCH = "web_search"
FUNCTION_NAMES = (
    "lookup_order",
    "issue_refund",
    "update_address",
    "search_knowledge",
    "human_handoff",
    WEB_SEARCH,
    ASK_HUMAN,
)
ASK = "ask_for_approval"
WHY = "approval_reason"
HIDDEN: dict[str, dict[str, Any]] = {ASK_HUMAN: {"answer": ""}}  # inputs that only a person fills in


KINDS = ("http", "mcp", "catalogue")


class Approval(StrEnum):
    AUTO_RUN = "auto_run"
    LET_AGENT_DECIDE = "let_agent_decide"
    REQUIRES_APPROVAL = "requires_approval"


class ToolDefinition(Words):
    """A function of this server, or a call of an address (`http`), or a tool of an MCP server (`mcp`).

    Or one of the platform's own (`catalogue`), which this server only keeps. `static` are inputs the model never
    sees. The words that begin with `ask_` are the floor under `let_agent_decide`: what they are true of is always
    asked about. `writes` is for all but functions, which say it themselves. `id` is the one it has at the platform;
    empty: ours, from its name.
    """

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,63}$")
    description: str = ""
    approval: Approval = Approval.AUTO_RUN
    function: str = ""
    http: HttpCall | None = None
    mcp: McpTool | None = None
    catalogue: CatalogueTool | None = None
    parameters: dict[str, Parameter] = Field(default={})
    static: dict[str, Any] = Field(default={})
    ask_if: tuple[Condition, ...] = ()
    ask_first_use: bool = False
    ask_unless_verified: bool = False
    writes: bool | None = None
    id: str = ""

    @property
    def function_name(self) -> str:
        return self.function or self.name

    @property
    def is_remote(self) -> bool:
        """True of what is no function of this server."""
        return self.http is not None or self.mcp is not None or self.catalogue is not None

    @property
    def asks_a_person(self) -> bool:
        """True of a tool whose result is what a person writes when it is approved."""
        return not self.is_remote and self.function_name == ASK_HUMAN

    @property
    def searches_the_web(self) -> bool:
        return not self.is_remote and self.function_name == WEB_SEARCH

    @property
    def fixed(self) -> dict[str, Any]:
        """The inputs the model never sees, with what they are unless a person says otherwise."""
        return self.static if self.is_remote else {**HIDDEN.get(self.function_name, {}), **self.static}

    @property
    def asked_parameters(self) -> dict[str, Parameter]:
        """What the model is asked to fill in."""
        fixed = self.fixed
        return {name: parameter for name, parameter in self.parameters.items() if name not in fixed}

    @model_validator(mode="after")
    def _is_one_kind(self) -> "ToolDefinition":
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) > 1:
            raise WordWrong(f"a tool is {' or '.join(kinds)}, not both", kinds[-1])
        if kinds and self.function:
            raise WordWrong(f"a tool with {kinds[0]} has no function", "function")
        if not self.is_remote and self.function_name not in FUNCTION_NAMES:
            raise ValueError(f"there is no function {self.function_name!r}; there are {', '.join(FUNCTION_NAMES)}")
        if not self.is_remote and self.writes is not None:
            raise WordWrong(
                f"the function itself says whether it writes; this word is for {', '.join(KINDS)}", "writes"
            )
        return self

    @model_validator(mode="after")
    def _names_are_free(self) -> "ToolDefinition":
        for word, names in (("parameters", self.parameters), ("static", self.static)):
            if taken := {ASK, WHY} & set(names):
                raise WordWrong(f"{taken.pop()} is a name of ours; choose another", word)
        return self

    @model_validator(mode="after")
    def _static_inputs_are_what_they_should_be(self) -> "ToolDefinition":
        check_json(self.static, "static")
        for name, value in self.static.items():
            parameter = self.parameters.get(name) or like(HIDDEN.get(self.function_name, {}).get(name))
            try:
                _ = parameter.typed(name, value) if parameter and value is not None else None
            except ValueError as error:
                raise WordWrong(str(error), "static", name) from error
        return self

    @model_validator(mode="after")
    def _floor_is_under_something(self) -> "ToolDefinition":
        for word in ("ask_if", "ask_first_use", "ask_unless_verified"):
            if getattr(self, word) and self.approval is not Approval.LET_AGENT_DECIDE:
                raise WordWrong(f"means nothing with {self.approval}; set approval = 'let_agent_decide'", word)
        for at, condition in enumerate(self.ask_if):
            self._check(condition, at)
        return self

    def _check(self, condition: Condition, at: int) -> None:
        name = condition.argument
        if name not in self.parameters and name not in self.fixed:
            raise WordWrong(f"there is no parameter {name}", "ask_if", at, "argument")
        declared = self.parameters.get(name) or like(self.fixed.get(name))
        if condition.is_about_numbers and (declared is None or declared.type not in ("number", "integer")):
            raise WordWrong(f"{name} is not a number", "ask_if", at, "argument")

    @model_validator(mode="after")
    def _address_is_filled(self) -> "ToolDefinition":
        if self.http is None:
            return self
        for name in self.http.in_path | self.http.in_query:
            parameter = self.parameters.get(name)
            if parameter is None and name not in self.static:
                raise WordWrong(f"{{{name}}} is no parameter of this tool", "http", "url")
            if name in self.http.in_path and parameter and not parameter.required and name not in self.static:
                raise WordWrong(f"{name} is part of the path: it must be required", "parameters", name)
        return self

    @model_validator(mode="after")
    def _a_person_answers(self) -> "ToolDefinition":
        if not self.asks_a_person:
            return self
        if self.approval is not Approval.REQUIRES_APPROVAL:
            raise WordWrong("ask_human asks a person: set approval = 'requires_approval'", "approval")
        if "question" not in self.asked_parameters:
            raise WordWrong("ask_human needs a parameter named question", "parameters")
        return self
