"""What a client posted, as a model is given it. A file it cannot read becomes a note, or no later turn could run."""

import base64
import binascii
from typing import TYPE_CHECKING

from adapters.agent.frames import Content

if TYPE_CHECKING:
    from pydantic_ai.messages import BinaryContent, UserContent
    from pydantic_ai.models import Model

SHOWN = {"image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"}
TEXTS = ("application/json", "application/xml", "application/yaml", "application/toml")


def user_content(content: Content, model: "Model | None") -> "UserContent":
    """For the offline model any file as it is; for others, or None, what chat completions take: texts, images, PDF."""
    from pydantic_ai.messages import BinaryContent
    from pydantic_ai.models.function import FunctionModel

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
    media_type = str(metadata.get("mime_type") or "application/octet-stream").partition(";")[0].strip().lower()
    if isinstance(model, FunctionModel):
        return BinaryContent(data=data, media_type=media_type)
    return _readable(data, media_type) or _note(str(metadata.get("name") or "a file"), media_type)


def without_files(history: bytes) -> bytes:
    """With a note in the place of each file of the last prompt, which the model's provider refused to take."""
    from pydantic_ai.messages import BinaryContent, ModelMessagesTypeAdapter, UserPromptPart

    messages = ModelMessagesTypeAdapter.validate_json(history)
    prompts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    if prompts and not isinstance(prompts[-1].content, str):
        prompts[-1].content = [
            _note("a file", item.media_type) if isinstance(item, BinaryContent) else item
            for item in prompts[-1].content
        ]
    return ModelMessagesTypeAdapter.dump_json(messages)


def _readable(data: bytes, media_type: str) -> "BinaryContent | None":
    from pydantic_ai.messages import BinaryContent

    if media_type.startswith("text/") or media_type in TEXTS:
        return BinaryContent(data=data.decode("utf-8", errors="replace").encode(), media_type="text/plain")
    return BinaryContent(data=data, media_type=media_type) if media_type in SHOWN else None


def _note(name: str, media_type: str) -> str:
    return f"[{name[:100]}, {media_type}: it was sent here, but you cannot read it]"
