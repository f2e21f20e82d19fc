"""Real settings, and stand-ins that know nothing of the sandbox: what the carriers see, and what is refused."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.helpers import carriers, slack
from tests.helpers.process import Gateway, running, until
from tests.helpers.world import ALICE, World, stand_ins


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with stand_ins(tmp_path) as (carrier, environment):
        gateway = Gateway(tmp_path, **environment)
        gateway.also(PUBLIC_URL=gateway.url)
        async with running(gateway):
            yield World(gateway, carrier, tmp_path)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.long
async def test_web_and_worker_as_two_processes_do_the_main_job(database_url: str, tmp_path: Path) -> None:
    async with stand_ins(tmp_path) as (carrier, environment):
        web = Gateway(tmp_path, command="web", DATABASE_URL=database_url, **environment)
        worker = Gateway(tmp_path, command="worker", DATABASE_URL=database_url, PUBLIC_URL=web.url, **environment)
        web.also(PUBLIC_URL=web.url)
        async with running(web), running(worker):
            world = World(web, carrier, tmp_path)
            await world.text("Please refund order A-1001, $40.", "SM1")
            card = await world.card()
            await world.slack(slack.click("U0ANA", "T0TEAM", "C0REAL", card, "approval_approve"))
            texts = await world.texts(2)
            await until(lambda: _called(world, "chat.update", 2), "the card's last state")

    assert "A-1001" in texts[1]["Body"]
    assert len(texts) == 2


async def test_a_signed_text_a_card_a_click_and_one_message_to_the_customer(world: World) -> None:
    assert (await world.text("Please refund order A-1001, $40.", "SM1")).text == "<Response/>"
    card = await world.card()
    asked = (await world.texts(1))[0]
    stranger = slack.click("U0EVE", "T0TEAM", "C0REAL", card, "approval_approve")
    approver = slack.click("U0ANA", "T0TEAM", "C0REAL", card, "approval_approve")

    assert card["channel"] == "C0REAL"
    assert (await world.slack(stranger)).status_code == 200
    told = await until(lambda: _called(world, "chat.postEphemeral"), "a private word")
    assert world.carriers.called("chat.update") == []
    assert (await world.slack(approver)).status_code == 200
    texts = await world.texts(2)
    await until(lambda: _called(world, "chat.update", 2), "the card's last state")

    assert told[0]["user"] == "U0EVE"
    assert "A-1001" not in json.dumps(told[0])
    assert len(texts) == 2
    assert "colleague" in asked["Body"]
    assert texts[1]["To"] == ALICE
    assert texts[1]["From"] == carriers.NUMBER
    assert "A-1001" in texts[1]["Body"]
    assert "$40" in texts[1]["Body"]


async def test_a_form_with_a_reason_denies(world: World) -> None:
    await world.text("Please refund order A-1001, $40.", "SM1")
    card = await world.card()

    await world.slack(slack.click("U0BEN", "T0TEAM", "C0REAL", card, "approval_deny"))
    form = (await until(lambda: _called(world, "views.open"), "the form"))[0]["view"]
    submitted = {"reason": {"reason": {"type": "plain_text_input", "value": "Not this one"}}}
    view = {**form, "id": "V1", "state": {"values": submitted}}
    person = {"user": {"id": "U0BEN", "team_id": "T0TEAM"}, "team": {"id": "T0TEAM"}}
    answer = await world.slack({"type": "view_submission", **person, "view": view})

    assert answer.status_code == 200
    assert "Not this one" in (await world.texts(2))[1]["Body"]


async def test_the_sandbox_is_not_there_beside_a_real_channel(world: World) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(world.gateway.url + "/sandbox")).status_code == 404
        assert (await client.get(world.gateway.url + "/healthz")).status_code == 200


async def test_what_is_not_proven_is_refused_and_leaves_no_row(world: World) -> None:
    text = {"body": "Hello", "sid": "SM1"}
    event = slack.message("Hello", ts="1700000100.000100")

    refused = [
        await world.text(**text, token="wrong"),
        await world.text(**text, signed_for="https://elsewhere.example"),
        await world.post("/sms/inbound", content=b"Body=Hello"),
        await world.post("/sms/inbound", content=b"\xff\xfe", headers={"x-twilio-signature": "x"}),
        await world.slack(event, secret="wrong"),
        await world.slack(event, at=1_600_000_000),
        await world.post("/slack/events", content=b"{"),
        await world.post("/slack/events", content=b"\xff" * 10, headers=[(b"x-slack-signature", b"v0=\xe9")]),
    ]

    assert [answer.status_code for answer in refused] == [401, 401, 401, 400, 401, 401, 401, 401]
    assert world.inbox() == 0


async def test_a_signed_body_nobody_can_read_is_400(world: World) -> None:
    for content in (b"[1, 2]", b"not json", b'{"type": "event_callback", "event": "text"}'):
        headers = slack.headers_for(carriers.SECRET, content) | {"content-type": "application/json"}
        assert (await world.post("/slack/events", content=content, headers=headers)).status_code == 400
    assert world.inbox() == 0


@pytest.mark.long
async def test_a_message_that_cannot_be_kept_is_answered_503_and_taken_when_it_comes_again(world: World) -> None:
    database = world.folder / "var" / "gateway.db"
    event = slack.message("Where is order A-1001?", ts="1700000100.000100")
    _run(database, "ALTER TABLE inbox RENAME TO inbox_away")

    failed = await asyncio.gather(world.slack(event), world.text("Where is order A-1001?", "SM1"))
    _run(database, "ALTER TABLE inbox_away RENAME TO inbox")
    taken = [await world.slack(event), await world.text("Where is order A-1001?", "SM1")]

    assert [answer.status_code for answer in failed] == [503, 503]
    assert [answer.status_code for answer in taken] == [200, 200]
    assert "A-1001" in (await world.texts(1))[0]["Body"]
    await until(lambda: _called(world, "chat.postMessage"), "the reply in Slack")


async def test_a_text_to_another_number_is_kept_and_answered_with_nothing(world: World) -> None:
    assert (await world.text("Hello", "SM1", to="+15559990000")).status_code == 200
    assert (await world.text("Where is order A-1002?", "SM2")).status_code == 200

    assert "A-1002" in (await world.texts(1))[0]["Body"]
    assert len(world.carriers.texts) == 1
    assert world.inbox() == 2


async def test_a_retry_storm_of_slack_is_one_turn(world: World) -> None:
    event = slack.message("Where is order A-1003?", ts="1700000100.000100")
    answers = await asyncio.gather(*(world.slack(event) for _ in range(6)))
    other = slack.message("Where is order A-1004?", ts="1700000200.000100", channel="D0OTHER")
    await world.slack(other)

    posts = await until(lambda: _called(world, "chat.postMessage", 2), "both replies")
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(("A-1003" in post["text"], "A-1004" in post["text"]) for post in posts) == [
        (False, True),
        (True, False),
    ]


async def _called(world: World, method: str, count: int = 1) -> list[dict[str, Any]]:
    calls = world.carriers.called(method)
    return calls if len(calls) >= count else []


def _run(database: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        connection.execute(statement)
        connection.commit()
