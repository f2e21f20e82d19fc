"""The model's history of a turn that broke off, with what its calls came to: nothing is to be done twice. Pure.

The calls are the record of what ran; the history may lack them, or have the turn not at all.
"""

import asyncio
import importlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.agent.frames import Content
from adapters.agent.server.contents import user_content
from adapters.agent.server.rows import CallState, MadeCall

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequest, ToolReturnPart

NOT_KEPT = "[what was said here is not kept]"
UNKNOWN = "the outcome is unknown: the server stopped while it ran. It may have been done: do not repeat it"
NOT_RUN = "it did not run: the server stopped before"


async def ready() -> None:
    """Importing pydantic-ai takes a second: in a thread, and before a transaction rather than inside it."""
    await asyncio.to_thread(importlib.import_module, "pydantic_ai.messages")


def begun(history: bytes | None, contents: Sequence[Content]) -> bytes:
    """A history that ends before the turn, with what began it."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, UserPromptPart

    before = ModelMessagesTypeAdapter.validate_json(history) if history else []
    said = [user_content(content, None) for content in contents] or [NOT_KEPT]
    return ModelMessagesTypeAdapter.dump_json([*before, ModelRequest(parts=[UserPromptPart(said)])])


def with_calls(history: bytes, made: Sequence[MadeCall]) -> bytes:
    """`history` ends in the turn; a call of it that has no result there gets what it came to."""
    from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart

    messages = _without_guesses(ModelMessagesTypeAdapter.validate_json(history), {one.tool_call_id for one in made})
    parts = [part for message in messages[_first(messages) :] for part in message.parts]
    called = {part.tool_call_id for part in parts if isinstance(part, ToolCallPart)}
    answered = {part.tool_call_id for part in parts if isinstance(part, ToolReturnPart)}
    late = [one for one in made if one.tool_call_id not in answered]
    if known := [_result(one) for one in late if one.tool_call_id in called]:
        messages.append(ModelRequest(parts=known))
    if unknown := [one for one in late if one.tool_call_id not in called]:
        calls = [ToolCallPart(one.tool_name, dict(one.arguments), one.tool_call_id) for one in unknown]
        messages += [ModelResponse(parts=calls), ModelRequest(parts=[_result(one) for one in unknown])]
    return ModelMessagesTypeAdapter.dump_json(messages)


def _first(messages: "Sequence[ModelMessage]") -> int:
    """The place of the prompt that began the turn."""
    from pydantic_ai.messages import UserPromptPart

    prompts = [at for at, one in enumerate(messages) if any(isinstance(part, UserPromptPart) for part in one.parts)]
    return prompts[-1] if prompts else 0


def _without_guesses(messages: "Sequence[ModelMessage]", made: Collection[str]) -> "list[ModelMessage]":
    """The library's own results for calls it saw no end of, where we know better."""
    from pydantic_ai.messages import ModelRequest

    first = _first(messages)
    told = [_without(one, made) if isinstance(one, ModelRequest) else one for one in messages[first:]]
    return [*messages[:first], *(one for one in told if one.parts)]


def _without(request: "ModelRequest", made: Collection[str]) -> "ModelRequest":
    from pydantic_ai.messages import ToolReturnPart

    parts = [
        part
        for part in request.parts
        if not (isinstance(part, ToolReturnPart) and part.outcome == "interrupted" and part.tool_call_id in made)
    ]
    return replace(request, parts=parts)


def _result(made: MadeCall) -> "ToolReturnPart":
    from pydantic_ai.messages import ToolReturnPart

    name, id = made.tool_name, made.tool_call_id
    match made.state:
        case CallState.COMPLETED:
            return ToolReturnPart(name, made.result, id)
        case CallState.FAILED:
            return ToolReturnPart(name, made.result, id, outcome="failed")
        case CallState.DENIED:
            return ToolReturnPart(name, made.reason, id, outcome="denied")
        case CallState.EXECUTING | CallState.UNKNOWN:
            return ToolReturnPart(name, UNKNOWN, id, outcome="interrupted")
        case _:
            return ToolReturnPart(name, NOT_RUN, id, outcome="interrupted")
