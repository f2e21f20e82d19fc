"""Which model an agent runs on: the one it names, the server's default, or the offline stand-in, and why.

It decides without any provider's package; `providers.py` imports that one when a turn needs it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from adapters.agent.server.definitions import OFFLINE, AgentDefinition
from adapters.agent.server.keeping import keep
from adapters.agent.server.model_settings import (
    PROVIDERS,
    ModelSettings,
    how_to_install,
    is_base_url,
    is_installed,
)

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

log = logging.getLogger(__name__)


class Standing(NamedTuple):
    """What an agent runs on, such as "offline" or "openai gpt-4o", and why. For people."""

    runs_on: str
    why: str


def standing(definition: AgentDefinition, settings: ModelSettings) -> Standing:
    where = _where(definition, settings)
    if isinstance(where, _Offline):
        return Standing(OFFLINE, where.why)
    return Standing(f"{where.provider} {where.name}", _whose(definition))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model at an address. An empty `base_url` is the provider's own."""

    provider: str
    name: str
    base_url: str


@dataclass(frozen=True, slots=True)
class _Offline:
    """`falls_back`: the agent named something else, which somebody should be told."""

    why: str
    falls_back: bool = True


def _where(definition: AgentDefinition, settings: ModelSettings) -> Endpoint | _Offline:
    named = _named(definition)
    if named == OFFLINE:
        return _Offline("its definition names it", falls_back=False)
    if not named and settings.provider == OFFLINE:
        return _Offline("its definition names no provider, and MODEL__PROVIDER is not set", falls_back=False)
    provider = named or settings.provider
    if provider not in PROVIDERS:
        return _Offline(f"its definition names the provider {provider!r}; there are {', '.join((OFFLINE, *PROVIDERS))}")
    if not is_installed(provider):
        return _Offline(how_to_install(provider))
    if provider != settings.provider or settings.api_key is None:
        return _Offline(f"there is no key for {provider} here: set MODEL__PROVIDER to it, and MODEL__API_KEY")
    base_url = definition.base_url or settings.base_url
    # The key goes only where whoever runs this server sends it: by MODEL__BASE_URL, or by a file.
    if definition.stored_id and base_url != settings.base_url:
        return _Offline("it was saved over REST with a base_url that is not MODEL__BASE_URL, which gets no key")
    if base_url and not is_base_url(base_url):
        return _Offline(f"its base_url is no address: {base_url!r}")
    return Endpoint(provider, definition.model or settings.name, base_url)


def _named(definition: AgentDefinition) -> str:
    """Empty: the definition says nothing of a provider."""
    # Over REST some provider must be named, so an agent that was pushed without one says offline there.
    says_nothing = (
        definition.provider == OFFLINE if definition.stored_id else "provider" not in definition.model_fields_set
    )
    return "" if says_nothing else definition.provider


def _whose(definition: AgentDefinition) -> str:
    return "its definition names it" if _named(definition) else "its definition names none: MODEL__PROVIDER"


class Models:
    """The models of one server. One HTTP client serves all of them until `aclose`."""

    def __init__(self, settings: ModelSettings | None = None) -> None:
        self._settings = settings or ModelSettings()
        self._made: dict[Endpoint, Model] = {}
        self._told: dict[tuple[str, str], None] = {}
        self._http: httpx2.AsyncClient | None = None

    def tell(self, definitions: Iterable[AgentDefinition]) -> None:
        """Log, once each, which of these run offline although they name a provider."""
        for definition in definitions:
            where = _where(definition, self._settings)
            if isinstance(where, _Offline) and where.falls_back:
                self._warn(definition, where.why)

    def modules_for(self, definition: AgentDefinition) -> tuple[str, ...]:
        """What to import before `model_for`, which takes a second or two."""
        where = _where(definition, self._settings)
        if isinstance(where, _Offline):
            return ("pydantic_ai.models.function",)
        return ("pydantic_ai.models.function", f"pydantic_ai.models.{where.provider}")

    def model_for(self, definition: AgentDefinition) -> "Model":
        """Inside the running loop."""
        from adapters.agent.server import offline

        where = _where(definition, self._settings)
        if isinstance(where, _Offline):
            self.tell([definition])
            return offline.model()
        return keep(self._made, where, self._made.get(where) or self._make(where))

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    def _make(self, endpoint: Endpoint) -> "Model":
        from adapters.agent.server import providers

        if self._http is None:
            self._http = providers.http_client(self._settings)
        return providers.model(endpoint, self._settings, self._http)

    def _warn(self, definition: AgentDefinition, why: str) -> None:
        if (definition.id, why) not in self._told:
            keep(self._told, (definition.id, why), None)
            log.warning("agent %s runs offline: %s", definition.id, why)
