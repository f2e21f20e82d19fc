"""A model's response as it is taken: its texts can be stored and sent, and no two calls have one id. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.agent.frames import clean
from adapters.agent.server.rows import new_id

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse, ModelResponsePart


def taken(response: "ModelResponse", before: "Sequence[ModelMessage]") -> "ModelResponse":
    """Some models count their calls from 0 in each response: whose id was used `before` gets a new one."""
    from pydantic_ai.messages import ToolCallPart

    used = {part.tool_call_id for message in before for part in message.parts if isinstance(part, ToolCallPart)} | {""}
    parts: list[ModelResponsePart] = []
    for part in cleaned(response).parts:
        if isinstance(part, ToolCallPart):
            if part.tool_call_id in used:
                part = replace(part, tool_call_id=new_id("call"))
            used.add(part.tool_call_id)
        parts.append(part)
    return replace(response, parts=parts)


def cleaned(response: "ModelResponse") -> "ModelResponse":
    """Also of one that broke off: half a character can be neither stored nor sent."""
    return replace(response, parts=[_clean(part) for part in response.parts])


def _clean(part: "ModelResponsePart") -> "ModelResponsePart":
    from pydantic_ai.messages import NativeToolReturnPart, TextPart, ThinkingPart, ToolCallPart

    match part:
        case TextPart() | ThinkingPart() | NativeToolReturnPart():
            return replace(part, content=clean(part.content))
        case ToolCallPart():
            args: Any = clean(part.args)
            return replace(part, tool_name=clean(part.tool_name), tool_call_id=clean(part.tool_call_id), args=args)
        case _:
            return part
