"""Did an uncertain text go out? Twilio's list of messages, read by the real client, says."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from gateway.errors import TryLater, Unknowable
from gateway.events import Receipt, Say
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
        assert await channel.find(TEXT) == Receipt(provider_id="SM2", segments=1)
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


# --- whose text it is ------------------------------------------------------------------------------------------


def entry(sid: str | None, **fields: Any) -> dict[str, Any]:
    """One of Twilio's list, made just after our try; times are given as minutes after it."""
    made, sent = (fields.pop(name, 0) for name in ("made", "sent"))
    dates = {"date_created": made, "date_sent": sent}
    shown = {name: None if at is None else format_datetime(TRIED + timedelta(minutes=at)) for name, at in dates.items()}
    usual = {"account_sid": ACCOUNT, "to": ALICE, "from": OURS, "status": "sent", "body": TEXT.text, "sid": sid}
    return usual | {"messaging_service_sid": None, "num_segments": "1"} | shown | fields


def pages(twilio: OutsideSystem, *several: list[dict[str, Any]]) -> None:
    for number, messages in enumerate(several):
        after = f"/{CREATE}?Page={number + 1}" if number + 1 < len(several) else None
        twilio.will_answer(CREATE, {"messages": messages, "next_page_uri": after, "page": number, "page_size": 100})


async def found(twilio: OutsideSystem, text: Say = TEXT, **changes: str) -> str | None:
    async with sms(api_url=twilio.base, **changes) as channel:
        receipt = await channel.find(text)
    return receipt and receipt.provider_id


@pytest.mark.parametrize(
    ("fields", "ours"),
    [
        ({}, True),
        ({"from": "+15005550142"}, False),
        ({"from": ALICE, "to": OURS, "direction": "inbound"}, False),
        ({"messaging_service_sid": "MG1"}, True),
        ({"from": None}, False),
        ({"body": "On its way"}, False),
        ({"body": None}, False),
        ({"sid": None}, False),
        ({"made": None, "sent": 1}, True),
        ({"made": 1, "sent": None}, True),
        ({"made": None, "sent": None}, False),
        ({"made": -4}, True),
        ({"made": -6, "sent": 1}, False),
        ({"status": "failed"}, True),
    ],
)
async def test_a_text_is_ours_by_its_sender_words_and_time(
    fields: dict[str, Any], ours: bool, twilio: OutsideSystem
) -> None:
    pages(twilio, [entry(**({"sid": "SM1"} | fields))])

    assert await found(twilio) == ("SM1" if ours else None)


async def test_a_service_is_known_by_its_id_whatever_number_it_chose(twilio: OutsideSystem) -> None:
    text = replace(TEXT, to=replace(TEXT.to, account="MG1"))
    pages(twilio, [entry("SM2"), entry("SM1", **{"from": None, "messaging_service_sid": "MG1"})])

    assert await found(twilio, text) == "SM1"


async def test_without_an_account_it_is_looked_for_under_the_sender_that_is_configured(twilio: OutsideSystem) -> None:
    text = replace(TEXT, to=replace(TEXT.to, account=""))
    pages(twilio, [entry("SM2", **{"from": "+15005550142"}), entry("SM1")])

    assert await found(twilio, text) == "SM1"


async def test_one_part_of_a_long_reply_is_not_taken_for_another(twilio: OutsideSystem) -> None:
    pages(twilio, [entry("SM2", body="(2/3) and so on"), entry("SM1", body="(1/3) and so on")])

    assert await found(twilio, replace(TEXT, text="(1/3) and so on")) == "SM1"


async def test_of_equal_words_sent_twice_the_later_one_is_meant(twilio: OutsideSystem) -> None:
    """The outbox knows the earlier one by its receipt."""
    pages(twilio, [entry("SM1", made=1), entry("SM3", made=3), entry("SM2", made=2)])

    assert await found(twilio) == "SM3"


# --- a long list -----------------------------------------------------------------------------------------------


async def test_a_text_behind_many_newer_ones_is_found(twilio: OutsideSystem) -> None:
    newer = [[entry(f"SM{page}-{number}", body="newer", sent=9) for number in range(100)] for page in range(3)]
    pages(twilio, *newer, [entry("SM1")])

    assert await found(twilio) == "SM1"
    assert len(twilio.calls) == 4


async def test_what_was_sent_before_the_try_is_not_read_on(twilio: OutsideSystem) -> None:
    pages(twilio, [entry("SM3", body="newer", sent=1), entry("SM2", body="old", made=-60, sent=-60)], [entry("SM1")])

    assert await found(twilio) is None
    assert len(twilio.calls) == 1


async def test_a_text_that_waits_at_twilio_has_no_date_of_sending_and_is_found(twilio: OutsideSystem) -> None:
    pages(twilio, [entry("SM2", body="queued too", sent=None), entry("SM1", sent=None, status="queued")])

    assert await found(twilio) == "SM1"
    assert set(twilio.calls[0].told) == {"To", "PageSize"}


async def test_a_list_with_no_end_tells_nothing(twilio: OutsideSystem) -> None:
    pages(twilio, *([entry(f"SM{number}", body="newer", sent=9) for number in range(100)] for _ in range(11)))

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(Unknowable, match="1000"):
            await channel.find(TEXT)
    assert len(twilio.calls) == 10


async def test_a_later_page_that_does_not_come_is_asked_for_again_later(twilio: OutsideSystem) -> None:
    after = f"/{CREATE}?Page=1"
    twilio.will_answer(CREATE, {"messages": [entry("SM2", body="x")], "next_page_uri": after, "page": 0})
    twilio.will_answer(CREATE, {"code": 20429, "message": "busy"}, status=429)

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(TryLater):
            await channel.find(TEXT)
