"""Gateway processes at work, each with far ends of its own, so that a test sees which of them does what."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from config.serving import bind, serving
from tests.helpers import carriers, slack
from tests.helpers.agentline import Tap, tapped
from tests.helpers.carriers import Carriers
from tests.helpers.dyno import Dyno
from tests.helpers.process import Gateway, plain_client, until
from tests.helpers.world import POLICY, credentials


@dataclass
class House:
    """`doors` take what comes in, `workers` do the work; on SQLite one process is both. Made by `opened`."""

    public_url: str
    carriers: Carriers
    doors: Sequence[Gateway | Dyno]
    workers: dict[str, Gateway]
    client: httpx.AsyncClient = field(default_factory=plain_client)
    taps: dict[str, Tap] = field(default_factory=dict)
    agents: Gateway | None = None

    async def text(self, body: str, *, sender: str, sid: str = "", door: int = 0) -> int:
        """Hand a text over as Twilio does; the status."""
        sent = carriers.text(self.public_url, body, sender=sender, sid=sid or new_sid())
        return (await self._post(door, "/sms/inbound", **sent)).status_code

    async def text_until_taken(self, body: str, *, sender: str) -> None:
        """As a carrier with endless patience does: again, under the same id."""
        sid = new_sid()
        while True:
            with contextlib.suppress(httpx.TransportError):
                if await self.text(body, sender=sender, sid=sid) == 200:
                    return
            await asyncio.sleep(0.1)

    async def direct_message(self, words: str, *, ts: str, door: int = 0) -> int:
        """Somebody writes to the app in Slack; the status."""
        return (
            await self._post(door, "/slack/events", **slack.signed(carriers.SECRET, slack.message(words, ts=ts)))
        ).status_code

    async def clicks(self, user: str, card: dict[str, Any], *, door: int = 0) -> int:
        """Press Approve; the status."""
        payload = slack.click(user, "T0TEAM", "C0REAL", card, "approval_approve")
        return (await self._post(door, "/slack/events", **slack.signed(carriers.SECRET, payload))).status_code

    async def card_about(self, number: str, *, within_s: float = 30.0) -> dict[str, Any]:
        async def shown() -> dict[str, Any] | None:
            posts = [post for post in self.carriers.called("chat.postMessage") if post.get("blocks")]
            return next((post for post in posts if number in json.dumps(post["blocks"])), None)

        return await until(shown, f"the card about {number}", within_s=within_s)  # type: ignore[no-any-return]

    def got(self, number: str) -> list[str]:
        """The texts a customer has."""
        return [text["Body"] for text in self.carriers.texts if text["To"] == number]

    async def gets(self, number: str, words: str, *, within_s: float = 30.0) -> None:
        async def there() -> bool:
            return any(words in text for text in self.got(number))

        try:
            await until(there, repr(words), within_s=within_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; {number} has {self.got(number)}") from None

    async def _post(self, door: int, path: str, **request: Any) -> httpx.Response:
        return await self.client.post(self.doors[door].url + path, **request)


def new_sid() -> str:
    return f"SM{uuid.uuid4().hex}"


@contextlib.asynccontextmanager
async def opened(
    folder: Path,
    database_url: str,
    *,
    webs: int = 1,
    workers: Sequence[str] = ("one", "two"),
    shows_texts: bool = True,
    own_agents: bool = True,
    agents_on: str = "",
    **environment: str,
) -> AsyncIterator[House]:
    """A house at work. On SQLite it is one process called `run`.

    With `own_agents` the agent server is another process, on a SQLite file or on the database `agents_on`.
    """
    async with contextlib.AsyncExitStack() as stack:
        carrier, listening = Carriers(shows_texts=shows_texts), bind("127.0.0.1", 0)
        there = f"http://127.0.0.1:{listening.getsockname()[1]}"
        await stack.enter_async_context(serving(carrier.app, listening))
        (folder / "my.toml").write_text(POLICY)

        def process(command: str, name: str) -> Gateway:
            theirs = {"DATABASE_URL": database_url, **credentials(f"{there}/{name}"), **environment}
            return Gateway(folder, command=command, name=name, **theirs)

        if database_url.startswith("sqlite"):
            alone = process("run", "run")
            house = House(alone.url, carrier, [alone], {"run": alone})
        else:
            doors = [process("web", f"web-{number}") for number in range(webs)]
            house = House(doors[0].url, carrier, doors, {name: process("worker", name) for name in workers})
        if own_agents:
            house.agents = agents_in(folder, agents_on or f"sqlite:///{folder}/agent.db")
            stack.push_async_callback(house.agents.stop)
            await house.agents.start()
            for name, worker in house.workers.items():
                house.taps[name] = await stack.enter_async_context(tapped(house.agents.url + "/v1", name))
                worker.also(AGENT__URL=house.taps[name].url)
        stack.push_async_callback(house.client.aclose)
        await _start(house, stack)
        yield house


def agents_in(folder: Path, database_url: str) -> Gateway:
    """The embedded agent server as a process of its own."""
    return Gateway(folder, command="agents serve", name="agents", AGENT_SERVER__DATABASE_URL=database_url)


async def _start(house: House, stack: contextlib.AsyncExitStack) -> None:
    everyone = list({id(one): one for one in [*house.doors, *house.workers.values()]}.values())

    async def stop() -> None:
        await asyncio.gather(*(one.stop() for one in everyone))

    stack.push_async_callback(stop)
    for one in everyone:
        one.also(PUBLIC_URL=house.public_url)
    await asyncio.gather(*(one.start() for one in everyone))
    for worker in house.workers.values():
        if not worker.has_door:
            await worker.at_work()
