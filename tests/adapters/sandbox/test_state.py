"""The sandbox remembers over a restart, and tells who waits that something changed."""

import asyncio

import pytest

from adapters.sandbox import Sandbox, cast
from adapters.sandbox.state import Notebook
from tests.adapters.sandbox.conftest import settings_for
from tests.adapters.sandbox.test_slack_api import MODAL, actions, button

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]


async def test_everything_is_there_after_a_restart(world, state_path):
    await world.sandbox.text(cast.ALICE, "hello")
    await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body="hi")
    card = await world.slack.chat_postMessage(channel=cast.OPS, text="x", blocks=[actions(button())])
    await world.sandbox.click(cast.ANA, cast.OPS, card["ts"], "deny")
    trigger = world.gateway.got[-1].payload["trigger_id"]
    await world.slack.views_open(trigger_id=trigger, view=MODAL)
    await world.slack.chat_postEphemeral(channel=cast.OPS, user=cast.MAX, text="psst")
    before = world.sandbox.state()

    again = Sandbox(settings_for(state_path, world.url))
    try:
        after = again.state()
        for part in ("channels", "ephemerals", "modals"):
            assert after[part] == before[part]
        shown = [(one["body"], one["status"]) for one in after["phones"][cast.ALICE]]
        assert shown == [("hello", "received"), ("hi", "delivered")]
        assert after["version"] >= before["version"]
    finally:
        await again.aclose()


async def test_times_go_on_after_a_restart(state_path):
    first = Notebook(state_path)
    stamps = [first.raise_counter("ts", 1000), first.raise_counter("ts", 10)]
    first.close()
    second = Notebook(state_path)
    stamps.append(second.raise_counter("ts", 10))
    second.close()

    assert stamps == [1000, 1001, 1002]


async def test_who_waits_learns_of_a_change_at_once(world):
    version = world.sandbox.state()["version"]
    waiting = asyncio.create_task(world.sandbox.changed(version, 30))
    await world.slack.chat_postMessage(channel=cast.OPS, text="news")

    async with asyncio.timeout(5):
        assert await waiting > version


async def test_what_never_comes_is_not_waited_for_for_ever(world):
    with pytest.raises(TimeoutError):
        await world.sandbox.until(lambda state: state["channels"][cast.OPS], 0.01)


async def test_quiet_gives_the_same_version_and_a_stop_ends_the_wait(world):
    version = world.sandbox.state()["version"]
    assert await world.sandbox.changed(version, 0.01) == version

    waiting = asyncio.create_task(world.sandbox.changed(version, 30))
    world.sandbox.stop_waiting()
    async with asyncio.timeout(5):
        assert await waiting == version


async def test_starting_over_forgets_but_counts_on(world):
    await world.sandbox.text(cast.ALICE, "STOP")
    before = world.sandbox.state()["version"]
    world.sandbox.reset()

    state = world.sandbox.state()
    assert state["phones"] == {cast.ALICE: [], cast.BOB: []}
    assert state["version"] > before
