"""Somebody at the command line of a town, beside the gateway that runs."""

from dataclasses import dataclass
from pathlib import Path

from tests.helpers.cli import says
from tests.helpers.rows import rows
from tests.helpers.town import Town


@dataclass
class Terminal:
    town: Town
    folder: Path

    async def runs(self, *words: str, code: int = 0, token: str = "", policy: str = "") -> str:
        """What a command prints. `policy`: another one than the gateway runs with."""
        path = self.folder / "town.toml"
        path.write_text(policy or self.town.policy)
        url = self.town.settings.database_url
        return await says(url, *words, code=code, GATEWAY_CONFIG=str(path), GATEHOUSE_TOKEN=token)

    async def token_of(self, name: str) -> str:
        return (await self.runs("people", "token", name)).strip()

    async def request(self) -> str:
        """The newest request's id, once its card is shown."""
        await self.town.card()
        return str((await rows(self.town.store, "approvals"))[-1]["id"])
