"""Which model an agent runs on. Each provider's package is imported in its own branch, when it is used."""

import logging
from typing import TYPE_CHECKING

from adapters.agent.server.definitions import OFFLINE, AgentDefinition

if TYPE_CHECKING:
    from pydantic_ai.models import Model

log = logging.getLogger(__name__)


def model_for(definition: AgentDefinition) -> "Model":
    """The offline stand-in for every provider that is not set up here."""
    from adapters.agent.server import offline

    if definition.provider != OFFLINE:
        log.warning("agent %s: provider %s is not set up; it runs offline", definition.name, definition.provider)
    return offline.model()
