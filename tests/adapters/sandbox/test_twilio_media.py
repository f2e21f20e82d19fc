"""Pictures on the sandbox's phone: told of in the webhook, listed and fetched as Twilio's are."""

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException

from adapters.sandbox import cast
from adapters.sandbox.errors import NotAllowedByClient
from adapters.sandbox.pictures import Picture
from tests.adapters.sandbox.conftest import ACCOUNT, AUTH_TOKEN

# twilio 9.13 still logs in the way aiohttp 3.14 deprecates.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

CAT, NOTE = Picture(b"\x89PNG cat", "image/png"), Picture(b"hello", "text/plain")


@pytest.fixture
async def http():
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        yield client


async def sent(world, *pictures: Picture, body: str = "") -> dict[str, str]:
    await world.sandbox.text(cast.ALICE, body, pictures=pictures)
    return world.gateway.at("/sms/inbound")[-1].form


async def test_a_picture_without_words_is_told_of_as_twilio_does(world):
    form = await sent(world, CAT, NOTE)

    assert (form["Body"], form["NumMedia"], form["MessageSid"][:2]) == ("", "2", "MM")
    assert (form["MediaContentType0"], form["MediaContentType1"]) == ("image/png", "text/plain")
    assert form["MediaUrl0"].startswith(f"{world.url}/sandbox/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages/MM")


async def test_its_bytes_are_behind_a_redirect_that_needs_no_credentials(world, http):
    form = await sent(world, CAT)

    refused = await http.get(form["MediaUrl0"])
    redirect = await http.get(form["MediaUrl0"], auth=(ACCOUNT, AUTH_TOKEN))
    picture = await http.get(redirect.headers["location"])

    assert (refused.status_code, redirect.status_code, picture.status_code) == (401, 307, 200)
    assert (picture.content, picture.headers["content-type"]) == (CAT.data, CAT.mime_type)
    assert "sandbox" in picture.headers["content-security-policy"]
    assert (await http.get(redirect.headers["location"] + "0")).status_code == 404


async def test_the_real_client_lists_and_deletes_what_a_text_carries(world, http):
    form = await sent(world, CAT, NOTE)
    of_text = world.twilio.messages(form["MessageSid"])
    listed = await of_text.media.list_async()
    one = await of_text.media(listed[0].sid).fetch_async()

    assert [(row.content_type, row.parent_sid) for row in listed] == [
        ("image/png", form["MessageSid"]),
        ("text/plain", form["MessageSid"]),
    ]
    assert one.uri == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{form['MessageSid']}/Media/{one.sid}.json"
    assert (await of_text.fetch_async()).num_media == "2"

    assert await of_text.media(one.sid).delete_async()
    assert (await http.get(form["MediaUrl0"], auth=(ACCOUNT, AUTH_TOKEN))).status_code == 404
    with pytest.raises(TwilioRestException) as caught:
        await of_text.media(one.sid).fetch_async()
    assert (caught.value.status, caught.value.code) == (404, 20404)


async def test_more_than_a_text_can_carry_is_not_sent(world):
    with pytest.raises(NotAllowedByClient):
        await sent(world, *[NOTE] * 11)
    with pytest.raises(NotAllowedByClient):
        await sent(world, Picture(b"x" * (5 * 1024 * 1024 + 1)))

    assert world.gateway.got == []
    assert world.sandbox.state()["phones"][cast.ALICE] == []
