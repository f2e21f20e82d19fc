"""What `gateway doctor` learns of Twilio, from the real client, also when its answers are strange or it is away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import Response

from adapters.sms.channel import SmsChannel
from gateway.ports import Finding
from tests.adapters.doors import HangsUp, OutsideSystem, nobody_listens
from tests.adapters.sms.test_endpoint import PUBLIC, settings
from tests.adapters.sms.test_inbound import ACCOUNT, OURS

ACCOUNT_PAGE = f"2010-04-01/Accounts/{ACCOUNT}.json"
NUMBERS = f"2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
ACTIVE = {"sid": ACCOUNT, "status": "active", "type": "Full"}
MINE = {
    "phone_number": OURS,
    "capabilities": {"sms": True, "mms": True, "voice": True},
    "sms_url": f"{PUBLIC}/sms/inbound#rc=3&rp=all",
    "sms_method": "POST",
    "sms_fallback_url": f"{PUBLIC}/sms/inbound",
}


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


def a_page(name: str, *rows: dict[str, Any]) -> dict[str, Any]:
    return {name: list(rows), "next_page_uri": None, "page": 0, "page_size": 50}


async def found(base: str, ahead: timedelta = timedelta(), **changes: str) -> list[Finding]:
    changes = {"api_url": base, "auth_token": "t0ken-s3cret"} | changes
    channel = SmsChannel(settings(**changes), public_url=lambda: PUBLIC, clock=lambda: datetime.now(UTC) + ahead)
    try:
        return list(await channel.check())
    finally:
        await channel.aclose()


async def test_an_active_account_with_our_number_is_fine(twilio: OutsideSystem) -> None:
    twilio.will_answer(ACCOUNT_PAGE, ACTIVE)
    twilio.will_answer(NUMBERS, a_page("incoming_phone_numbers", MINE))

    there = await found(twilio.base)

    assert [(one.ok, one.what, one.advice) for one in there] == [
        (True, "sms: the Twilio account is active", ""),
        (True, "sms: its clock and ours agree", ""),
        (True, f"sms: {OURS} is in the account", ""),
        (True, f"sms: {OURS} takes texts and pictures", ""),
        (True, f"sms: {OURS} calls us", ""),
        (True, f"sms: {OURS} falls back to us", ""),
    ]
    assert twilio.told(NUMBERS)[0]["PhoneNumber"] == OURS


async def test_a_number_of_somebody_else_is_not_fine(twilio: OutsideSystem) -> None:
    twilio.will_answer(ACCOUNT_PAGE, ACTIVE)
    twilio.will_answer(NUMBERS, a_page("incoming_phone_numbers", MINE | {"phone_number": OURS + "9"}))

    *_, sender = await found(twilio.base)

    assert (sender.ok, sender.what, sender.advice) == (False, f"sms: {OURS} is not in the account", "see SMS__FROM")


async def test_credentials_that_are_refused_are_told_without_them(twilio: OutsideSystem) -> None:
    for page in (ACCOUNT_PAGE, NUMBERS):
        twilio.will_answer(page, {"code": 20003, "message": "Authenticate"}, status=401)

    (one,) = await found(twilio.base)

    assert not one.ok
    assert "20003" in one.what
    assert "SMS__AUTH_TOKEN" in one.advice
    assert "s3cret" not in str(one)


async def test_a_clock_that_is_wrong_is_not_fine(twilio: OutsideSystem) -> None:
    twilio.will_answer(ACCOUNT_PAGE, ACTIVE)
    twilio.will_answer(NUMBERS, a_page("incoming_phone_numbers", MINE))

    wrong = [one.what for one in await found(twilio.base, timedelta(seconds=-20)) if not one.ok]
    assert len(wrong) == 1
    assert "clock" in wrong[0]


async def test_an_answer_that_is_none_is_said_so(twilio: OutsideSystem) -> None:
    for page in (ACCOUNT_PAGE, NUMBERS):
        twilio.will_answer(page, Response("<html>of a proxy in between</html>"))

    (one,) = await found(twilio.base)

    assert (one.ok, one.what) == (False, "sms: Twilio's answer cannot be read")


async def test_a_twilio_that_is_away_is_said_so() -> None:
    hangs_up = HangsUp()
    async with hangs_up.open():
        found_there = [*await found(nobody_listens()), *await found(hangs_up.base)]

    assert [(one.ok, one.what) for one in found_there] == [(False, "sms: Twilio cannot be reached")] * 2
