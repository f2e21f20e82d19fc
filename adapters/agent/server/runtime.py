"""The narrow door to pydantic-ai: one run of a model over an opaque history, as events of our own.

Nothing outside this file and the models knows pydantic-ai, and importing it waits for the first run.
"""

import asyncio
import base64
import binascii
import importlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from adapters.agent.frames import Content
from adapters.agent.server import arguments
from adapters.agent.server.arguments import ArgumentsWrong
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.models import model_for
from adapters.agent.server.tool_definitions import Approval, ToolDefinition
from adapters.agent.server.tools import FUNCTIONS, ToolFailed

if TYPE_CHECKING:
    from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext, Tool
    from pydantic_ai.messages import ModelMessage, ThinkingPart, UserContent
    from pydantic_ai.models import Model


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of the reply. `starts` is true for the first piece of a new stretch of text."""

    text: str
    starts: bool


@dataclass(frozen=True, slots=True)
class Thought:
    text: str


@dataclass(frozen=True, slots=True)
class Searched:
    query: str
    results: Any


@dataclass(frozen=True, slots=True)
class Asking:
    tool_call_id: str
    tool_name: str
    arguments: dict[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Paused:
    """The last event of a run that needs answers, to all of these."""

    calls: tuple[Asking, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a run that is over. The tokens are those of its whole turn, also of runs before it stopped."""

    input_tokens: int = 0
    output_tokens: int = 0


RunEvent = Said | Thought | Searched | Paused | Finished


@dataclass(frozen=True, slots=True)
class Approved:
    """`arguments` is all of them, not only what was changed."""

    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Denied:
    reason: str


Answers = Mapping[str, Approved | Denied]


class ToolRunner(Protocol):
    async def must_ask(self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any]) -> bool: ...

    async def run(self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Raises `ToolFailed`."""


class Run:
    """One run. `history` is what to give the next one; it is right also after an error or a cancellation."""

    def __init__(self, agent: "Agent[ToolRunner, Any]", tools: ToolRunner, history: bytes | None) -> None:
        self._agent = agent
        self._tools = tools
        self.history = history

    def start(self, contents: Sequence[Content]) -> AsyncGenerator[RunEvent]:
        return self._events([_user_content(content) for content in contents], None)

    def resume(self, answers: Answers) -> AsyncGenerator[RunEvent]:
        return self._events(None, _results(answers))

    async def _events(
        self, prompt: "list[UserContent] | None", results: "DeferredToolResults | None"
    ) -> AsyncGenerator[RunEvent]:
        from pydantic_ai.messages import ModelMessagesTypeAdapter, repair_messages

        before = ModelMessagesTypeAdapter.validate_json(self.history) if self.history else []
        if prompt is not None:
            # A turn that was interrupted may have left calls open, and on those no new prompt is taken.
            before = repair_messages(before)
        async with self._agent.run_stream_events(
            prompt, message_history=before, deferred_tool_results=results, deps=self._tools
        ) as events:
            try:
                async for event in events:
                    for ours in _translated(event):
                        yield ours
            finally:
                self.history = ModelMessagesTypeAdapter.dump_json(events.all_messages()) or self.history


class Runtime:
    """Makes runs; keeps one pydantic-ai agent for each definition."""

    def __init__(self, model_for: "Callable[[AgentDefinition], Model]" = model_for) -> None:
        self._model_for = model_for
        self._is_ready = False
        self._agents: dict[str, tuple[AgentDefinition, Agent[ToolRunner, Any]]] = {}

    async def prepare(self) -> None:
        """Importing pydantic-ai takes a second: in a thread, so that every socket goes on meanwhile."""
        if not self._is_ready:
            await asyncio.to_thread(importlib.import_module, "pydantic_ai.models.function")
            self._is_ready = True

    def run(self, definition: AgentDefinition, tools: ToolRunner, history: bytes | None) -> Run:
        kept = self._agents.get(definition.id)
        if kept is None or kept[0] is not definition:
            kept = self._agents[definition.id] = (definition, _agent(definition, self._model_for(definition)))
        return Run(kept[1], tools, history)


def _agent(definition: AgentDefinition, model: "Model") -> "Agent[ToolRunner, Any]":
    from pydantic_ai import Agent, DeferredToolRequests

    output_type: Any = [str, DeferredToolRequests]
    return Agent(
        model,
        output_type=output_type,
        deps_type=ToolRunner,
        instructions=_instructions(definition),
        tools=[_tool(tool) for tool in definition.tools],
    )


def _instructions(definition: AgentDefinition) -> str:
    if not any(tool.approval is Approval.LET_AGENT_DECIDE for tool in definition.tools):
        return definition.instructions
    when = "it changes data, costs money, or you are unsure who is speaking"
    return f"{definition.instructions}\nSet {arguments.ASK} when a call should be approved by a person: {when}."


def _tool(tool: ToolDefinition) -> "Tool[ToolRunner]":
    from pydantic_ai import ApprovalRequired, ModelRetry, Tool
    from pydantic_ai.exceptions import ToolFailed as Failed

    async def call(ctx: "RunContext[ToolRunner]", **given: Any) -> dict[str, Any]:
        call_id = ctx.tool_call_id or ""
        try:
            checked = arguments.checked(tool, arguments.without_flags(given))
            if not ctx.tool_call_approved and await _asks(ctx.deps, tool, call_id, given, checked):
                raise ApprovalRequired(metadata={"why": str(given.get(arguments.WHY) or "")})
            return await ctx.deps.run(tool, call_id, checked)
        except ArgumentsWrong as error:
            raise ModelRetry(str(error)) from error
        except ToolFailed as error:
            raise Failed(str(error)) from error

    made: Tool[ToolRunner] = Tool.from_schema(call, tool.name, tool.description, arguments.schema(tool), takes_ctx=True)
    return made


async def _asks(
    tools: ToolRunner, tool: ToolDefinition, call_id: str, given: Mapping[str, Any], checked: Mapping[str, Any]
) -> bool:
    if tool.approval is Approval.AUTO_RUN:
        return False
    if tool.approval is Approval.REQUIRES_APPROVAL or await tools.must_ask(tool, call_id, checked):
        return True
    function = FUNCTIONS.get(tool.function_name)
    wants = given.get(arguments.ASK)
    # A model that did not say: what only reads may run, what writes is asked about.
    return wants if isinstance(wants, bool) else function is None or function.writes


def _results(answers: Answers) -> "DeferredToolResults":
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied

    approvals: dict[str, bool | ToolApproved | ToolDenied] = {}
    for call_id, answer in answers.items():
        if isinstance(answer, Approved):
            approvals[call_id] = ToolApproved(override_args=dict(answer.arguments))
        else:
            approvals[call_id] = ToolDenied(answer.reason)
    return DeferredToolResults(approvals=approvals)


def _translated(event: Any) -> Sequence[RunEvent]:
    from pydantic_ai import AgentRunResultEvent, DeferredToolRequests
    from pydantic_ai.messages import (
        NativeToolReturnPart,
        PartDeltaEvent,
        PartEndEvent,
        PartStartEvent,
        TextPart,
        TextPartDelta,
        ThinkingPart,
    )

    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return [Said(text, starts=True)]
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return [Said(text, starts=False)]
        case PartEndEvent(part=ThinkingPart() as part):
            return _thought(part)
        case PartStartEvent(part=NativeToolReturnPart(tool_name="web_search", content=content)):
            return [_searched(content)]
        case AgentRunResultEvent(result=result) if isinstance(result.output, DeferredToolRequests):
            return [Paused(tuple(_asking(result.output)))]
        case AgentRunResultEvent(result=result):
            return [_finished(result.all_messages())]
        case _:
            return []


def _finished(history: Sequence["ModelMessage"]) -> Finished:
    """What the turn used, from the last prompt on: its history holds the runs before it was parked too."""
    from pydantic_ai.messages import ModelResponse, UserPromptPart

    prompts = [at for at, said in enumerate(history) if any(isinstance(part, UserPromptPart) for part in said.parts)]
    said = [one for one in history[prompts[-1] if prompts else 0 :] if isinstance(one, ModelResponse)]
    return Finished(sum(one.usage.input_tokens for one in said), sum(one.usage.output_tokens for one in said))


def _thought(part: "ThinkingPart") -> Sequence[RunEvent]:
    return [Thought(part.content)] if part.content else []


def _searched(content: Any) -> Searched:
    if isinstance(content, dict):
        return Searched(str(content.get("query", "")), content.get("results"))
    return Searched("", content)


def _asking(requests: "DeferredToolRequests") -> Sequence[Asking]:
    return [
        Asking(
            tool_call_id=part.tool_call_id,
            tool_name=part.tool_name,
            arguments=arguments.without_flags(part.args_as_dict()),
            why=str(requests.metadata.get(part.tool_call_id, {}).get("why", "")),
        )
        for part in requests.approvals
    ]


def _user_content(content: Content) -> "UserContent":
    from pydantic_ai.messages import BinaryContent

    if isinstance(content, str):
        return content
    value = content.get("value")
    if content.get("type_string") != "file" or not isinstance(value, dict):
        return value if isinstance(value, str) else ""
    metadata = value.get("metadata") or {}
    try:
        data = base64.b64decode(value.get("raw_bytes") or "", validate=True)
    except (binascii.Error, ValueError):
        return ""
    return BinaryContent(data=data, media_type=str(metadata.get("mime_type") or "application/octet-stream"))
