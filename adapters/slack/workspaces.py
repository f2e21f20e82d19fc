"""The workspaces we are installed in: for each the client of Slack's Web API that has its token."""

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.settings import SlackSettings

TIMEOUT_S = 15


class Workspaces:
    def __init__(self, settings: SlackSettings) -> None:
        """Made inside the running loop: it keeps one HTTP session until `aclose`."""
        self._base_url = settings.api_url.rstrip("/") + "/"
        self._token = settings.bot_token.get_secret_value()
        self.http = aiohttp.ClientSession()

    async def token(self, team: str) -> str:
        """The bot's token in a team; of an empty one: in the only team there is."""
        return self._token

    async def of(self, team: str) -> AsyncWebClient:
        """The client for a team."""
        return self.client(await self.token(team))

    def client(self, token: str | None = None) -> AsyncWebClient:
        return AsyncWebClient(
            token=token,
            base_url=self._base_url,
            timeout=TIMEOUT_S,
            session=self.http,
            retry_handlers=[],  # the SDK's own would post twice when only the answer was lost
        )

    async def aclose(self) -> None:
        await self.http.close()
