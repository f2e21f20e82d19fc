"""Whoever is not Twilio, or does not write to our account, gets a refusal and never an error of ours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from adapters.sandbox.signing import twilio_signature
from tests.helpers.carriers import ACCOUNT, NUMBER, TOKEN
from tests.helpers.clock import Clock
from tests.helpers.rows import rows
from tests.helpers.texting import ALICE, Texting, texting

FORM = {"MessageSid": "SM1", "AccountSid": ACCOUNT, "From": ALICE, "To": NUMBER, "Body": "hello", "NumMedia": "0"}
SIGNED, ANNOUNCED = b"X-Twilio-Signature: ", b"X-Twilio-Webhooks-Signature-Settings: "
FORGED = b"Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n"


@pytest.fixture
async def phone(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Texting]:
    async with texting(database_url, tmp_path, clock) as made:
        yield made


def signature(phone: Texting, query: str = "", token: str = TOKEN) -> bytes:
    return twilio_signature(token, f"{phone.gateway.url}/sms/inbound{query}", FORM.items()).encode()


async def status(phone: Texting, headers: bytes, query: str = "") -> int:
    """Of a request written byte by byte, as no client of ours would."""
    body, there = urlencode(FORM).encode(), urlsplit(phone.gateway.url)
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    first = f"POST /sms/inbound{query} HTTP/1.1\r\nConnection: close\r\nContent-Length: {len(body)}\r\n".encode()
    writer.write(first + FORGED + headers + b"\r\n" + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ")[1])


async def test_only_one_plain_signature_opens_the_door(phone: Texting) -> None:
    right = SIGNED + signature(phone) + b"\r\n"
    wrong = {
        "no header": b"",
        "an empty one": SIGNED + b"\r\n",
        "twice": right * 2,
        "not ASCII": SIGNED + b"\xff\xfe\x80\r\n",
        "no base64": SIGNED + b"%%%\r\n",
        "cut": right[:-3] + b"\r\n",
        "another token's": SIGNED + signature(phone, token="another") + b"\r\n",
        "of another address": SIGNED + signature(phone, "?a=1") + b"\r\n",
        "an unknown announcement": right + ANNOUNCED + b"x\r\n",
        "one that is not ASCII": right + ANNOUNCED + b"\xff\r\n",
        "two announcements": right + (ANNOUNCED + b"key=x,algorithm=HMAC_SHA256\r\n") * 2,
        "a key that we do not have": right + ANNOUNCED + b"key=x,algorithm=HMAC_SHA256\r\n",
    }

    assert {name: await status(phone, headers) for name, headers in wrong.items()} == dict.fromkeys(wrong, 401)
    assert await rows(phone.store, "inbox") == []
    assert await status(phone, right) == 200, "whatever host the request names"


async def test_the_query_counts_as_it_was_sent(phone: Texting) -> None:
    for query in ("?a=%20b&c=+&d", "?%7e=%2F"):
        assert await status(phone, SIGNED + signature(phone, query) + b"\r\n", query) == 200
    assert await status(phone, SIGNED + signature(phone, "?a=~") + b"\r\n", "?a=%7e") == 401


async def test_another_account_and_a_sub_account_are_refused(phone: Texting) -> None:
    other = {"AccountSid": "AC" + "9" * 32}
    url = f"{phone.gateway.url}/sms/inbound"
    its_own = twilio_signature("token of the sub-account", url, (FORM | other).items())

    answers = [
        await phone.posts(FORM | other),
        await phone.posts(FORM | other, headers={"X-Twilio-Signature": its_own}),
        await phone.posts(FORM | other | {"MessageStatus": "sent"}, "/sms/status"),
    ]

    assert [answer.status_code for answer in answers] == [403, 401, 403]
    assert await rows(phone.store, "inbox") == []
