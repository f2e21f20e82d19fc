"""Which tools can run here, when they must ask, and running them. Knows no model and no socket."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from adapters.agent.server.catalogue import PARAMETERS
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.liveness import AWAY
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import floor, http_call, mcp
from adapters.agent.server.tools.call import Arguments, Call, Result, ToolFailed
from adapters.agent.server.tools.functions import FUNCTIONS
from adapters.agent.server.tools.outside import NOT_REPEATED
from adapters.agent.server.tools.settings import ToolSettings

log = logging.getLogger(__name__)


class Toolbox:
    def __init__(self, settings: ToolSettings | None = None) -> None:
        self.settings = settings or ToolSettings()

    def tell(self, definitions: Iterable[AgentDefinition]) -> None:
        """Log which of their tools cannot run here, and why."""
        for definition in definitions:
            for tool in definition.tools:
                if why := self.why_away(tool):
                    log.warning("agent %s: the tool %s is not available: %s", definition.name, tool.name, why)

    @staticmethod
    def writes(tool: ToolDefinition) -> bool:
        """True of a tool that may change something: of any address outside unless its definition says it only reads."""
        return tool.writes is not False if tool.is_remote else FUNCTIONS[tool.function_name].writes

    def lacks(self, tool: ToolDefinition) -> str:
        """The variable without which the tool cannot run here; empty: there is none."""
        remote = tool.http or tool.mcp
        needed = remote.secret if remote else "" if tool.is_remote else FUNCTIONS[tool.function_name].needs
        return needed if needed and not self.settings.secrets.get(needed) else ""

    def why_away(self, tool: ToolDefinition) -> str:
        """Why the tool cannot run here, in a few words; empty: it can."""
        if tool.catalogue:
            return f"{tool.catalogue.node_type} is of a platform's own catalogue"
        lacking = self.lacks(tool)
        return f"{lacking} is not set" if lacking else ""

    async def why_ask(self, tool: ToolDefinition, call: Call, arguments: Arguments, *, is_verified: bool) -> str:
        """Why a person must be asked whatever the model says, in a few words; empty: there is no such reason."""
        function = None if tool.is_remote else FUNCTIONS[tool.function_name]
        if function and function.must_ask and (why := await function.must_ask(call, arguments)):
            return why
        return await floor.why_ask(tool, call, arguments, is_verified=is_verified)

    async def run(self, tool: ToolDefinition, call: Call, arguments: Arguments) -> Result:
        """Raises `ToolFailed`, which is in the log then."""
        try:
            return await self._run(tool, replace(call, settings=self.settings), arguments)
        except ToolFailed as error:
            log.warning("tool %s of agent %s failed: %s", tool.name, call.definition.name, error.for_log)
            raise
        except AWAY:
            raise
        except Exception as error:  # a fault in one tool ends no turn
            log.exception("tool %s of agent %s broke", tool.name, call.definition.name)
            raise ToolFailed(f"it broke ({type(error).__name__}){NOT_REPEATED}") from error

    async def _run(self, tool: ToolDefinition, call: Call, arguments: Arguments) -> Result:
        if why := self.why_away(tool):
            raise ToolFailed(f"{tool.name} is not available here", for_log=why)
        if tool.http:
            return await http_call.run(tool.http, call, arguments, writes=self.writes(tool))
        if tool.mcp:
            return await mcp.run(tool.mcp, call, arguments, writes=self.writes(tool))
        return await FUNCTIONS[tool.function_name].run(call, _typed(tool.function_name, arguments))


def _typed(function: str, arguments: Arguments) -> Arguments:
    """As the function wants them: a definition may have left one out, or declared it otherwise."""
    wanted = PARAMETERS.get(function, {})
    for name, parameter in wanted.items():
        if parameter.required and name not in arguments:
            raise ToolFailed(
                f"{name} is missing: the definition of this tool has no such parameter", for_log=f"no {name}"
            )
    free = {name: parameter.model_copy(update={"enum": ()}) for name, parameter in wanted.items()}
    try:
        return {name: free[name].typed(name, value) if name in free else value for name, value in arguments.items()}
    except ValueError as error:
        raise ToolFailed(str(error), for_log="an argument of the wrong type") from error
