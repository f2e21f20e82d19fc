"""twilio's own client against the stand-in for Twilio's REST API."""

import json
from datetime import UTC, datetime

import pytest
from starlette.responses import Response
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from adapters.sandbox import cast
from tests.adapters.sandbox.conftest import ACCOUNT, AUTH_TOKEN

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]


async def test_a_text_is_taken_then_delivered_and_reported(world):
    sent = await world.twilio.messages.create_async(
        to=cast.ALICE, from_=cast.OUR_NUMBER, body="hello", status_callback=f"{world.url}/sms/status"
    )

    assert (sent.status, sent.direction, sent.num_segments) == ("queued", "outbound-api", "1")
    assert sent.date_created.tzinfo is UTC
    reports = await world.gateway.wait_for(3, "/sms/status")
    assert [(one.form["MessageStatus"], one.form["MessageSid"]) for one in reports] == [
        ("queued", sent.sid),
        ("sent", sent.sid),
        ("delivered", sent.sid),
    ]
    validator = RequestValidator(AUTH_TOKEN)
    for report in reports:
        signature = report.headers["x-twilio-signature"]
        assert validator.validate(f"{world.url}/sms/status", report.form, signature)
    (shown,) = world.sandbox.state()["phones"][cast.ALICE]
    assert (shown["direction"], shown["body"], shown["status"]) == ("outbound", "hello", "delivered")


async def test_a_callback_to_somewhere_else_is_never_called(world):
    await world.twilio.messages.create_async(
        to=cast.ALICE, from_=cast.OUR_NUMBER, body="x", status_callback="https://elsewhere.example/status"
    )
    await world.sandbox.until(lambda state: state["phones"][cast.ALICE][-1]["status"] == "delivered")

    assert world.gateway.got == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"to": "12", "body": "x"}, 21211),
        ({"to": "", "body": "x"}, 21604),
        ({"to": cast.ALICE, "body": ""}, 21602),
        ({"to": cast.ALICE, "body": "x" * 1601}, 21617),
        ({"to": cast.ALICE, "body": "x", "from_": "+15559999999"}, 21606),
        ({"to": cast.ALICE, "body": "x", "from_": ""}, 21603),
        ({"to": cast.ALICE, "body": "x", "from_": "", "messaging_service_sid": "MG1"}, 21701),
    ],
)
async def test_what_twilio_would_refuse_is_refused_with_its_code(world, message, code):
    with pytest.raises(TwilioRestException) as caught:
        await world.twilio.messages.create_async(**{"from_": cast.OUR_NUMBER} | message)

    assert (caught.value.status, caught.value.code) == (400, code)


async def test_wrong_credentials_are_refused(world):
    stranger = Client(ACCOUNT, "other", http_client=world.twilio.http_client)
    stranger.api.base_url = world.twilio.api.base_url

    with pytest.raises(TwilioRestException) as caught:
        await stranger.api.accounts(ACCOUNT).fetch_async()
    assert (caught.value.status, caught.value.code) == (401, 20003)


async def test_an_account_and_a_message_can_be_fetched(world):
    sent = await world.twilio.messages.create_async(to=cast.BOB, from_=cast.OUR_NUMBER, body="é 🙂")

    account = await world.twilio.api.accounts(ACCOUNT).fetch_async()
    again = await world.twilio.messages(sent.sid).fetch_async()

    assert account.status == "active"
    assert (again.body, again.to, again.from_) == ("é 🙂", cast.BOB, cast.OUR_NUMBER)
    with pytest.raises(TwilioRestException) as caught:
        await world.twilio.messages("SM404").fetch_async()
    assert caught.value.status == 404


async def test_messages_are_listed_newest_first_by_number_over_pages(world):
    for body in ("1", "2", "3"):
        await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body=body)
    await world.twilio.messages.create_async(to=cast.BOB, from_=cast.OUR_NUMBER, body="other")
    await world.sandbox.text(cast.ALICE, "mine")

    listed = await world.twilio.messages.list_async(to=cast.ALICE, page_size=2)
    written = await world.twilio.messages.list_async(from_=cast.ALICE)

    assert [one.body for one in listed] == ["3", "2", "1"]
    assert [(one.body, one.direction) for one in written] == [("mine", "inbound")]


async def test_only_what_was_sent_since_a_moment_is_listed(world):
    await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body="old")
    world.clock.now += 60
    since = datetime.fromtimestamp(world.clock.now, UTC)
    await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body="new")

    assert [one.body for one in await world.twilio.messages.list_async(date_sent_after=since)] == ["new"]


async def test_who_texts_stop_gets_nothing_until_start(world):
    async def send():
        return await world.twilio.messages.create_async(to=cast.ALICE, from_=cast.OUR_NUMBER, body="x")

    await world.sandbox.text(cast.ALICE, " Stop ")
    with pytest.raises(TwilioRestException) as caught:
        await send()
    assert world.sandbox.state()["opted_out"] == [cast.ALICE]
    await world.sandbox.text(cast.ALICE, "START")

    assert world.sandbox.state()["opted_out"] == []
    assert caught.value.code == 21610
    assert (await send()).status == "queued"


async def test_a_text_reaches_the_gateway_as_twilio_sends_it(world):
    world.sandbox.settings.public_url = "https://gate.example/"
    response = await world.sandbox.text(cast.ALICE, "Hi & <b>“you”</b>\n+1", extra={"OptOutType": ""})

    (got,) = world.gateway.at("/sms/inbound")
    assert response.status_code == 200
    assert got.form["Body"] == "Hi & <b>“you”</b>\n+1"
    assert (got.form["From"], got.form["To"], got.form["AccountSid"]) == (cast.ALICE, cast.OUR_NUMBER, ACCOUNT)
    assert got.form["OptOutType"] == ""
    signature = got.headers["x-twilio-signature"]
    assert RequestValidator(AUTH_TOKEN).validate("https://gate.example/sms/inbound", got.form, signature)
    assert not RequestValidator("other").validate("https://gate.example/sms/inbound", got.form, signature)


async def test_twilios_retry_is_one_text_on_the_phone(world):
    for _ in range(2):
        await world.sandbox.text(cast.ALICE, "once", message_sid="SM" + "a" * 32)

    assert len(world.gateway.at("/sms/inbound")) == 2
    assert [one["body"] for one in world.sandbox.state()["phones"][cast.ALICE]] == ["once"]


async def test_a_text_the_gateway_refused_shows_as_failed(world):
    async def refuse(_):
        return Response(json.dumps({}), status_code=500)

    world.gateway.answers["/sms/inbound"] = refuse
    response = await world.sandbox.text(cast.ALICE, "hi")

    assert response.status_code == 500
    assert world.sandbox.state()["phones"][cast.ALICE][0]["status"] == "failed"
