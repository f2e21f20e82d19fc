"""A gateway in this process that texts by the Twilio of `carriers`: webhooks are signed as Twilio signs them."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.sandbox.signing import twilio_signature
from adapters.sms.settings import SmsSettings
from config import running
from config.running import Live
from config.settings import AgentServerVariables, Settings
from gateway import policy as policies
from gateway.store import Store
from tests.helpers.carriers import ACCOUNT, NUMBER, TOKEN, Carriers
from tests.helpers.clock import Clock
from tests.helpers.process import plain_client, until
from tests.helpers.rows import rows
from tests.helpers.world import stand_ins

ALICE = "+15550001111"
POLICY = """
[[routes]]
channel = "sms"
agent = "support"

[approvals.default]
ask = ["requester"]
approvers = ["requester"]
"""


@dataclass
class Texting:
    gateway: Live
    carriers: Carriers
    account: str = ACCOUNT
    client: httpx.AsyncClient = field(default_factory=plain_client)

    @property
    def store(self) -> Store:
        return self.gateway.parts.store

    async def posts(
        self, form: Mapping[str, str], path: str = "/sms/inbound", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """As Twilio does."""
        url = self.gateway.url + path
        said = {"X-Twilio-Signature": twilio_signature(TOKEN, url, form.items()), **(headers or {})}
        return await self.client.post(url, data=dict(form), headers=said)

    async def texts(self, body: str, **fields: str) -> httpx.Response:
        """Alice texts our number; `fields` of the webhook take the place of others."""
        sid = f"SM{len(await rows(self.store, 'inbox')):032d}"
        usual = {"MessageSid": sid, "AccountSid": self.account, "From": ALICE, "To": NUMBER, "NumMedia": "0"}
        return await self.posts({**usual, "Body": body, **fields})

    def got(self, number: str = ALICE) -> list[str]:
        return [text["Body"] for text in self.carriers.texts if text["To"] == number]

    async def gets(self, count: int = 1, number: str = ALICE) -> list[str]:
        """All texts to somebody, once there are so many."""

        async def there() -> list[str]:
            return self.got(number) if len(self.got(number)) >= count else []

        return await until(there, f"text {count} to {number}")  # type: ignore[no-any-return]

    async def recorded(self) -> None:
        """Of all that was sent, the gateway has written down that it was."""

        async def done() -> bool:
            return all(row["status"] != "sending" for row in await rows(self.store, "outbox"))

        await until(done, "what was sent is written down")

    async def turns(self, count: int) -> list[dict[str, Any]]:
        """Once so many are done."""

        async def done() -> list[dict[str, Any]]:
            made = await rows(self.store, "turns")
            return made if [turn["state"] for turn in made].count("done") >= count else []

        return await until(done, f"{count} turns")  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def texting(
    database_url: str, folder: Path, clock: Clock, policy: str = POLICY, *, account: str = ACCOUNT, **variables: str
) -> AsyncIterator[Texting]:
    """`variables` of SMS__, in lower case, take the place of the usual ones."""
    async with stand_ins(folder) as (carrier, environment):
        there = {"account_sid": account, "auth_token": TOKEN, "from": NUMBER, "api_url": environment["SMS__API_URL"]}
        agents = f"sqlite:///{folder}/agent.db" if database_url.startswith("sqlite") else database_url
        settings = Settings.model_construct(
            database_url=database_url,
            port=0,
            secret_key=SecretStr(environment["SECRET_KEY"]),
            sms=SmsSettings.model_validate(there | variables),
            agent_server=AgentServerVariables(database_url=agents),
        )
        async with running.live(settings, policies.read(policy), clock=clock) as gateway:
            there_now = Texting(gateway, carrier, account)
            async with contextlib.aclosing(there_now.client):
                yield there_now
