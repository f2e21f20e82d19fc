"""The gate before a tool: its arguments are checked, and who must be asked is asked, before anything runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from adapters.agent.server import arguments
from adapters.agent.server.arguments import ArgumentsWrong
from adapters.agent.server.parameters import TRUTHS
from adapters.agent.server.sender import is_verified
from adapters.agent.server.tool_definitions import ASK, WHY, Approval, ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed

if TYPE_CHECKING:
    from pydantic_ai import RunContext, Tool
    from pydantic_ai.messages import ModelMessage


class ToolRunner(Protocol):
    """What a turn does about the calls of its tools."""

    def call(self, tool_call_id: str) -> Call: ...

    async def run(
        self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any], toolbox: Toolbox
    ) -> dict[str, Any]:
        """Runs it in the toolbox. Raises `ToolFailed`."""


def gated(tool: ToolDefinition, toolbox: Toolbox) -> "Tool[ToolRunner]":
    """The tool as the model is given it."""
    from pydantic_ai import ApprovalRequired, ModelRetry, Tool
    from pydantic_ai.exceptions import ToolFailed as Failed
    from pydantic_core import SchemaValidator, core_schema

    async def call(ctx: "RunContext[ToolRunner]", /, **given: Any) -> dict[str, Any]:
        call_id = ctx.tool_call_id or ""
        try:
            said = arguments.without_flags(given)
            checked = arguments.checked(tool, said, by_person=ctx.tool_call_approved)
            if not ctx.tool_call_approved:
                why = await _why_ask(tool, toolbox, ctx, given, checked)
                if why is not None:
                    # What the person sees is what runs when they say yes.
                    raise ApprovalRequired(metadata={"why": why, "input": checked})
            return await ctx.deps.run(tool, call_id, checked, toolbox)
        except ArgumentsWrong as error:
            raise ModelRetry(str(error)) from error
        except ToolFailed as error:
            raise Failed(str(error)) from error

    made: Tool[ToolRunner] = Tool.from_schema(call, tool.name, tool.description, arguments.schema(tool), takes_ctx=True)
    # `from_schema` lets anything pass, also a list; what is no object goes back to the model like any wrong argument.
    made.function_schema.validator = SchemaValidator(core_schema.dict_schema(core_schema.str_schema()))
    return made


async def _why_ask(
    tool: ToolDefinition,
    toolbox: Toolbox,
    ctx: "RunContext[ToolRunner]",
    given: Mapping[str, Any],
    checked: Mapping[str, Any],
) -> str | None:
    """Why a person is asked, which may be "" for no reason given. None: nobody need be asked."""
    if tool.approval is Approval.AUTO_RUN:
        return None
    if tool.approval is Approval.REQUIRES_APPROVAL:
        return ""
    call = ctx.deps.call(ctx.tool_call_id or "")
    if floor := await toolbox.why_ask(tool, call, checked, is_verified=is_verified(_prompt(ctx.messages))):
        return floor
    wants = given.get(ASK)
    if isinstance(wants, str):  # some models write their flags as words
        wants = TRUTHS.get(wants.strip().lower(), True)
    # A model that did not say: what only reads may run, what writes is asked about.
    asks = toolbox.writes(tool) if wants is None else bool(wants)
    return str(given.get(WHY) or "") if asks else None


def _prompt(messages: "Sequence[ModelMessage]") -> Sequence[str]:
    """The texts that began this turn."""
    from pydantic_ai.messages import UserPromptPart

    prompts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    if not prompts:
        return []
    content = prompts[-1].content
    return [content] if isinstance(content, str) else [item for item in content if isinstance(item, str)]
