"""What the account has at Twilio, as the real client reads it."""

import pytest
from twilio.base.exceptions import TwilioRestException

from adapters.sandbox import cast

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

SERVICE = "MG" + "b" * 32


async def test_our_number_calls_the_gateway(world):
    (number,) = await world.twilio.incoming_phone_numbers.list_async(phone_number=cast.OUR_NUMBER)

    assert (number.phone_number, number.sms_method) == (cast.OUR_NUMBER, "POST")
    assert number.sms_url.startswith(f"{world.url}/sms/inbound#")
    assert number.capabilities["sms"] is True
    assert await world.twilio.incoming_phone_numbers.list_async(phone_number="+4930123456") == []
    assert await world.twilio.short_codes.list_async() == []


async def test_somebody_sets_the_number_up_otherwise(world):
    world.sandbox.numbers.set("number", sms_url="https://elsewhere.example/sms", sms_method="GET")
    (number,) = await world.twilio.incoming_phone_numbers.list_async()
    world.sandbox.numbers.set("number", gone=True)

    assert (number.sms_url, number.sms_method) == ("https://elsewhere.example/sms", "GET")
    assert await world.twilio.incoming_phone_numbers.list_async() == []


async def test_a_short_code_is_among_short_codes(world):
    world.sandbox.settings.sms_from = "12345"
    (code,) = await world.twilio.short_codes.list_async(short_code="12345")

    assert (code.short_code, code.sms_method) == ("12345", "POST")
    assert await world.twilio.incoming_phone_numbers.list_async() == []
    assert (await world.twilio.messages.create_async(to=cast.ALICE, from_="12345", body="x")).from_ == "12345"


async def test_a_messaging_service_has_numbers_and_an_address(world):
    world.sandbox.settings.sms_from = SERVICE
    world.twilio.messaging.base_url = world.twilio.api.base_url
    service = await world.twilio.messaging.v1.services(SERVICE).fetch_async()
    (number,) = await world.twilio.messaging.v1.services(SERVICE).phone_numbers.list_async()

    assert (service.inbound_method, service.use_inbound_webhook_on_number) == ("POST", False)
    assert (number.phone_number, number.capabilities) == (cast.OUR_NUMBER, ["MMS", "SMS", "Voice"])
    assert await world.twilio.messaging.v1.services(SERVICE).short_codes.list_async() == []
    with pytest.raises(TwilioRestException) as caught:
        await world.twilio.messaging.v1.services("MG" + "c" * 32).fetch_async()
    assert (caught.value.status, caught.value.code) == (404, 20404)
