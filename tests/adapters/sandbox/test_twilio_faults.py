"""The carrier misbehaves on request: counted, in the order it was asked for, and no longer than that."""

import asyncio
import time

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from adapters.sandbox import Sandbox, cast
from tests.adapters.sandbox.conftest import settings_for

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

DELIVERED = ["queued", "sent", "delivered"]


def texts(world):
    return world.sandbox.state()["phones"][cast.ALICE]


async def send(world, body="x"):
    where = {"to": cast.ALICE, "from_": cast.OUR_NUMBER, "status_callback": f"{world.url}/sms/status"}
    return await world.twilio.messages.create_async(body=body, **where)


async def statuses(world, count):
    return [one.form["MessageStatus"] for one in await world.gateway.wait_for(count, "/sms/status")]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [({}, 429, 20429), ({"status": 400, "code": 21408}, 400, 21408), ({"status": 503, "code": 20503}, 503, 20503)],
)
async def test_a_refused_text_is_not_sent_and_the_next_one_is(world, asked, status, code):
    world.sandbox.text_fault("refused", **asked)
    with pytest.raises(TwilioRestException) as caught:
        await send(world, "never")
    await send(world, "then")

    assert (caught.value.status, caught.value.code) == (status, code)
    assert [one["body"] for one in texts(world)] == ["then"]


async def test_a_lost_answer_is_of_a_text_that_arrives(world):
    world.sandbox.text_fault("lost")
    with pytest.raises(TwilioRestException) as caught:
        await send(world, "sent all the same")

    assert (caught.value.status, caught.value.code) == (500, 20500)
    assert await statuses(world, 3) == DELIVERED
    assert [one.body for one in await world.twilio.messages.list_async(to=cast.ALICE)] == ["sent all the same"]


async def test_a_late_answer_is_later_than_the_client_waits(world):
    world.sandbox.text_fault("late", seconds=0.3)
    began = time.monotonic()
    sending = asyncio.create_task(send(world))
    await world.sandbox.until(lambda state: state["phones"][cast.ALICE])
    assert not sending.done()

    assert (await sending).status == "queued"
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize(
    ("kind", "code", "told"),
    [("undelivered", 30003, ["queued", "sent", "undelivered"]), ("failed", 30007, ["queued", "failed"])],
)
async def test_a_text_that_does_not_arrive_is_reported_with_its_code(world, kind, code, told):
    world.sandbox.text_fault(kind)
    sent = await send(world)
    reports = await world.gateway.wait_for(len(told), "/sms/status")

    assert [one.form["MessageStatus"] for one in reports] == told
    assert [one.form.get("ErrorCode") for one in reports] == [None] * (len(told) - 1) + [str(code)]
    again = await world.twilio.messages(sent.sid).fetch_async()
    assert (again.status, again.error_code) == (kind, code)
    assert (texts(world)[0]["status"], texts(world)[0]["error"]) == (kind, code)


async def test_the_code_of_a_failure_is_the_one_that_was_asked_for(world):
    world.sandbox.text_fault("undelivered", code=30006)
    await send(world)

    assert (await world.gateway.wait_for(3, "/sms/status"))[-1].form["ErrorCode"] == "30006"


async def test_reports_come_twice(world):
    world.sandbox.text_fault("twice")
    await send(world)

    assert await statuses(world, 6) == [status for status in DELIVERED for _ in range(2)]


async def test_a_webhook_comes_twice_and_is_one_text_on_the_phone(world):
    world.sandbox.text_fault("twice")
    await world.sandbox.text(cast.ALICE, "once")
    await world.sandbox.text(cast.ALICE, "and again")

    got = [one.form["Body"] for one in world.gateway.at("/sms/inbound")]
    assert got == ["once", "once", "and again"]
    assert [one["body"] for one in texts(world)] == ["once", "and again"]


async def test_reports_come_backwards(world):
    world.sandbox.text_fault("backwards")
    await send(world)

    assert await statuses(world, 3) == DELIVERED[::-1]
    assert texts(world)[0]["status"] == "delivered"


async def test_reports_come_before_the_call_is_answered(world):
    world.sandbox.text_fault("early")
    sent = await send(world)
    already = [one.form["MessageStatus"] for one in world.gateway.at("/sms/status")]

    assert already == DELIVERED
    assert sent.status == "queued"


async def test_another_call_can_go_wrong_and_the_sending_goes_on(world):
    world.sandbox.text_fault("refused", call="messages.list")
    assert (await send(world)).status == "queued"

    page = f"{world.twilio.api.base_url}/2010-04-01/Accounts/{world.sandbox.settings.sms_account_sid}/Messages.json"
    async with httpx.AsyncClient(trust_env=False, verify=False, auth=world.twilio.auth) as http:
        assert [(await http.get(page)).status_code for _ in range(2)] == [429, 200]


async def test_as_many_go_wrong_as_asked_for_or_none_when_it_is_forgotten(world):
    world.sandbox.text_fault("refused", times=2)
    for _ in range(2):
        with pytest.raises(TwilioRestException):
            await send(world)
    assert (await send(world)).sid

    world.sandbox.text_fault("refused", times=9)
    world.sandbox.forget_text_faults()
    assert world.sandbox.state()["text_faults"] == []
    assert (await send(world)).sid


async def test_what_was_asked_for_outlives_a_restart(world, state_path):
    world.sandbox.text_fault("failed", code=30034, times=3)

    again = Sandbox(settings_for(state_path, world.url))
    try:
        (one,) = again.state()["text_faults"]
        assert (one["kind"], one["code"], one["left"]) == ("failed", 30034, 3)
    finally:
        await again.aclose()


@pytest.mark.parametrize("asked", [{"kind": "sulks"}, {"kind": "late", "seconds": 500}, {"kind": "twice", "times": 0}])
async def test_the_page_is_told_what_it_asked_for_wrongly(world, asked):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as http:
        wrong = await http.post("/sandbox/api/text_fault", json=asked, headers={"X-Sandbox": "1"})
        right = await http.post("/sandbox/api/text_fault", json={"kind": "twice"}, headers={"X-Sandbox": "1"})

    assert (wrong.status_code, right.status_code) == (400, 200)
    assert [one["kind"] for one in world.sandbox.state()["text_faults"]] == ["twice"]
