"""What the platform's agents say of their tools' arguments, remembered for a minute. Reads alone, and never fails.

An extension of ours: a platform without it names the tools and says nothing of their arguments.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from adapters.agent.frames import parsed

log = logging.getLogger(__name__)

KEPT_S = 60.0
WITHIN_S = 3.0
NO_SUCH_AGENT = 404

Schemas = Mapping[str, dict[str, Any]]


class ToolSchemas:
    def __init__(
        self, http: httpx.AsyncClient, *, within_s: float = WITHIN_S, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._now_s = now_s
        self._within_s = within_s
        self._kept: dict[str, tuple[float, Schemas]] = {}  # until when it is true, by agent

    async def of(self, agent: str) -> Schemas:
        """By the tool's name. What could not be asked is asked again the next time."""
        until, found = self._kept.get(agent, (float("-inf"), {}))
        if self._now_s() < until:
            return found
        try:
            async with asyncio.timeout(self._within_s):
                found = await self._read(agent)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            log.warning("the arguments of agent %s's tools are not known (%s): no edits", agent, type(error).__name__)
            return {}
        self._kept[agent] = (self._now_s() + KEPT_S, found)
        return found

    async def _read(self, agent: str) -> Schemas:
        for word in ("id", "name"):
            response = await self._http.get("/agent", params={word: agent, "input_schemas": "true"})
            if response.status_code != NO_SUCH_AGENT:
                return _told(parsed(response.raise_for_status().text))
        return {}


def _told(answer: Any) -> Schemas:
    agent = answer.get("object") if isinstance(answer, dict) else None
    tools = agent.get("tools") if isinstance(agent, dict) else None
    listed = [tool for tool in tools.values() if isinstance(tool, dict)] if isinstance(tools, dict) else []
    schemas = {tool.get("name"): tool.get("input_schema") for tool in listed}
    return {name: schema for name, schema in schemas.items() if isinstance(name, str) and isinstance(schema, dict)}
