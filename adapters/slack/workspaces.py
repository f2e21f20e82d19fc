"""The workspaces we are installed in: for each the client of Slack's Web API that has its token."""

from collections.abc import Sequence

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.settings import SlackSettings
from gateway.errors import KeyRefused, WillNeverArrive
from gateway.ports import Installation, Installations

TIMEOUT_S = 15


class Workspaces:
    def __init__(self, settings: SlackSettings, installed: Installations | None = None) -> None:
        """Made inside the running loop: it keeps one HTTP session until `aclose`.

        `installed`: where we are, with many workspaces; None: nowhere.
        """
        self.many = settings.many
        self._base_url = settings.api_url.rstrip("/") + "/"
        self._token = settings.bot_token.get_secret_value() if settings.bot_token else ""
        self._installed = installed
        self.http = aiohttp.ClientSession()

    async def token(self, team: str) -> str:
        """The bot's token in a team (or in an enterprise, where the app is installed in all of it).

        With one workspace whatever the team. With many it is read at each use, so that an uninstalled team's is gone at
        once: raises `WillNeverArrive` where we are not, `KeyRefused` where SECRET_KEY does not open it, `DatabaseAway`.
        """
        if not self.many:
            return self._token
        if not team:
            raise WillNeverArrive("no Slack workspace is named, and there are many: write it as slack:T0TEAM/C0OPS")
        token = None if self._installed is None else await self._installed.secret(team)
        if token is None:
            raise WillNeverArrive(f"the app is not installed in the Slack workspace {team}")
        return token

    async def knows(self, team: str) -> bool:
        """Are we there? Raises `DatabaseAway`."""
        if not self.many:
            return True
        try:
            return bool(team) and self._installed is not None and await self._installed.secret(team) is not None
        except KeyRefused:
            return True

    async def all(self) -> Sequence[Installation]:
        """With many workspaces: where we are."""
        return () if self._installed is None else await self._installed.all()

    async def of(self, team: str) -> AsyncWebClient:
        """The client for a team. Raises as `token` does."""
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
