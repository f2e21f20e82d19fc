"""A town whose Slack stands elsewhere and is reached by Socket Mode alone: nobody can call the gateway."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette

from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.world import Sandbox
from adapters.slack.settings import SlackSettings
from config.serving import bind, serving
from tests.helpers.town import Town

APP_TOKEN, BOT_TOKEN = "xapp-1-A0SANDBOX", "xoxb-sandbox"
KEY = "a-secret-of-the-tests-alone-0123456789abcdef"


@contextlib.asynccontextmanager
async def far_slack(folder: Path, *, patience_s: float = 3.0) -> AsyncIterator[Sandbox]:
    """Slack on a port of its own. It waits `patience_s` for an acknowledgement."""
    listening = bind("127.0.0.1", 0)
    settings = SandboxSettings(
        sandbox_url=f"http://127.0.0.1:{listening.getsockname()[1]}",
        state_path=folder / "far.db",
        slack_signing_secret="nobody signs anything here",
        slack_bot_token=BOT_TOKEN,
        slack_app_token=APP_TOKEN,
        socket_patience_s=patience_s,
        sms_account_sid="",
        sms_auth_token="",
    )
    sandbox = Sandbox(settings)
    async with contextlib.aclosing(sandbox), serving(Starlette(routes=sandbox.routes()), listening):
        yield sandbox


class SocketTown(Town):
    app_token = APP_TOKEN
    _far: Sandbox

    async def open(self) -> None:
        self._far = await self._stack.enter_async_context(far_slack(self._folder))
        slack = {"app_token": self.app_token, "bot_token": BOT_TOKEN, "api_url": self._far.socket.api_url}
        channel = {"slack": SlackSettings.model_validate(slack), "secret_key": SecretStr(KEY)}
        self.settings = self.settings.model_copy(update=channel)
        await super().open()
        if self.app_token == APP_TOKEN:
            await self._far.socket.connected()

    @property
    def sandbox(self) -> Sandbox:
        return self._far
