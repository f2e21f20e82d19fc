"""A server whose agents run on a stand-in of a provider's endpoint."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.agent.server.app import ServerSettings
from adapters.agent.server.model_settings import ModelSettings
from gateway.ports import AgentLine
from tests.adapters.agent.world import AGENTS, client_of, serving
from tests.helpers.openai_stand_in import StandIn

KEY = "sk-s3cret"

Talking = Callable[..., AbstractAsyncContextManager[AgentLine]]
"""Opens a session of an agent; its keyword arguments are the agent, its folder, and words of `ModelSettings`."""


def talking_through(endpoint: StandIn, settings: ServerSettings) -> Talking:
    @asynccontextmanager
    async def opened(agent: str = "support", agents: Path = AGENTS, **changed: Any) -> AsyncIterator[AgentLine]:
        async with serving(on_model(settings, endpoint, agents_dir=agents, **changed)) as url, client_of(url) as client:
            session_id = await client.open_session(agent)
            async with client.attach(session_id) as line:
                yield line

    return opened


def on_model(
    settings: ServerSettings, endpoint: StandIn, *, agents_dir: Path = AGENTS, **changed: Any
) -> ServerSettings:
    there = {"provider": endpoint.provider, "base_url": endpoint.url}
    words = {**there, "api_key": SecretStr(KEY), "name": "kite-1", **changed}
    return settings.model_copy(update={"model": ModelSettings.model_validate(words), "agents_dir": agents_dir})
