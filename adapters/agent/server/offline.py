"""The model that ships: a deterministic stand-in that understands the sentences of docs/offline-agent.md.

It sees what any model sees (messages in, text and tool calls out) and nothing else. The phrases are in `phrases.py`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapters.agent.server import phrases
from adapters.agent.server.model_errors import ModelFailed
from adapters.agent.server.phrases import Fail, Plan, Search, Slowly, Think, Use

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ToolReturnPart, UserContent
    from pydantic_ai.models import Model
    from pydantic_ai.models.function import AgentInfo

PAUSE_S = 0.1


class OfflineFailure(ModelFailed):
    """The failure somebody asked for."""


def model() -> "Model":
    from pydantic_ai.models.function import FunctionModel

    return FunctionModel(stream_function=_stream, model_name="offline")


async def _stream(messages: list["ModelMessage"], info: "AgentInfo") -> AsyncIterator[Any]:
    from pydantic_ai.messages import ToolReturnPart, UserPromptPart

    results = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if results and not any(isinstance(part, UserPromptPart) for part in messages[-1].parts):
        spoken = "\n".join(_told(result) for result in results)
        async for piece in _written(spoken):
            yield piece
        return
    said, files = _said(messages)
    available = {tool.name: set(tool.parameters_json_schema["properties"]) for tool in info.function_tools}
    for step in phrases.plan(said, files):
        async for piece in _performed(step, available):
            yield piece


async def _performed(step: Plan, available: Mapping[str, Collection[str]]) -> AsyncIterator[Any]:
    """`available` are the tools, with what each asks for."""
    match step:
        case Fail():
            raise OfflineFailure("it was asked to fail")
        case Think(text=text):
            yield _thinking(text)
        case Search(query=query):
            for piece in _searched(query):
                yield piece
        case Slowly(words=words):
            for word in words:
                await asyncio.sleep(PAUSE_S)
                yield word
        case Use(calls=calls) if all(call.tool in available for call in calls):
            yield _tool_calls(calls, available)
        case Use(calls=calls):
            yield f"I have no tool named {calls[0].tool}."
        case str():
            async for piece in _written(step):
                yield piece


async def _written(text: str) -> AsyncIterator[str]:
    for piece in re.findall(r"\s*\S+\s*$|\s*\S+", text) or [text]:
        yield piece
        await asyncio.sleep(0)


def _thinking(text: str) -> Any:
    from pydantic_ai.models.function import DeltaThinkingPart

    return {"thinking": DeltaThinkingPart(content=text)}


def _searched(query: str) -> Sequence[Any]:
    from pydantic_ai.messages import NativeToolCallPart, NativeToolReturnPart

    results = [{"title": f"All about {query}", "url": "https://example.com/"}]
    call = NativeToolCallPart(tool_name="web_search", args={"query": query}, tool_call_id="search")
    found = NativeToolReturnPart(
        tool_name="web_search", content={"query": query, "results": results}, tool_call_id="search"
    )
    return [{"search": call}, {"found": found}]


def _tool_calls(calls: Sequence[phrases.ToolUse], available: Mapping[str, Collection[str]]) -> Any:
    from pydantic_ai.models.function import DeltaToolCall

    made = {}
    for at, call in enumerate(calls):
        asked = {name: value for name, value in call.arguments.items() if name in available[call.tool]}
        made[f"call {at}"] = DeltaToolCall(name=call.tool, json_args=json.dumps(asked))
    return made


def _told(result: "ToolReturnPart") -> str:
    if result.outcome == "denied":
        return phrases.denied(result.tool_name, str(result.content))
    if result.outcome == "success" and isinstance(result.content, dict):
        return phrases.done(result.tool_name, result.content)
    return f"I could not do that: {str(result.content).rstrip('.')}."


def _said(messages: Sequence["ModelMessage"]) -> tuple[list[str], list[str]]:
    """What the user said, oldest first, and the texts of the files that came with the last of it."""
    from pydantic_ai.messages import UserPromptPart

    said: list[str] = []
    files: list[str] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                contents = [part.content] if isinstance(part.content, str) else list(part.content)
                said.append("\n".join(phrases.unheaded(item) for item in contents if isinstance(item, str)))
                files = [text for item in contents if (text := _file_text(item)) is not None]
    return said, files


def _file_text(item: "UserContent") -> str | None:
    from pydantic_ai.messages import BinaryContent

    if not isinstance(item, BinaryContent):
        return None
    try:
        return item.data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
