"""A model at the far end that makes the calls it is told to, and the turns in which it does."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

from adapters.agent.frames import Frame
from adapters.agent.server import calls
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.rows import Turn, now
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Toolbox, ToolSettings
from adapters.agent.server.turns import RunningTurn
from gateway.events import Confirm, Deny

Calls = Sequence[tuple[str, Mapping[str, Any]]]


class FarModel:
    """Makes the calls of each step in turn and then says "Done."; keeps what it was offered and what came back."""

    def __init__(self, *steps: Calls) -> None:
        self._steps = list(steps)
        self._made = 0
        self.offered: dict[str, dict[str, Any]] = {}
        self.instructions = ""
        self.came_back: list[Any] = []

    def model(self) -> FunctionModel:
        return FunctionModel(stream_function=self._stream)

    async def _stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        self.offered = {tool.name: tool.parameters_json_schema for tool in info.function_tools}
        self.instructions = info.instructions or ""
        for part in messages[-1].parts:
            if isinstance(part, ToolReturnPart):
                self.came_back.append(part.content)
        if not self._steps:
            yield "Done."
            return
        for name, arguments in self._steps.pop(0):
            self._made += 1
            call_id = f"c{self._made}"
            yield {self._made: DeltaToolCall(name=name, json_args=json.dumps(arguments), tool_call_id=call_id)}


class Conversation:
    """One session of an agent with these tools, on a store that is open."""

    def __init__(
        self, store: Store, model: FarModel, *tools: ToolDefinition, settings: ToolSettings | None = None, **words: Any
    ) -> None:
        self._store = store
        self._model = model
        self._definition = AgentDefinition(name="shop", tools=tools, **words)
        self._runtime = Runtime(lambda _: model.model(), toolbox=Toolbox(settings))
        self._session_id = ""
        self.sent: list[Frame] = []

    async def say(self, *texts: str) -> None:
        if not self._session_id:
            self._session_id = await self._store.open_session("t", "shop")
        await self._store.post(self._session_id, "t", list(texts), None)
        await self._play()

    async def confirm(self, arguments: dict[str, Any] | None = None) -> None:
        await self._answer(Confirm(arguments=arguments or {}))

    async def deny(self, reason: str) -> None:
        await self._answer(Deny(reason=reason))

    async def _answer(self, given: Confirm | Deny) -> None:
        async with self._store.database.writing() as db:
            answered = await calls.answer(db, self._session_id, None, given, now())
        assert answered.all_answered
        await self._play()

    async def _play(self) -> None:
        turn: Turn | None = await self._store.claim(self._session_id)
        assert turn is not None
        running = RunningTurn(self._store, turn, self._definition, self.sent.append, timedelta(days=8))
        await running.play(self._runtime)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """What a person was asked to approve."""
        return self._contents("tool_call_approval")

    @property
    def ran(self) -> list[dict[str, Any]]:
        """What really ran, as it began."""
        return [shown for shown in self._contents("tool_call") if shown["status"] == "in_progress"]

    def _contents(self, kind: str) -> list[dict[str, Any]]:
        shown = [frame["message"]["content"] for frame in self.sent if frame["type"] == "message_notification"]
        return [content for content in shown if content["type"] == kind]

    @property
    def failure(self) -> str:
        return "".join(content["error"] for content in self._contents("error_message"))

    def searches(self) -> list[dict[str, Any]]:
        return self._contents("search_message")
