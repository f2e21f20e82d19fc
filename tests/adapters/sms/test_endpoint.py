"""The real SMS adapter: Twilio's webhooks come in signed, and the real Twilio client sends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from adapters.sms.channel import SmsChannel
from adapters.sms.settings import SmsSettings
from gateway.errors import TryLater, Uncertain, Unknowable
from gateway.events import Delivery, DeliveryReported, Receipt, Say, ThreadRef
from gateway.ports import Added
from tests.adapters.doors import Call, HangsUp, OutsideSystem, RecordingDoor, nobody_listens
from tests.adapters.sms.test_inbound import ACCOUNT, ALICE, OURS, TEXT
from tests.adapters.sms.test_proof import BY_KEY, Pairs, by_key, signature

PUBLIC = "https://gateway.example"
CREATE = f"2010-04-01/Accounts/{ACCOUNT}/Messages.json"
HELLO = Say(to=ThreadRef("sms", OURS, ALICE), text="On its way.", ref="out-1")
REPORT = {"MessageSid": "SM2", "AccountSid": ACCOUNT, "MessageStatus": "delivered"}


def settings(**changes: str) -> SmsSettings:
    return SmsSettings.model_validate({"account_sid": ACCOUNT, "auth_token": "token", "from": OURS} | changes)


@asynccontextmanager
async def sms(public_url: str = PUBLIC, **changes: str) -> AsyncIterator[SmsChannel]:
    channel = SmsChannel(settings(**changes), public_url=lambda: public_url)
    try:
        yield channel
    finally:
        await channel.aclose()


class TwilioSide:
    """What Twilio does to us: it signs a form and posts it, to the address people see."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def posts(
        self, path: str, form: dict[str, str] | Pairs, *, public: str = PUBLIC, token: str = "token"
    ) -> httpx.Response:
        pairs = [*form.items()] if isinstance(form, dict) else form
        said = signature(pairs, url=public + path, token=token)
        return await self.sends(path, urlencode(pairs).encode(), {"X-Twilio-Signature": said})

    async def sends(
        self, path: str, body: bytes, headers: dict[str, str] | list[tuple[str, str]] | None = None
    ) -> httpx.Response:
        said = [*headers.items()] if isinstance(headers, dict) else headers or []
        if "Content-Type" not in dict(said):
            said = [("Content-Type", "application/x-www-form-urlencoded"), *said]
        raw = [(name.encode(), value.encode("latin-1")) for name, value in said]
        return await self._http.post(path, content=body, headers=raw)


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@asynccontextmanager
async def side_of(channel: SmsChannel, door: RecordingDoor) -> AsyncIterator[TwilioSide]:
    transport = httpx.ASGITransport(Starlette(routes=list(channel.routes(door))), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:5000") as http:
        yield TwilioSide(http)


@pytest.fixture
async def twilio_side(door: RecordingDoor) -> AsyncIterator[TwilioSide]:
    async with sms() as channel, side_of(channel, door) as side:
        yield side


# --- in ----------------------------------------------------------------------------------------------------


async def test_alices_text_is_kept_and_answered_with_nothing(twilio_side: TwilioSide, door: RecordingDoor) -> None:
    answer = await twilio_side.posts("/sms/inbound", TEXT)

    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")
    assert [(event.event_id, event.text) for event in door.inbox.kept] == [("SM1", "hello")]


@pytest.mark.parametrize("added", Added)
async def test_whatever_became_of_it_twilio_gets_the_same_answer(
    added: Added, twilio_side: TwilioSide, door: RecordingDoor
) -> None:
    door.inbox.says = added

    answer = await twilio_side.posts("/sms/inbound", TEXT)

    assert (answer.status_code, answer.text) == (200, "<Response/>")


@pytest.mark.parametrize(("path", "form"), [("/sms/inbound", TEXT), ("/sms/status", REPORT)])
async def test_what_cannot_be_kept_is_not_acknowledged(
    path: str, form: dict[str, str], twilio_side: TwilioSide, door: RecordingDoor
) -> None:
    door.inbox.fails = RuntimeError("the disk is full")

    answer = await twilio_side.posts(path, form)

    assert answer.status_code == 500
    assert "disk" not in answer.text


async def test_a_report_is_noted(twilio_side: TwilioSide, door: RecordingDoor) -> None:
    answer = await twilio_side.posts("/sms/status", REPORT)

    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert door.inbox.reports == [DeliveryReported(channel="sms", provider_id="SM2", state=Delivery.DELIVERED)]


@pytest.mark.parametrize(
    "public",
    [
        PUBLIC,
        f"{PUBLIC}/",
        f"{PUBLIC}/behind/a/path/",
        "https://gateway.example:8443",
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
    ],
)
@pytest.mark.parametrize("query", ["", "?tag=a%20b&x=1", "?b=+&a=%2f&a=/", "?tag", "?%FF%zz=[", "?foo=1&bar=2#not"])
async def test_the_signature_is_over_the_address_people_see(public: str, query: str, door: RecordingDoor) -> None:
    query = query.partition("#")[0]
    async with sms(public) as channel, side_of(channel, door) as side:
        answer = await side.posts(f"/sms/inbound{query}", TEXT, public=public.rstrip("/"))

    assert answer.status_code == 200


async def test_a_signature_over_the_address_of_the_dyno_is_refused(
    twilio_side: TwilioSide, door: RecordingDoor
) -> None:
    answer = await twilio_side.posts("/sms/inbound", TEXT, public="http://10.0.0.7:5000")

    assert answer.status_code == 401
    assert door.inbox.kept == []


async def test_during_a_rotation_both_tokens_count(door: RecordingDoor) -> None:
    async with sms(auth_token="new, old") as channel, side_of(channel, door) as side:
        answers = [await side.posts("/sms/inbound", TEXT, token=token) for token in ("new", "old", "older")]

    assert [answer.status_code for answer in answers] == [200, 200, 401]


async def test_a_shared_key_proves_where_one_is_announced(door: RecordingDoor) -> None:
    said = [("X-Twilio-Signature", by_key([*TEXT.items()])), ("X-Twilio-Webhooks-Signature-Settings", BY_KEY)]
    body = urlencode(TEXT).encode()

    async with sms() as channel, side_of(channel, door) as side:
        without = await side.sends("/sms/inbound", body, said)
    async with sms(shared_key="new,shared") as channel, side_of(channel, door) as side:
        answers = [without, await side.sends("/sms/inbound", body, said), await side.posts("/sms/inbound", TEXT)]

    assert [answer.status_code for answer in answers] == [401, 200, 200]


@pytest.mark.parametrize("path", ["/sms/inbound", "/sms/status"])
async def test_json_is_refused_with_a_reason(path: str, twilio_side: TwilioSide) -> None:
    path = f"{path}?bodySHA256={sha256(b'{}').hexdigest()}"
    said = {"X-Twilio-Signature": signature([], url=PUBLIC + path), "Content-Type": "application/json"}

    answers = [await twilio_side.sends(path, body, said) for body in (b"{}", b"[]")]

    assert [answer.status_code for answer in answers] == [400, 401]
    assert "sent as a form" in answers[0].text


@pytest.mark.parametrize("path", ["/sms/inbound", "/sms/status"])
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (urlencode(TEXT).encode(), {}, 401),
        (urlencode(TEXT).encode(), {"X-Twilio-Signature": ""}, 401),
        (urlencode(TEXT).encode(), {"X-Twilio-Signature": "AAAA"}, 401),
        (urlencode(TEXT).encode(), {"X-Twilio-Signature": "\xe9"}, 401),
        (urlencode(TEXT).encode(), [("X-Twilio-Signature", signature([*TEXT.items()]))] * 2, 401),
        (b"", {}, 401),
        (b'{"a": 1}', {"X-Twilio-Signature": "AAAA"}, 401),
        (b"\xff\xfe", {"X-Twilio-Signature": "AAAA"}, 400),
        (b"a=1&" * 600, {"X-Twilio-Signature": "AAAA"}, 400),
        (b"x" * (256 * 1024 + 1), {}, 413),
        (b"[" * 100_000, {"X-Twilio-Signature": "AAAA"}, 401),
    ],
)
async def test_what_twilio_did_not_sign_is_refused(
    path: str,
    body: bytes,
    headers: dict[str, str] | list[tuple[str, str]],
    status: int,
    twilio_side: TwilioSide,
    door: RecordingDoor,
) -> None:
    answer = await twilio_side.sends(path, body, headers)

    assert answer.status_code == status
    assert (door.inbox.kept, door.inbox.reports) == ([], [])


async def test_another_account_is_refused(twilio_side: TwilioSide, door: RecordingDoor) -> None:
    answer = await twilio_side.posts("/sms/inbound", TEXT | {"AccountSid": "AC9"})

    assert answer.status_code == 403
    assert door.inbox.kept == []


async def test_a_signed_form_that_is_no_text_is_unreadable(twilio_side: TwilioSide) -> None:
    assert (await twilio_side.posts("/sms/inbound", {"AccountSid": ACCOUNT})).status_code == 400
    assert (await twilio_side.posts("/sms/status", {"AccountSid": ACCOUNT})).status_code == 400


# --- out ---------------------------------------------------------------------------------------------------


class FakeTwilio(OutsideSystem):
    def usual(self, call: Call) -> Response:
        return JSONResponse({"sid": "SM77", "status": "queued"}, status_code=201)


@pytest.fixture
async def twilio() -> AsyncIterator[FakeTwilio]:
    fake = FakeTwilio()
    async with fake.open():
        yield fake


async def test_a_text_goes_out_with_the_address_for_its_reports(twilio: FakeTwilio) -> None:
    async with sms(f"{PUBLIC}/", api_url=f"{twilio.base}/") as channel:
        receipt = await channel.send(HELLO)

    assert receipt == Receipt(provider_id="SM77")
    assert twilio.told(CREATE) == [
        {"To": ALICE, "From": OURS, "Body": "On its way.", "StatusCallback": f"{PUBLIC}/sms/status"}
    ]
    assert twilio.calls[0].authorization.startswith("Basic ")


@pytest.mark.parametrize(
    ("sender", "account", "sent_from"),
    [
        (OURS, "", {"From": OURS}),
        (OURS, "+15005550142", {"From": "+15005550142"}),
        ("MG1", "MG1", {"MessagingServiceSid": "MG1"}),
        ("MG1", "", {"MessagingServiceSid": "MG1"}),
        ("MG1", OURS, {"From": OURS}),
    ],
)
async def test_a_text_comes_from_the_account_it_answers_for(
    sender: str, account: str, sent_from: dict[str, str], twilio: FakeTwilio
) -> None:
    async with sms(api_url=twilio.base, **{"from": sender}) as channel:
        await channel.send(Say(to=ThreadRef("sms", account, ALICE), text="hi"))

    (told,) = twilio.told(CREATE)
    assert {name: told[name] for name in ("From", "MessagingServiceSid") if name in told} == sent_from


@pytest.mark.parametrize("body", [{}, {"sid": None}, {"sid": ""}])
async def test_an_answer_without_a_sid_is_uncertain(body: dict[str, Any], twilio: FakeTwilio) -> None:
    twilio.will_answer(CREATE, body, 201)

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(Uncertain):
            await channel.send(HELLO)


@pytest.mark.parametrize(("status", "meaning"), [(201, Uncertain), (502, Uncertain)])
async def test_a_page_of_a_proxy_in_between_is_uncertain(
    status: int, meaning: type[Exception], twilio: FakeTwilio
) -> None:
    twilio.will_answer(CREATE, Response("<html>Bad gateway</html>", status_code=status))

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(meaning):
            await channel.send(HELLO)


async def test_a_twilio_that_cannot_be_reached_is_tried_later() -> None:
    async with sms(api_url=nobody_listens()) as channel:
        with pytest.raises(TryLater):
            await channel.send(HELLO)


async def test_a_lost_answer_is_uncertain_and_not_sent_again() -> None:
    twilio = HangsUp()

    async with twilio.open(), sms(api_url=twilio.base) as channel:
        with pytest.raises(Uncertain):
            await channel.send(HELLO)

    assert twilio.requests == 1


async def test_a_text_nobody_knows_the_time_of_cannot_be_looked_up() -> None:
    async with sms() as channel:
        with pytest.raises(Unknowable):
            await channel.find(HELLO)


async def test_everything_for_one_number_waits_in_one_lane() -> None:
    async with sms() as channel:
        assert channel.lane(HELLO.to) == f"sms:{ALICE}"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("account_sid", "SK1"),
        ("account_sid", ""),
        ("auth_token", ""),
        ("auth_token", " , "),
        ("shared_key", " ,"),
        ("from", ""),
    ],
)
def test_settings_that_cannot_work_are_refused(word: str, value: str) -> None:
    with pytest.raises(ValueError, match=word):
        settings(**{word: value})
