"""Bolt's listeners for what waits for somebody: the Home tab, and `/approvals`. They decide nothing."""

import logging
import re
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import home, inbound
from adapters.slack.refusals import UNSENT
from gateway.ports import Door

log = logging.getLogger(__name__)


def listen(bolt: AsyncApp, door: Door) -> None:
    """Register the listeners."""

    @bolt.event("app_home_opened")
    async def opened(body: dict[str, Any], event: dict[str, Any], client: AsyncWebClient) -> None:
        if event.get("tab") == "home":
            await show(door, client, body)

    @bolt.action(re.compile(f"^{home.TURN}:"))
    async def turned(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        first = inbound.clicked(body)[0]
        await show(door, client, body, int(first) if first.isdecimal() else 0)

    @bolt.command(home.COMMAND)
    async def asked(ack: Any, body: dict[str, Any]) -> None:
        await ack(**home.listed(await door.approvals.waiting(inbound.clicker(body))))


async def show(door: Door, client: AsyncWebClient, body: dict[str, Any], first: int = 0) -> None:
    """Their Home tab as it is now. Where Slack does not take it, it is shown at the next opening."""
    who = inbound.clicker(body)
    try:
        await client.views_publish(user_id=who.address, view=home.view(await door.approvals.waiting(who), first))
    except UNSENT as error:
        log.info("a Home tab was not shown: %s", type(error).__name__)
