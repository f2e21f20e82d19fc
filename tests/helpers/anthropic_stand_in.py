"""A stand-in of the Messages API: real HTTP and server-sent events, its answers from the same scripts."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tests.helpers.openai_stand_in import Calls, Chunk, Refuses, StandIn, at_home

KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
PASSING = {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}


class AnthropicStandIn(StandIn):
    """Whatever a model is told, the system's words and a tool's result too, is one line of `told`."""

    def told(self, at: int = -1) -> list[tuple[str, str]]:
        body = self.asked[at]
        system = [("system", text) for _, text in _blocks("system", body.get("system") or [])]
        return system + [told for one in body["messages"] for told in _blocks(one["role"], one["content"])]

    def refusal(self, answer: Refuses) -> Chunk:
        kind = answer.code or {**KINDS, **PASSING}.get(answer.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": answer.message}, "request_id": "req_1"}

    def begun(self) -> Iterator[str]:
        yield self._started()
        yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})

    def word(self, word: str) -> str:
        return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})

    def ended(self) -> Iterator[str]:
        yield _event("content_block_stop", index=0)
        yield from _last("end_turn")

    async def called(self, answer: Calls) -> AsyncIterator[str]:
        yield self._started()
        for at, (name, arguments) in enumerate(answer.calls):
            block = {"type": "tool_use", "id": f"toolu_{len(self.asked)}_{at}", "name": name, "input": {}}
            yield _event("content_block_start", index=at, content_block=block)
            for half in (arguments[:5], arguments[5:]):
                yield _event("content_block_delta", index=at, delta={"type": "input_json_delta", "partial_json": half})
            yield _event("content_block_stop", index=at)
        for last in _last("tool_use") if answer.then == "end" else ():
            yield last

    def _started(self) -> str:
        begun = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.asked[-1]["model"], "content": []}
        usage = {"input_tokens": 7, "output_tokens": 1}
        return _event("message_start", message={**begun, "stop_reason": None, "stop_sequence": None, "usage": usage})


def _last(reason: str) -> Iterator[str]:
    yield _event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 3})
    yield _event("message_stop")


def _event(kind: str, **words: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **words})}\n\n"


def _blocks(role: str, content: Any) -> list[tuple[str, str]]:
    if isinstance(content, str):
        return [(role, content)]
    return [told for one in content for told in _block(role, one)]


def _block(role: str, block: dict[str, Any]) -> list[tuple[str, str]]:
    match block["type"]:
        case "text":
            return [(role, block["text"])]
        case "tool_result":
            return [("tool", "\n".join(text for _, text in _blocks("tool", block["content"])))]
        case _:
            return []


@contextlib.asynccontextmanager
async def anthropic_stand_in() -> AsyncIterator[StandIn]:
    made = AnthropicStandIn(provider="anthropic", breath=_event("ping"))
    async with at_home(made, "", "/v1/messages") as stand_in:
        yield stand_in
