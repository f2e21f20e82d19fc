"""Models of Anthropic's Messages API whose answer is whole or none. Imported when the first of them is needed."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.settings import ModelSettings


class WholeAnthropicModel(AnthropicModel):
    """Where no stop reason came, a line that was cut cleanly looks like the end of the answer, or of a tool's call."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        asking = super().request_stream(messages, model_settings, model_request_parameters, run_context)
        async with asking as streamed:
            yield streamed
            if not (streamed.cancelled or (streamed.provider_details or {}).get("finish_reason")):
                raise ModelAPIError(self.model_name, "the stream ended without a stop reason")
