"""The models of each provider, over one HTTP client. Imported when the first of them is needed, and not before.

The provider's client retries what passes (429, 5xx, no connection), and only until the first token has come.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from adapters.agent.server.model_settings import ANTHROPIC, OPENAI, ModelSettings

if TYPE_CHECKING:
    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings as Wishes

    from adapters.agent.server.models import Endpoint

RETRIES = 2
OPENAI_HOME = "https://api.openai.com/v1"
ANTHROPIC_HOME = "https://api.anthropic.com"


def http_client(settings: ModelSettings) -> httpx2.AsyncClient:
    """The caller closes it."""
    longest_wait = settings.timeout / 2

    async def refuse_long_waits(response: httpx2.Response) -> None:
        # Both clients obey this header. Who waits for an answer should rather hear at once that there is none.
        if asked_wait(response.headers.get("retry-after", ""), datetime.now(UTC)) > longest_wait:
            response.headers["x-should-retry"] = "false"

    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(settings.timeout, connect=settings.connect_timeout),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        event_hooks={"response": [refuse_long_waits]},
    )


def asked_wait(retry_after: str, now: datetime) -> float:
    """Seconds, from either form of the header; 0 when it says nothing."""
    if re.fullmatch(r"\d{1,9}(\.\d*)?", retry_after):
        return float(retry_after)
    try:
        return (parsedate_to_datetime(retry_after) - now).total_seconds()
    except (ValueError, TypeError):
        return 0


def model(endpoint: "Endpoint", settings: ModelSettings, http: httpx2.AsyncClient) -> "Model":
    """Imports the provider's package."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    wishes: Wishes = {
        "max_retries": RETRIES,
        "first_event_timeout": settings.timeout,
        "request_timeout": settings.longest_answer,
    }
    if endpoint.provider == ANTHROPIC:
        return _anthropic(endpoint, key, http, wishes)
    return _openai(endpoint, key, http, wishes)


def _openai(endpoint: "Endpoint", key: str, http: httpx2.AsyncClient, wishes: "Wishes") -> "Model":
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    # Without a finish reason, a line that was cut cleanly would look like the end of the answer.
    profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    host = urlsplit(endpoint.base_url).hostname
    if endpoint.base_url and host != urlsplit(OPENAI_HOME).hostname:
        compatible = OpenAICompatibleProvider(
            OPENAI, base_url=endpoint.base_url, api_key=key, http_client=http, canonical_system=host
        )
        return OpenAIChatModel(endpoint.name, provider=compatible, profile=profile, settings=wishes)
    home = OpenAIProvider(base_url=endpoint.base_url or OPENAI_HOME, api_key=key, http_client=http)
    return OpenAIChatModel(endpoint.name, provider=home, profile=profile, settings=wishes)


def _anthropic(endpoint: "Endpoint", key: str, http: httpx2.AsyncClient, wishes: "Wishes") -> "Model":
    from pydantic_ai.providers.anthropic import AnthropicProvider

    from adapters.agent.server.messages_api import WholeAnthropicModel

    provider = AnthropicProvider(base_url=endpoint.base_url or ANTHROPIC_HOME, api_key=key, http_client=http)
    return WholeAnthropicModel(endpoint.name, provider=provider, settings=wishes)
