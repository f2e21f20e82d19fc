"""What went wrong with a model, in words that may be shown: provider and status, never the key or what was said."""

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.errors import GatewayError

if TYPE_CHECKING:
    from pydantic_ai.exceptions import ModelHTTPError
    from pydantic_ai.models import Model

log = logging.getLogger(__name__)

REFUSALS = {400, 413, 415, 422}
CLIENTS = ("pydantic_ai.models.openai", "pydantic_ai.models.anthropic")


class ModelFailed(Exception):
    """Its text may be shown."""


def showable(error: Exception) -> str:
    """What a client is told of it. Of what went wrong inside this server no more than its kind."""
    kind = type(error).__name__
    return f"{kind}: {error}" if isinstance(error, ModelFailed | GatewayError) else f"this server failed ({kind})"


@contextmanager
def explained(model: "Model", on_refusal: Callable[[], None]) -> Iterator[None]:
    """Turns what pydantic-ai and the provider's client raise into `ModelFailed`, and logs it.

    `on_refusal` is called first where the provider would refuse the same messages again.
    """
    from pydantic_ai.exceptions import AgentRunError

    try:
        yield
    except Exception as error:
        if not isinstance(error, AgentRunError) and not _came_from_a_client(error):
            raise
        said = f"{model.system} {_said(error, model.model_name)}"
        log.warning("%s", said)
        if _is_refusal(error):
            on_refusal()
        # Not chained: the causes hold the request's headers and the answer's body.
        raise ModelFailed(said) from None


def _is_refusal(error: Exception) -> bool:
    from pydantic_ai.exceptions import ModelHTTPError

    return isinstance(error, ModelHTTPError) and error.status_code in REFUSALS


def _came_from_a_client(error: Exception) -> bool:
    """An answer that is not of the form it should have makes them stumble in many ways. A tool is never run in one."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return any(str(frame.f_globals.get("__name__")).startswith(CLIENTS) for frame in frames)


def _said(error: Exception, name: str) -> str:
    import httpx2
    from pydantic_ai import exceptions as raised

    match error:
        case raised.ModelHTTPError():
            return f"answered {error.status_code}: {_meaning(error, name)}"
        case raised.ModelRequestTimeout(setting="first_event_timeout"):
            return f"sent no token for {error.timeout:g} s"
        case raised.ModelRequestTimeout():
            return f"did not come to an end within {error.timeout:g} s"
        case raised.ModelTimeoutError() | httpx2.TimeoutException():
            return "could not be reached in time, or fell silent"
        case raised.ModelConnectionError() | httpx2.HTTPError():
            return "could not be reached, or the line to it broke"
        case raised.ModelAPIError() | AttributeError() | KeyError() | TypeError() | ValueError():
            return "sent an answer that broke off or cannot be read"
        case raised.UsageLimitExceeded():
            return f"came to no end: {name} went on calling tools"
        case raised.ContentFilterError():
            return f"does not let {name} answer this: its content filter"
    tool = re.match(r"Tool '([^']{1,64})' exceeded max retries", str(error))
    if tool:
        return f"runs {name}, which called {tool[1]} wrongly, and again after it was told what was wrong"
    return f"gave nothing of {name} that can be used"


def _meaning(error: "ModelHTTPError", name: str) -> str:
    from pydantic_ai import exceptions as raised

    wait = f"; it asks to wait {error.retry_after:g} s" if error.retry_after else ""
    match error:
        case raised.ModelAuthenticationError():
            return f"it refuses MODEL__API_KEY, or does not let it use {name}"
        case raised.ModelNotFoundError():
            return f"there is no model {name} there, or the base URL is wrong"
        case raised.ModelQuotaExceededError():
            return "the account's credit is used up"
        case raised.ModelRateLimitError():
            return f"too many requests{wait}"
        case raised.ModelContextWindowExceededError():
            return f"the conversation is too long for {name}"
        case raised.ModelRequestRejectedError():
            return "it refuses the request"
    return f"it failed{wait}"
