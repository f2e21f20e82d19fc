"""Slack by Socket Mode, over a real WebSocket: what is acknowledged, and what comes again."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from adapters.sandbox.settings import SandboxSettings
from adapters.sandbox.socket_mode import SocketMode
from adapters.slack import card, forms
from adapters.slack.channel import SlackChannel
from adapters.slack.settings import SlackSettings
from config.serving import bind, serving
from gateway import sentences
from gateway.errors import DatabaseAway, KeyRefused, TryLater
from gateway.events import Verdict
from gateway.ports import Decision
from tests.adapters.doors import RecordingDoor, nobody_listens
from tests.adapters.slack.conftest import NOW, FakeSlack
from tests.adapters.slack.test_endpoint import ANA, MENTIONS, MESSAGE, PAYLOADS, click, submitted

TOKEN = "xapp-s3cret"


@pytest.fixture
async def far() -> AsyncIterator[SocketMode]:
    """Slack's end, which waits half a second for an acknowledgement."""
    listening = bind("127.0.0.1", 0)
    here = f"http://127.0.0.1:{listening.getsockname()[1]}"
    settings = SandboxSettings(
        sandbox_url=here,
        slack_signing_secret="",
        slack_bot_token="xoxb-1",
        sms_account_sid="",
        sms_auth_token="",
        slack_app_token=TOKEN,
        socket_patience_s=0.5,
        state_path=Path("never"),
    )
    made = SocketMode(settings)
    async with serving(Starlette(routes=[Mount("/sandbox", routes=made.routes())]), listening):
        yield made


@asynccontextmanager
async def channel_at(base: str, token: str = TOKEN) -> AsyncIterator[SlackChannel]:
    settings = SlackSettings.model_validate({"app_token": token, "bot_token": "xoxb-1", "api_url": base})
    channel = SlackChannel(settings, clock=lambda: NOW)
    try:
        yield channel
    finally:
        await channel.aclose()


@asynccontextmanager
async def listening(far: SocketMode, door: RecordingDoor) -> AsyncIterator["asyncio.Task[None]"]:
    async with channel_at(far.api_url) as channel:
        assert channel.listener is not None
        running = asyncio.create_task(channel.listener.run(door))
        try:
            await far.connected()
            yield running
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_a_message_is_kept_before_its_envelope_is_acknowledged(far: SocketMode, door: RecordingDoor) -> None:
    async with listening(far, door):
        await far.deliver("events_api", MESSAGE)

    assert [(event.event_id, event.text) for event in door.inbox.kept] == [("Ev1", "hello")]
    assert len(far.deliveries) == 1


@pytest.mark.parametrize("error", [RuntimeError("the disk is full"), DatabaseAway("it does not answer")])
async def test_what_was_not_kept_comes_again(error: Exception, far: SocketMode, door: RecordingDoor) -> None:
    door.inbox.fails = error
    async with listening(far, door):
        sending = asyncio.create_task(far.deliver("events_api", MESSAGE))
        await far.delivered(2)
        door.inbox.fails = None
        await sending

    assert [event.event_id for event in door.inbox.kept] == ["Ev1"]
    assert far.deliveries[-1]["retry_attempt"] >= 1


async def test_a_decision_that_cannot_be_kept_is_not_acknowledged(
    far: SocketMode, slack: FakeSlack, door: RecordingDoor
) -> None:
    door.approvals.fails = RuntimeError("the database is away")
    async with listening(far, door):
        sending = asyncio.create_task(far.deliver("interactive", click(card.APPROVE, slack)))
        await far.delivered(2)
        door.approvals.fails = None
        await sending

    assert door.approvals.decided == [("apr_4f6c", ANA, Verdict.APPROVE, "", "slack")]


async def test_a_form_gets_its_errors_and_a_command_its_answer(far: SocketMode, door: RecordingDoor) -> None:
    door.approvals.decides = Decision(result="not_allowed")
    given = {"command": "/approvals", "text": "", "team_id": "T0TEAM", "user_id": "U0ANA", "channel_id": "C0OPS"}

    async with listening(far, door):
        form = await far.deliver("interactive", submitted(None))
        command = await far.deliver("slash_commands", given)

    assert form.json() == {"response_action": "errors", "errors": {forms.REASON: sentences.NOT_YOURS}}
    assert command.json()["text"].startswith("Nothing waits")


ODD: list[Any] = [
    {"type": "event_callback", "event": {"type": "something_new"}},
    {"type": "event_callback", "event": "text"},
    {"type": "block_suggestion", "action_id": "later", "block_id": "b", "value": "q"},
    {"type": "block_actions", "user": "U1", "actions": []},
    {"type": "never_heard_of"},
    {},
    [1],
    "words",
    None,
]


async def test_what_nobody_knows_is_acknowledged_and_the_line_goes_on(far: SocketMode, door: RecordingDoor) -> None:
    kinds = ("events_api", "interactive", "slash_commands", "later")

    async with listening(far, door):
        for kind, payload in itertools.product(kinds, ODD):
            await far.deliver(kind, payload)
        await far.lines[0].send_text("{ no frame of Slack's")
        await far.lines[0].send_json([1])
        await far.lines[0].send_bytes(b"\x00")
        await far.deliver("events_api", MESSAGE)

    assert len(far.deliveries) == len(kinds) * len(ODD) + 1, "each was acknowledged at its first delivery"
    assert len(door.inbox.kept) == 1


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="shared test data not present: ../shared/data")
async def test_every_recorded_payload_is_acknowledged(far: SocketMode, door: RecordingDoor) -> None:
    items = json.loads((PAYLOADS / "index.json").read_text())["items"]
    bodies = [json.loads((PAYLOADS / item["file"]).read_text()) for item in items]
    kinds = {"form": "slash_commands", "form payload=": "interactive"}

    async with listening(far, door):
        for item, body in zip(items, bodies, strict=True):
            if item["transport"] == "websocket":
                await far.deliver(body["type"], body["payload"])
            else:
                await far.deliver(kinds.get(item["transport"], "events_api"), body)

    assert len(far.deliveries) == len(items), "each was acknowledged at its first delivery"
    assert len(door.inbox.kept) == len(MENTIONS)
    assert door.approvals.decided == []


async def test_a_line_that_slack_takes_back_is_left_for_a_new_one(far: SocketMode, door: RecordingDoor) -> None:
    async with listening(far, door) as running:
        await far.take_back()

        assert await running is None


async def test_a_line_that_is_lost_is_a_fault(far: SocketMode, door: RecordingDoor) -> None:
    async with listening(far, door) as running:
        await far.hang_up()

        with pytest.raises(TryLater, match="lost"):
            await running


async def test_a_wrong_token_says_which_variable(far: SocketMode, door: RecordingDoor) -> None:
    async with channel_at(far.api_url, "xapp-wr0ng") as channel:
        assert channel.listener is not None
        with pytest.raises(KeyRefused, match="SLACK__APP_TOKEN") as refused:
            await channel.listener.run(door)
        found = [one for one in await channel.check() if "Socket Mode" in one.what]

    assert [one.ok for one in found] == [False]
    assert "wr0ng" not in str(refused.value) + found[0].what


async def test_a_right_token_is_found_to_open_it_without_connecting(far: SocketMode) -> None:
    async with channel_at(far.api_url) as channel:
        (found,) = [one for one in await channel.check() if "Socket Mode" in one.what]

    assert found.ok
    assert far.lines == []


async def test_a_slack_that_is_away_is_tried_again_later(door: RecordingDoor) -> None:
    async with channel_at(nobody_listens()) as channel:
        assert channel.listener is not None
        with pytest.raises(TryLater, match="cannot be reached"):
            await channel.listener.run(door)


async def test_a_ticket_is_never_told(
    far: SocketMode, door: RecordingDoor, slack: FakeSlack, caplog: pytest.LogCaptureFixture
) -> None:
    gone = nobody_listens().removeprefix("http")
    slack.will_answer("api/apps.connections.open", {"ok": True, "url": f"ws{gone}/link?ticket=s3cret"})

    async with channel_at(f"{slack.base}/api/") as channel:
        assert channel.listener is not None
        with pytest.raises(TryLater) as said:
            await channel.listener.run(door)

    assert "s3cret" not in str(said.value) + caplog.text


async def test_without_a_signing_secret_there_is_no_endpoint(far: SocketMode, door: RecordingDoor) -> None:
    async with channel_at(far.api_url) as channel:
        assert list(channel.routes(door)) == []
