"""Did an uncertain text go out? Twilio's list of messages, read by the real client, says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from gateway.errors import TryLater, Unknowable
from gateway.events import Receipt
from tests.adapters.doors import OutsideSystem, nobody_listens
from tests.adapters.sms.test_endpoint import CREATE, HELLO, sms
from tests.adapters.sms.test_inbound import ACCOUNT, ALICE, OURS

TRIED = datetime(2026, 11, 21, 9, 0, 0, 500_000, tzinfo=UTC)
TEXT = replace(HELLO, queued_at=TRIED)


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


def listed(*texts: tuple[str, str, datetime]) -> dict[str, Any]:
    common = {"account_sid": ACCOUNT, "to": ALICE, "from": OURS, "status": "sent"}
    messages = [{"sid": sid, "body": body, "date_created": format_datetime(at), **common} for sid, body, at in texts]
    return {"messages": messages, "next_page_uri": None, "page": 0, "page_size": 50}


async def test_the_newest_text_with_these_words_is_the_one(twilio: OutsideSystem) -> None:
    words = TEXT.text
    twilio.will_answer(
        CREATE,
        listed(
            ("SM2", words, TRIED + timedelta(seconds=3)),
            ("SM1", words, TRIED + timedelta(seconds=1)),
            ("SM0", "Something else", TRIED + timedelta(seconds=4)),
        ),
    )

    async with sms(api_url=twilio.base) as channel:
        assert await channel.find(TEXT) == Receipt(provider_id="SM2")
    assert twilio.calls[0].told["To"] == ALICE


async def test_the_same_words_of_an_earlier_day_are_another_text(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, listed(("SM1", TEXT.text, TRIED - timedelta(days=1))))

    async with sms(api_url=twilio.base) as channel:
        assert await channel.find(TEXT) is None


async def test_a_list_that_cannot_be_read_tells_nothing(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, {"code": 20003, "message": "no"}, status=401)

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(Unknowable):
            await channel.find(TEXT)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_list_that_does_not_come_now_is_asked_for_later(twilio: OutsideSystem, status: int) -> None:
    twilio.will_answer(CREATE, {"code": 20429, "message": "busy"}, status=status)

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(TryLater):
            await channel.find(TEXT)


async def test_while_twilio_cannot_be_reached_a_look_waits() -> None:
    async with sms(api_url=nobody_listens()) as channel:
        with pytest.raises(TryLater):
            await channel.find(TEXT)
