"""A file of a text is downloaded with our credentials from Twilio's API alone; what goes wrong has its word."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from starlette.responses import RedirectResponse, Response, StreamingResponse

from adapters.sms.channel import SmsChannel
from adapters.sms.kinds import name_of
from adapters.sms.media import ANOTHER_KIND, ELSEWHERE, FORBIDDEN, GONE
from adapters.sms.places import Places
from gateway.errors import FileTooLarge, GiveUp, KeyRefused, TryLater
from gateway.events import MediaRef, ThreadRef
from gateway.ports import Blob
from tests.adapters.doors import HangsUp, OutsideSystem, nobody_listens
from tests.adapters.sms.test_endpoint import sms
from tests.adapters.sms.test_inbound import ACCOUNT, ALICE, OURS

MESSAGES = f"2010-04-01/Accounts/{ACCOUNT}/Messages"
FILE = f"{MESSAGES}/MM4/Media/ME4"
THREAD = ThreadRef("sms", OURS, ALICE)
PICTURE = MediaRef(where=f"https://api.twilio.com/{FILE}", mime_type="image/jpeg")
DATA = b"\xff\xd8 a picture"
OURS_ALONE = "Basic " + b64encode(f"{ACCOUNT}:new".encode()).decode()


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


@pytest.fixture
async def cdn() -> AsyncIterator[OutsideSystem]:
    cdn = OutsideSystem()
    async with cdn.open():
        yield cdn


@pytest.fixture
async def channel(twilio: OutsideSystem) -> AsyncIterator[SmsChannel]:
    async with sms(api_url=twilio.base, auth_token="new,old") as channel:
        yield channel


def picture(data: bytes = DATA, kind: str = "image/jpeg", **more: Any) -> Response:
    return Response(data, media_type=kind, **more)


async def fetch(channel: SmsChannel, media: MediaRef = PICTURE, most: int = 1_000_000) -> Blob:
    return await channel.fetch(media, THREAD, most=most)


async def test_a_picture_is_fetched_with_the_accounts_credentials(channel: SmsChannel, twilio: OutsideSystem) -> None:
    twilio.will_answer(FILE, picture())

    assert await fetch(channel) == Blob(DATA, "image/jpeg", "picture.jpg")
    assert [call.authorization for call in twilio.calls] == [OURS_ALONE]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_where_twilio_sends_us_the_credentials_do_not_go(
    channel: SmsChannel, twilio: OutsideSystem, cdn: OutsideSystem, status: int
) -> None:
    signed = "/ME4?Signature=a%2Fb+c%3D&Expires=1&x=%7e"
    twilio.will_answer(FILE, Response(status_code=status, headers={"Location": cdn.base + signed}))
    cdn.will_answer("ME4", Response(status_code=302, headers={"Location": "/more"}))
    cdn.will_answer("more", picture(kind="binary/octet-stream"))

    assert await fetch(channel) == Blob(DATA, "image/jpeg", "picture.jpg")
    assert [call.authorization for call in (*twilio.calls, *cdn.calls)] == [OURS_ALONE, "", ""]
    assert cdn.told("ME4") == [{"Signature": "a/b c=", "Expires": "1", "x": "~"}]


async def test_a_redirect_back_to_twilio_has_no_credentials_either(channel: SmsChannel, twilio: OutsideSystem) -> None:
    twilio.will_answer(FILE, RedirectResponse(f"{twilio.base}/elsewhere"))
    twilio.will_answer("elsewhere", picture())

    assert (await fetch(channel)).data == DATA
    assert [call.authorization for call in twilio.calls] == [OURS_ALONE, ""]


async def test_three_redirects_are_followed_and_no_fourth(
    channel: SmsChannel, twilio: OutsideSystem, cdn: OutsideSystem
) -> None:
    for last in (3, 4):
        twilio.will_answer(FILE, RedirectResponse(f"{cdn.base}/1"))
        for hop in range(1, last):
            cdn.will_answer(str(hop), RedirectResponse(f"{cdn.base}/{hop + 1}"))
        cdn.will_answer(str(last), picture())

    assert (await fetch(channel)).data == DATA
    with pytest.raises(GiveUp, match=ELSEWHERE):
        await fetch(channel)
    assert cdn.told("4") == []


@pytest.mark.parametrize(
    "where",
    [
        "",
        "https://api.twilio.com",
        "http://api.twilio.com/" + FILE,
        "https://api.twilio.com:8443/" + FILE,
        "https://api.twilio.com.evil.example/" + FILE,
        "https://evil.example/" + FILE,
        "https://x@api.twilio.com/" + FILE,
        "https://api.twilio.com@evil.example/" + FILE,
        "https://media.twiliocdn.com/" + FILE,
        "//api.twilio.com/" + FILE,
        "file:///etc/passwd",
        "https://api.twilio.com/" + FILE.replace(ACCOUNT, "AC99999999999999999999999999999999"),
        "https://api.twilio.com/" + FILE + "/../../../../AC9/Messages/MM4/Media/ME4",
        "https://api.twilio.com/" + FILE + "?x=1",
        "https://api.twilio.com/" + FILE + ".json",
        "https://api.twilio.com/" + FILE.replace("/MM4", "/%2e%2e"),
        f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}.json",
        f"https://api.twilio.com/{MESSAGES}/MM4/Media",
        "https://[api.twilio.com/" + FILE,
        "https://api.twilio.com:0/" + FILE,
        "https://api.twilio.com/" + FILE + "\r\nX: y",
        f"/{MESSAGES.replace(ACCOUNT, 'AC9')}/MM4.json#0",
    ],
)
async def test_nothing_else_is_asked_for(channel: SmsChannel, twilio: OutsideSystem, where: str) -> None:
    with pytest.raises(GiveUp, match=ELSEWHERE):
        await fetch(channel, MediaRef(where=where, mime_type="image/jpeg"))
    assert twilio.calls == []


@pytest.mark.parametrize("below", ["", "/behind/a/path"])
async def test_media_may_be_named_at_the_other_address_of_the_api(twilio: OutsideSystem, below: str) -> None:
    twilio.will_answer(f"{below}/{FILE}".lstrip("/"), picture())
    async with sms(api_url=f"{twilio.base}{below}/") as channel:
        got = await fetch(channel, MediaRef(where=f"{twilio.base}{below}/{FILE}", mime_type="image/jpeg"))

    assert got.data == DATA


@pytest.mark.parametrize(
    "url",
    [
        "https://media.twiliocdn.com/x",
        "https://s3-external-1.amazonaws.com/media.twiliocdn.com/x?Signature=y",
        "https://93.184.215.14/x",
        "https://[2606:4700::1111]/x",
        "https://api.twilio.com/x",
    ],
)
def test_a_redirect_into_the_world_may_be_followed(url: str) -> None:
    assert Places(ACCOUNT, "").may_follow(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/x",
        "http://media.twiliocdn.com/x",
        "ftp://media.twiliocdn.com/x",
        "https://localhost/x",
        "https://LOCALHOST./x",
        "https://a.localhost/x",
        "https://database/x",
        "https://db.internal/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://127.0.0.0x1/x",
        "https://0.0.0.0/x",
        "https://10.1.2.3/x",
        "https://192.168.0.1/x",
        "https://172.16.0.1/x",
        "https://100.64.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://224.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[::ffff:a9fe:a9fe]/x",
        "https://[fe80::1%25eth0]/x",
        "https://[fd00::1]/x",
        "https://me:secret@media.twiliocdn.com/x",
        "https://media.twiliocdn.com/a b",
        "https://media.twiliocdn.com/é",
        "https://[media.twiliocdn.com/x",
    ],
)
def test_a_redirect_to_what_stands_beside_us_is_not_followed(url: str) -> None:
    assert not Places(ACCOUNT, "").may_follow(url)
    assert not Places(ACCOUNT, "https://twilio.example").may_follow(url)


@settings(deadline=None)
@given(where=st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,30}/" + FILE))
def test_whatever_a_text_says_only_a_file_of_our_account_is_asked_for(where: str) -> None:
    places = Places(ACCOUNT, "http://127.0.0.1:9001/below")
    path = places.path_of(where)

    assert path is None or (
        f"/{FILE}" in path and where.lower().startswith(("https://api.twilio.com", "http://127.0.0.1:9001/"))
    )
    places.listed(where)
    places.may_follow(where)


def test_without_encryption_only_where_the_api_is_on_this_machine() -> None:
    assert Places(ACCOUNT, "http://127.0.0.1:9001").may_follow("http://127.0.0.1:9002/x")
    assert not Places(ACCOUNT, "http://127.0.0.1:9001").may_follow("http://10.0.0.1/x")
    assert not Places(ACCOUNT, "http://twilio.example").may_follow("http://twilio.example/x")


async def test_a_forbidden_redirect_is_not_asked_for(
    channel: SmsChannel, twilio: OutsideSystem, cdn: OutsideSystem
) -> None:
    for location in (cdn.base.replace("127.0.0.1", "localhost") + "/x", "http://[bad", "ftp://x.example/"):
        twilio.will_answer(FILE, Response(status_code=307, headers={"Location": location}))

        with pytest.raises(GiveUp):
            await fetch(channel)
    assert cdn.calls == []


@pytest.mark.parametrize(
    ("status", "raised", "why"),
    [
        (404, GiveUp, GONE),
        (410, GiveUp, GONE),
        (401, KeyRefused, "SMS__AUTH_TOKEN"),
        (403, GiveUp, FORBIDDEN),
        (400, GiveUp, FORBIDDEN),
        (204, GiveUp, FORBIDDEN),
        (429, TryLater, "429"),
        (500, TryLater, "500"),
        (503, TryLater, "503"),
    ],
)
async def test_what_twilio_gives_instead_is_told(
    channel: SmsChannel, twilio: OutsideSystem, status: int, raised: type[Exception], why: str
) -> None:
    twilio.will_answer(FILE, Response(status_code=status, headers={"Retry-After": "7"}))

    with pytest.raises(raised, match=why) as told:
        await fetch(channel)
    assert getattr(told.value, "retry_after", None) == (7.0 if status in (429, 500, 503) else None)


async def test_where_we_come_without_a_key_no_key_is_refused(
    channel: SmsChannel, twilio: OutsideSystem, cdn: OutsideSystem
) -> None:
    twilio.will_answer(FILE, RedirectResponse(f"{cdn.base}/x"))
    cdn.will_answer("x", Response(status_code=401))

    with pytest.raises(GiveUp, match=FORBIDDEN):
        await fetch(channel)


async def test_while_twilio_is_away_it_is_tried_later() -> None:
    async with sms(api_url=nobody_listens()) as channel:
        with pytest.raises(TryLater):
            await fetch(channel)
        with pytest.raises(TryLater):
            await fetch(channel, MediaRef(where=f"/{MESSAGES}/MM4.json#0"))
    twilio = HangsUp()
    async with twilio.open(), sms(api_url=twilio.base) as channel:
        with pytest.raises(TryLater):
            await fetch(channel)


# --- size and kind -----------------------------------------------------------------------------------------


async def test_no_more_than_is_wanted_is_taken(channel: SmsChannel, twilio: OutsideSystem) -> None:
    served = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal served
        while served < 1000:
            served += 1
            yield b"x" * 65_536
            await asyncio.sleep(0)

    twilio.will_answer(FILE, picture())
    with pytest.raises(FileTooLarge):
        await fetch(channel, most=len(DATA) - 1)
    twilio.will_answer(FILE, StreamingResponse(endless(), media_type="image/jpeg"))
    with pytest.raises(FileTooLarge):
        await fetch(channel, most=100_000)
    twilio.will_answer(FILE, picture())
    assert (await fetch(channel, most=len(DATA))).data == DATA
    assert served < 1000


@pytest.mark.parametrize(
    "kind",
    [
        "image/png",
        "audio/amr",
        "audio/ogg; codecs=opus",
        "video/3gpp",
        "text/plain; charset=utf-8",
        "text/vcard",
        "application/pdf",
        "application/vcard",
    ],
)
async def test_what_phones_send_is_taken(channel: SmsChannel, twilio: OutsideSystem, kind: str) -> None:
    twilio.will_answer(FILE, Response(DATA, headers={"Content-Type": kind}))

    got = await fetch(channel, MediaRef(where=PICTURE.where, mime_type=kind))

    assert got.mime_type == kind.partition(";")[0]
    assert got.name == name_of(kind) != ""


@pytest.mark.parametrize("kind", ["application/zip", "application/x-msdownload", "application/smil", "font/woff"])
async def test_other_kinds_are_not_even_asked_for(channel: SmsChannel, twilio: OutsideSystem, kind: str) -> None:
    with pytest.raises(GiveUp, match=ANOTHER_KIND):
        await fetch(channel, MediaRef(where=PICTURE.where, mime_type=kind))
    assert twilio.calls == []


@pytest.mark.parametrize(
    ("said", "answered", "taken"),
    [
        ("image/jpeg", "image/png", "image/png"),
        ("image/jpeg", "application/octet-stream", "image/jpeg"),
        ("image/jpeg", "", "image/jpeg"),
        ("application/octet-stream", "image/png", "image/png"),
        ("", "text/html", "text/html"),
        ("text/html", "text/html", "text/html"),
        ("image/jpeg", "text/html", ""),
        ("image/jpeg", "application/zip", ""),
        ("", "", ""),
        ("no type", "", ""),
    ],
)
async def test_a_file_is_of_the_kind_that_came(
    channel: SmsChannel, twilio: OutsideSystem, said: str, answered: str, taken: str
) -> None:
    twilio.will_answer(FILE, Response(DATA, headers={"Content-Type": answered} if answered else {}))
    media = MediaRef(where=PICTURE.where, mime_type=said)

    if taken:
        assert (await fetch(channel, media)).mime_type == taken
    else:
        with pytest.raises(GiveUp, match=ANOTHER_KIND):
            await fetch(channel, media)


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [
        ("image/jpeg", 1, "picture.jpg"),
        ("image/jpeg", 2, "picture-2.jpg"),
        ("IMAGE/PNG", 1, "picture.png"),
        ("image/svg+xml", 1, "picture.svg"),
        ("audio/mpeg", 1, "recording.mp3"),
        ("audio/amr", 1, "recording.amr"),
        ("video/mpeg", 1, "video.mpg"),
        ("video/quicktime", 3, "video-3.mov"),
        ("video/3gpp", 1, "video.3gp"),
        ("text/plain; charset=utf-8", 1, "text.txt"),
        ("text/x-vcard", 1, "contact.vcf"),
        ("application/pdf", 2, "document-2.pdf"),
        ("application/zip", 1, ""),
        ("image/../../x", 1, ""),
        ("", 1, ""),
    ],
)
def test_a_file_has_a_name_that_people_can_say(kind: str, number: int, name: str) -> None:
    assert name_of(kind, number) == name


# --- messages of Twilio's list -----------------------------------------------------------------------------

LISTED = f"{MESSAGES}/MM4/Media.json"


def media_list(*files: tuple[str, str]) -> dict[str, Any]:
    shown = [{"sid": sid, "content_type": kind, "uri": f"/{MESSAGES}/MM4/Media/{sid}.json"} for sid, kind in files]
    return {"media_list": shown, "next_page_uri": None, "page": 0, "page_size": 20}


async def test_a_file_of_a_listed_message_is_looked_up(channel: SmsChannel, twilio: OutsideSystem) -> None:
    files = ("ME5", "text/plain"), ("ME4", "image/jpeg")
    for _ in files:
        twilio.will_answer(LISTED, media_list(*files))
    twilio.will_answer(FILE, picture())
    twilio.will_answer(f"{MESSAGES}/MM4/Media/ME5", picture(b"words", "text/plain"))

    got = [await fetch(channel, MediaRef(where=f"/{MESSAGES}/MM4.json#{number}")) for number in (0, 1)]

    assert got == [Blob(DATA, "image/jpeg", "picture.jpg"), Blob(b"words", "text/plain", "text.txt")]
    assert {call.authorization for call in twilio.calls} == {OURS_ALONE}


@pytest.mark.parametrize(
    ("status", "body", "raised", "why"),
    [
        (200, media_list(), GiveUp, GONE),
        (404, {"code": 20404, "message": "no", "status": 404}, GiveUp, GONE),
        (403, {"code": 20003, "message": "no", "status": 403}, GiveUp, FORBIDDEN),
        (401, {"code": 20003, "message": "no", "status": 401}, KeyRefused, "SMS__AUTH_TOKEN"),
        (429, {"code": 20429, "message": "no", "status": 429}, TryLater, "at the moment"),
        (500, {"code": 20500, "message": "no", "status": 500}, TryLater, "at the moment"),
        (200, Response("<html>"), TryLater, "at the moment"),
    ],
)
async def test_what_the_look_up_gives_instead_is_told(
    channel: SmsChannel, twilio: OutsideSystem, status: int, body: Any, raised: type[Exception], why: str
) -> None:
    twilio.will_answer(LISTED, body, status)

    with pytest.raises(raised, match=why):
        await fetch(channel, MediaRef(where=f"/{MESSAGES}/MM4.json#0"))
