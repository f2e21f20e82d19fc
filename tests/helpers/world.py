"""A gateway process with credentials of its own, and carriers that know nothing of the sandbox."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from config.serving import bind, serving
from tests.helpers import carriers, peek, slack
from tests.helpers.carriers import Carriers
from tests.helpers.process import Gateway, until

ALICE = "+15550001111"
POLICY = """
[[routes]]
channel = "sms"
account = "+15557770000"
agent = "support"

[[routes]]
channel = "slack"
agent = "support"

[people.ana]
slack = "T0TEAM/U0ANA"

[approvals.default]
ask = ["slack:C0REAL"]
approvers = ["ana", "slack:U0BEN"]
"""


@dataclass
class World:
    gateway: Gateway
    carriers: Carriers
    folder: Path

    async def text(self, body: str, sid: str, **more: str) -> httpx.Response:
        more = {"sender": ALICE} | more
        sent = carriers.text(more.pop("signed_for", self.gateway.url), body, sid=sid, **more)
        return await self.post("/sms/inbound", **sent)

    async def slack(self, payload: dict[str, Any], *, secret: str = carriers.SECRET, **more: Any) -> httpx.Response:
        return await self.post("/slack/events", **slack.signed(secret, payload, **more))

    async def post(self, path: str, **request: Any) -> httpx.Response:
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.post(self.gateway.url + path, **request)

    async def card(self) -> dict[str, Any]:
        async def shown() -> list[dict[str, Any]]:
            return [call for call in self.carriers.called("chat.postMessage") if call.get("blocks")]

        return (await until(shown, "the card"))[0]  # type: ignore[no-any-return]

    async def texts(self, count: int) -> list[dict[str, str]]:
        async def sent() -> list[dict[str, str]]:
            return self.carriers.texts if len(self.carriers.texts) >= count else []

        return await until(sent, f"text {count}")  # type: ignore[no-any-return]

    async def all_recorded(self) -> bool:
        """Something was sent, and of all that was, the gateway has written down that it was."""
        return bool(self.carriers.texts) and not self._count("SELECT count(*) FROM outbox WHERE status <> 'sent'")

    def inbox(self) -> int:
        return self._count("SELECT count(*) FROM inbox")

    def _count(self, question: str) -> int:
        return peek.count(self.folder / "var" / "gateway.db", question)


@contextlib.asynccontextmanager
async def stand_ins(folder: Path, *, shows_texts: bool = False) -> AsyncIterator[tuple[Carriers, dict[str, str]]]:
    """The carriers, and the environment that points at them."""
    carrier, listening = Carriers(shows_texts=shows_texts), bind("127.0.0.1", 0)
    there = f"http://127.0.0.1:{listening.getsockname()[1]}"
    (folder / "my.toml").write_text(POLICY)
    async with serving(carrier.app, listening):
        yield carrier, credentials(there)


def credentials(carriers_at: str) -> dict[str, str]:
    """The environment of a gateway with these carriers."""
    return {
        "GATEWAY_CONFIG": "my.toml",
        "SECRET_KEY": "a-secret-of-the-tests-alone-0123456789abcdef",
        "OPS__TOKEN": "a-token-of-the-tests-alone",
        "SLACK__SIGNING_SECRET": carriers.SECRET,
        "SLACK__BOT_TOKEN": "xoxb-1",
        "SLACK__API_URL": carriers_at + "/api/",
        "SMS__ACCOUNT_SID": carriers.ACCOUNT,
        "SMS__AUTH_TOKEN": carriers.TOKEN,
        "SMS__FROM": carriers.NUMBER,
        "SMS__API_URL": carriers_at,
    }
