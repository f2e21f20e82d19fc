"""The words between a turn and its tools: a call, what comes of it, and a function that can be called."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.tools.settings import ToolSettings

Arguments = Mapping[str, Any]
Result = dict[str, Any]


class ToolFailed(Exception):
    """The tool could not do it; its text is for the model. `for_log` has no word of a customer or a service in it."""

    def __init__(self, text: str, *, for_log: str = "it refused") -> None:
        super().__init__(text)
        self.for_log = for_log


@dataclass(frozen=True, slots=True)
class Call:
    """Where a tool is called from. `tool_call_id` is unique in the session and the same whenever this call is tried."""

    database: Database
    definition: AgentDefinition
    session_id: str
    tool_call_id: str
    settings: ToolSettings = field(default_factory=ToolSettings)


@dataclass(frozen=True, slots=True)
class Function:
    """`must_ask` is the floor the model cannot lower: why a person is to be asked about a call, or "" for no reason.

    `needs` is a variable of the environment; without it the function is not available.
    """

    run: Callable[[Call, Arguments], Awaitable[Result]]
    writes: bool = False
    must_ask: Callable[[Call, Arguments], Awaitable[str]] | None = None
    needs: str = ""
