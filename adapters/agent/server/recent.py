"""What a model is given of a long history: the newest turns, each of them whole. Pure.

A turn begins with what a user said, so no call loses its result and no result its call.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from adapters.agent.server.limits import Limits

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponsePart, UserPromptPart

LEFT_OUT = "Earlier messages of this conversation are left out here."
SHORT_CHARS = 2_000  # of a result in a turn that is too long by itself
FILE_CHARS = 4_000  # about what a model makes of a picture, however many bytes it has


@dataclass(frozen=True, slots=True)
class _Turn:
    """It begins with the part `place` of the message `at`. Several begin in one message where some had no reply."""

    at: int
    place: int
    chars: int
    file_bytes: int


def newest(messages: "Sequence[ModelMessage]", limits: Limits) -> "list[ModelMessage]":
    """At most what `limits` allow. The turn that runs is never cut: of one that is too long, results are shortened."""
    turns = _turns(messages)
    if not turns:
        return list(messages)
    first = _first_kept(turns, limits)
    kept = list(messages) if first is turns[0] else _from(messages, first)
    over = turns[-1].chars - limits.history_chars
    return _with_short_results(kept, over) if over > 0 else kept


def _turns(messages: "Sequence[ModelMessage]") -> list[_Turn]:
    from pydantic_ai.messages import UserPromptPart

    turns: list[_Turn] = []
    for at, message in enumerate(messages):
        for place, part in enumerate(message.parts):
            if isinstance(part, UserPromptPart):
                turns.append(_Turn(at, place, *_said(part)))
            elif turns:
                turns[-1] = replace(turns[-1], chars=turns[-1].chars + len(_text(part)))
    return turns


def _said(prompt: "UserPromptPart") -> tuple[int, int]:
    """The characters of what a user said, and the bytes of the files with it."""
    from pydantic_ai.messages import BinaryContent

    items = [prompt.content] if isinstance(prompt.content, str) else prompt.content
    texts = [item for item in items if isinstance(item, str)]
    files = [item for item in items if isinstance(item, BinaryContent)]
    chars = [len(file.data) if file.media_type.startswith("text/") else FILE_CHARS for file in files]
    return sum(map(len, texts)) + sum(chars), sum(len(file.data) for file in files)


def _text(part: "ModelRequestPart | ModelResponsePart") -> str:
    from pydantic_ai.messages import BaseToolCallPart, BaseToolReturnPart, RetryPromptPart, TextPart, ThinkingPart

    match part:
        case BaseToolReturnPart():
            return part.model_response_str()
        case BaseToolCallPart():
            return part.args_as_json_str()
        case TextPart() | ThinkingPart() | RetryPromptPart():
            return str(part.content)
        case _:
            return ""


def _first_kept(turns: Sequence[_Turn], limits: Limits) -> _Turn:
    first, chars, file_bytes = turns[-1], turns[-1].chars, turns[-1].file_bytes
    for earlier in reversed(turns[-limits.history_turns : -1]):
        chars, file_bytes = chars + earlier.chars, file_bytes + earlier.file_bytes
        if chars > limits.history_chars or file_bytes > limits.history_file_bytes:
            break
        first = earlier
    return first


def _from(messages: "Sequence[ModelMessage]", first: _Turn) -> "list[ModelMessage]":
    from pydantic_ai.messages import ModelRequest, SystemPromptPart

    begun = messages[first.at]
    assert isinstance(begun, ModelRequest)
    # The library puts results first in a message: those before the prompt are of calls that are cut.
    said = begun.parts[first.place :]
    return [replace(begun, parts=[SystemPromptPart(LEFT_OUT), *said]), *messages[first.at + 1 :]]


def _with_short_results(messages: "Sequence[ModelMessage]", over: int) -> "list[ModelMessage]":
    """The oldest first, as few as will do: the newest is what the model has just asked for."""
    from pydantic_ai.messages import ModelRequest

    kept: list[ModelMessage] = []
    for message in messages:
        if over > 0 and isinstance(message, ModelRequest):
            before = sum(len(_text(part)) for part in message.parts)
            short = _shortened(message, over)
            over -= before - sum(len(_text(part)) for part in short.parts)
            kept.append(short)
        else:
            kept.append(message)
    return kept


def _shortened(request: "ModelRequest", over: int) -> "ModelRequest":
    from pydantic_ai.messages import ToolReturnPart

    parts: list[ModelRequestPart] = []
    for part in request.parts:
        text = _text(part)
        if over > 0 and type(part) is ToolReturnPart and len(text) > 2 * SHORT_CHARS:
            told = f"{text[:SHORT_CHARS]} [cut here: {len(text) - SHORT_CHARS} more characters are left out]"
            parts.append(replace(cast("ToolReturnPart[Any]", part), content=told))
            over -= len(text) - len(told)
        else:
            parts.append(part)
    return replace(request, parts=parts)
