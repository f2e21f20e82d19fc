"""The narrow door to pydantic-ai: one run of a model over an opaque history, as events of our own.

Nothing outside this file, the gate and the models knows pydantic-ai, and importing it waits for the first run.
"""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from adapters.agent.frames import Content, clean
from adapters.agent.server.contents import user_content, without_files
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.gate import ToolRunner, gated
from adapters.agent.server.keeping import keep
from adapters.agent.server.limits import Limits
from adapters.agent.server.model_errors import explained
from adapters.agent.server.models import Models
from adapters.agent.server.recent import newest
from adapters.agent.server.responses import cleaned, taken
from adapters.agent.server.tool_definitions import ASK, Approval
from adapters.agent.server.tools import Toolbox
from adapters.agent.server.tools.people import no_answer

if TYPE_CHECKING:
    from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, RunContext
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


class Run:
    """One run. `history` is what to give the next one; it is right also after an error or a cancellation.

    Iterating raises `ModelFailed` where the model or its provider failed.
    """

    def __init__(
        self,
        agent: "Agent[ToolRunner, Any]",
        model: "Model",
        tools: ToolRunner,
        history: bytes | None,
        definition: AgentDefinition,
    ) -> None:
        self._agent = agent
        self._model = model
        self._tools = tools
        self._asking_tools = {tool.name for tool in definition.tools if tool.asks_a_person}
        self.history = history

    def start(self, contents: Sequence[Content]) -> AsyncGenerator[RunEvent]:
        return self._events([user_content(content, self._model) for content in contents], None)

    def resume(self, answers: Answers) -> AsyncGenerator[RunEvent]:
        return self._events(None, answers)

    async def _events(self, prompt: "list[UserContent] | None", answers: Answers | None) -> AsyncGenerator[RunEvent]:
        from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelResponse, repair_messages

        before = ModelMessagesTypeAdapter.validate_json(self.history) if self.history else []
        if prompt is not None:
            # A turn that was interrupted may have left calls open, and on those no new prompt is taken.
            before = repair_messages(before)
        results = _results(answers, self._questions(before)) if answers else None
        with explained(self._model, self._forget_files):
            async with self._agent.run_stream_events(
                prompt, message_history=before, deferred_tool_results=results, deps=self._tools
            ) as events:
                try:
                    async for event in events:
                        for ours in _translated(event):
                            yield ours
                finally:
                    # One that was broken off may still hold half a character.
                    said = [cleaned(one) if isinstance(one, ModelResponse) else one for one in events.all_messages()]
                    self.history = ModelMessagesTypeAdapter.dump_json(said) or self.history

    def _forget_files(self) -> None:
        self.history = without_files(self.history) if self.history else None

    def _questions(self, history: "Sequence[ModelMessage]") -> set[str]:
        """The ids of the calls that asked a person something."""
        from pydantic_ai.messages import ToolCallPart

        called = [part for message in history for part in message.parts if isinstance(part, ToolCallPart)]
        return {part.tool_call_id for part in called if part.tool_name in self._asking_tools}


class Runtime:
    """Makes runs; keeps the pydantic-ai agent of each definition that was used of late."""

    def __init__(
        self,
        model_for: "Callable[[AgentDefinition], Model] | None" = None,
        models: Models | None = None,
        toolbox: Toolbox | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.toolbox = toolbox or Toolbox()
        self._models = models or Models()
        self._model_for = model_for or self._models.model_for
        self._limits = limits or Limits()
        self._imported: set[str] = set()
        self._agents: dict[str, tuple[AgentDefinition, Model, Agent[ToolRunner, Any]]] = {}

    async def prepare(self, definition: AgentDefinition) -> None:
        """Importing pydantic-ai takes a second: in a thread, so that every socket goes on meanwhile."""
        for module in self._models.modules_for(definition):
            if module not in self._imported:
                await asyncio.to_thread(importlib.import_module, module)
                self._imported.add(module)

    def run(self, definition: AgentDefinition, tools: ToolRunner, history: bytes | None) -> Run:
        kept = self._agents.get(definition.id)
        if kept is None or kept[0] is not definition:
            model = self._model_for(definition)
            kept = (definition, model, _agent(definition, model, self.toolbox, self._limits))
        keep(self._agents, definition.id, kept)
        return Run(kept[2], kept[1], tools, history, definition)


def _agent(definition: AgentDefinition, model: "Model", toolbox: Toolbox, limits: Limits) -> "Agent[ToolRunner, Any]":
    from pydantic_ai import Agent, DeferredToolRequests
    from pydantic_ai.capabilities import Hooks, ProcessHistory
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import ModelRequestContext

    # Before each request to the model, and what it gives is the history from then on. Not a plain `def`: that one
    # would run in a thread each time.
    async def bounded(messages: list[ModelMessage]) -> list[ModelMessage]:
        return newest(messages, limits)

    async def in_order(
        ctx: "RunContext[ToolRunner]", /, *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        return taken(response, ctx.messages)

    output_type: Any = [str, DeferredToolRequests]
    return Agent(
        model,
        output_type=output_type,
        deps_type=ToolRunner,
        instructions=_instructions(definition, toolbox),
        tools=[gated(tool, toolbox) for tool in definition.tools if not toolbox.why_away(tool)],
        capabilities=[ProcessHistory(bounded), Hooks(after_model_request=in_order)],
    )


def _instructions(definition: AgentDefinition, toolbox: Toolbox) -> str:
    said = [definition.instructions]
    if any(tool.approval is Approval.LET_AGENT_DECIDE for tool in definition.tools):
        when = "it changes data, costs money, or you are unsure who is speaking"
        said.append(f"Set {ASK} when a call should be approved by a person: {when}.")
    if away := [tool.name for tool in definition.tools if toolbox.why_away(tool)]:
        named = ", ".join(away)
        said.append(f"These tools are not available here: {named}. Never pretend to have used one; say so instead.")
    return "\n".join(said)


def _results(answers: Answers, questions: Collection[str]) -> "DeferredToolResults":
    from pydantic_ai import DeferredToolResults, ToolApproved, ToolDenied

    approvals: dict[str, bool | ToolApproved | ToolDenied] = {}
    for call_id, answer in answers.items():
        if isinstance(answer, Approved):
            approvals[call_id] = ToolApproved(override_args=dict(answer.arguments))
        else:
            approvals[call_id] = ToolDenied(no_answer(answer.reason) if call_id in questions else answer.reason)
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
            return [Said(clean(text), starts=True)]
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return [Said(clean(text), starts=False)]
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
    return [Thought(clean(part.content))] if part.content else []


def _searched(found: Any) -> Searched:
    content = clean(found)
    if isinstance(content, dict):
        return Searched(str(content.get("query", "")), content.get("results"))
    return Searched("", content)


def _asking(requests: "DeferredToolRequests") -> Sequence[Asking]:
    told = [(part, requests.metadata.get(part.tool_call_id, {})) for part in requests.approvals]
    return [
        Asking(part.tool_call_id, part.tool_name, arguments=dict(said.get("input", {})), why=str(said.get("why", "")))
        for part, said in told
    ]
