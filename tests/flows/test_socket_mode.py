"""Slack by Socket Mode: all that people do goes over a line that we opened, and another process takes it over."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox import cast
from gateway.store import Store
from tests.helpers.clock import Clock
from tests.helpers.process import Gateway, until
from tests.helpers.rows import rows
from tests.helpers.socket_town import APP_TOKEN, BOT_TOKEN, KEY, SocketTown, far_slack
from tests.helpers.town import POLICY

DM = cast.dm_of(cast.MAX)


@pytest.fixture
async def town(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[SocketTown]:
    made = SocketTown(database_url, tmp_path, clock)
    await made.open()
    yield made
    await made.close()


def replies(sandbox: Any) -> list[str]:
    posts = sandbox.state()["channels"][DM]
    return [post["text"] for post in posts if "bot" in post and post.get("thread_ts")]


async def test_a_customer_asks_and_an_approver_decides_over_the_line(town: SocketTown) -> None:
    await town.max.writes(DM, "Please refund order A-1001, $40.")
    await town.ana.approves(await town.card())
    await town.until(lambda: any("A-1001" in text and "40" in text for text in replies(town.sandbox)), "the refund")

    await town.max.writes(DM, "Please refund order A-1002, $15.")
    await town.card(2)
    await town.sandbox.write(cast.ANA, cast.OPS, "/approvals")
    assert "One request waits for you." in await town.ana.is_told()
    await town.ana.denies(await town.card(2), "Already refunded.")
    await town.until(lambda: any("Already refunded" in text for text in replies(town.sandbox)), "the reason")

    assert [row["state"] for row in await rows(town.store, "approvals")] == ["approved", "denied"]
    assert all("retry_attempt" not in one for one in town.sandbox.socket.deliveries)


async def test_lines_that_slack_takes_back_or_loses_are_opened_again(town: SocketTown) -> None:
    line = town.sandbox.socket
    for end in (line.take_back, line.hang_up):
        await end()
        await line.connected(0)
        await line.connected()

    await town.max.writes(DM, "Where is order A-1001?")

    await town.until(lambda: replies(town.sandbox), "the reply")


async def test_a_wrong_app_token_stops_nothing_else_and_operations_are_told(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    town = SocketTown(database_url, tmp_path, clock)
    town.app_token = "xapp-wrong"
    await town.open()
    try:
        await town.until(lambda: town.sandbox.socket.refusals >= 2, "a second try")
        (alert,) = await town.until(town.alerts, "an alert, by the bot's token")
        async with httpx.AsyncClient() as client:
            ready = await client.get(town.live.url + "/readyz")
    finally:
        await town.close()

    assert "Slack said invalid_auth: check SLACK__APP_TOKEN" in alert
    assert ready.status_code == 200


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_the_holder_of_the_line_is_killed_and_nothing_is_lost(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(POLICY)
    async with far_slack(tmp_path) as sandbox, contextlib.AsyncExitStack() as stack:
        environment = {
            "DATABASE_URL": database_url,
            "GATEWAY_CONFIG": "my.toml",
            "SECRET_KEY": KEY,
            "SLACK__APP_TOKEN": APP_TOKEN,
            "SLACK__BOT_TOKEN": BOT_TOKEN,
            "SLACK__API_URL": sandbox.socket.api_url,
        }
        workers = [Gateway(tmp_path, command="worker", name=name, **environment) for name in ("one", "two")]
        for worker in workers:
            stack.push_async_callback(worker.stop)
            await worker.start()
        await sandbox.socket.connected()
        for number in range(3):
            await sandbox.write(cast.MAX, DM, f"Say number {number}.")

        (holder,) = [one for one in workers if "this process listens" in one.log()]
        writing = [asyncio.create_task(sandbox.write(cast.MAX, DM, f"Say number {number}.")) for number in range(3, 6)]
        await holder.kill()
        killed = time.monotonic()
        await sandbox.socket.connected(0)
        await sandbox.socket.connected()
        print(f"another process holds the line {time.monotonic() - killed:.1f} s after the first was killed")
        writing.append(asyncio.create_task(sandbox.write(cast.MAX, DM, "Say number 6.")))
        assert {answer.status_code for answer in await asyncio.gather(*writing)} == {200}

        async def answered() -> bool:
            return len(replies(sandbox)) == 7

        await until(answered, "seven replies", within_s=60)
        async with contextlib.aclosing(Store(database_url)) as store:
            assert [row["state"] for row in await rows(store, "turns")] == ["done"] * 7
