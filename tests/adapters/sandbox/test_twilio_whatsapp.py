"""WhatsApp in the sandbox's Twilio: twilio's own client, a template with buttons, and a phone that presses them."""

import json

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from adapters.sandbox import cast, twilio_templates
from adapters.sandbox.errors import NotInSandbox

pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

ALICE, OURS = f"whatsapp:{cast.ALICE}", f"whatsapp:{cast.OUR_NUMBER}"
FILLED = {"1": "issue_refund: amount=40", "2": "a:approve:00000000", "3": "a:deny:00000000"}
REQUEST = {"content_sid": twilio_templates.SID, "content_variables": json.dumps(FILLED)}


async def ended(world, status):
    """What stands on the phone, once it is so."""
    return await world.sandbox.until(
        lambda state: next((one for one in state["phones"].get(ALICE, [])[-1:] if one["status"] == status), None)
    )


async def test_a_request_is_shown_with_its_buttons_also_to_somebody_who_never_wrote(world):
    await world.twilio.messages.create_async(to=ALICE, from_=OURS, **REQUEST)

    shown = await ended(world, "delivered")

    assert shown["body"].startswith("A request waits for your decision: issue_refund: amount=40 Please")
    assert shown["buttons"] == [
        {"title": "Approve", "payload": FILLED["2"]},
        {"title": "Deny", "payload": FILLED["3"]},
    ]


async def test_words_reach_only_who_wrote_in_the_last_day(world):
    report = {"status_callback": f"{world.url}/sms/status"}
    await world.twilio.messages.create_async(to=ALICE, from_=OURS, body="hello", **report)
    assert (await ended(world, "failed"))["error"] == 63016
    reports = await world.gateway.wait_for(2, "/sms/status")
    assert [one.form.get("ErrorCode") for one in reports] == [None, "63016"]

    await world.sandbox.text(ALICE, "hi")
    await world.twilio.messages.create_async(to=ALICE, from_=OURS, body="hello", **report)
    await ended(world, "delivered")


async def test_a_press_is_told_as_twilio_tells_it(world):
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as http:
        sent = await world.twilio.messages.create_async(to=ALICE, from_=OURS, **REQUEST)
        tapping = {"number": ALICE, "sid": sent.sid, "title": "Deny"}
        answer = await http.post("/sandbox/api/tap", json=tapping, headers={"X-Sandbox": "1"})

    assert answer.json() == {"ok": True}
    form = world.gateway.at("/sms/inbound")[0].form
    assert (form["From"], form["To"], form["Body"]) == (ALICE, OURS, "Deny")
    assert (form["ButtonText"], form["ButtonPayload"], form["MessageType"]) == ("Deny", FILLED["3"], "button")
    assert form["WaId"] == cast.ALICE.removeprefix("+")


@pytest.mark.parametrize(
    ("number", "title"), [(cast.ALICE, "Deny"), (f"whatsapp:{cast.BOB}", "Deny"), (ALICE, "Maybe")]
)
async def test_nobody_presses_what_is_not_on_their_phone(world, number, title):
    sent = await world.twilio.messages.create_async(to=ALICE, from_=OURS, **REQUEST)

    with pytest.raises(NotInSandbox):
        await world.sandbox.tap(number, sent.sid, title)
    assert world.gateway.at("/sms/inbound") == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"to": "whatsapp:12", "body": "x"}, 21211),
        ({"to": cast.ALICE, "body": "x"}, 21910),
        ({"from_": cast.OUR_NUMBER, "body": "x"}, 21910),
        ({"from_": "whatsapp:+15559999999", "body": "x"}, 21606),
        ({"to": OURS, "body": "x"}, 21266),
        ({"content_sid": "HX" + "9" * 32}, 21655),
        ({"content_variables": "{}", "body": "x"}, 21654),
        ({"content_sid": twilio_templates.SID, "content_variables": "no JSON"}, 21656),
        ({"content_sid": twilio_templates.SID, "content_variables": json.dumps(FILLED | {"1": ""})}, 21656),
        ({"content_sid": twilio_templates.SID, "content_variables": json.dumps(FILLED | {"1": "a\nb"})}, 21656),
        ({"content_sid": twilio_templates.SID, "content_variables": json.dumps(FILLED | {"4": "x"})}, 21656),
        ({"content_sid": twilio_templates.SID, "content_variables": json.dumps(FILLED | {"1": "x" * 1000})}, 63021),
    ],
)
async def test_what_twilio_would_refuse_there_is_refused_with_its_code(world, message, code):
    with pytest.raises(TwilioRestException) as caught:
        await world.twilio.messages.create_async(**{"to": ALICE, "from_": OURS} | message)

    assert (caught.value.status, caught.value.code) == (400, code)
