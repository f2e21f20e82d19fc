"""Texts that met a closed door: Twilio calls a webhook once, and keeps them in its list of messages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from gateway.errors import TryLater
from gateway.events import Proof
from tests.adapters.doors import OutsideSystem, nobody_listens
from tests.adapters.sms.test_endpoint import CREATE, sms
from tests.adapters.sms.test_inbound import ACCOUNT, ALICE, OURS

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SINCE = NOON - timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


def came(sid: str, at: datetime, body: str = "Where is order A-1001?", **more: Any) -> dict[str, Any]:
    return text(sid, at, body, direction="inbound", **{"from": ALICE, "to": OURS}) | more


def sent(sid: str, at: datetime, body: str = "It is on its way.") -> dict[str, Any]:
    return text(sid, at, body, direction="outbound-api", **{"from": OURS, "to": ALICE})


def text(sid: str, at: datetime, body: str, **more: Any) -> dict[str, Any]:
    when = {"date_created": format_datetime(at), "date_sent": format_datetime(at)}
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json"
    return {"sid": sid, "body": body, "account_sid": ACCOUNT, "num_media": "0", "uri": uri, **when, **more}


def listed(*texts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(texts), "next_page_uri": None, "page": 0, "page_size": 1000}


async def test_a_missed_text_reads_as_its_webhook_would_have_told_it(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, listed(came("SM1", NOON - MINUTE)))

    async with sms(api_url=twilio.base) as channel:
        ((missed, _),) = [(one.event, one.followed_by) for one in await channel.missed(SINCE)]

    assert (missed.event_id, missed.message_id, missed.text) == ("SM1", "SM1", "Where is order A-1001?")
    assert (missed.thread.account, missed.thread.key) == (OURS, ALICE)
    assert (missed.sender.address, missed.sender.proof) == (ALICE, Proof.CARRIER)
    assert (missed.sent_at, missed.own_account) == (NOON - MINUTE, True)


async def test_what_came_is_told_oldest_first_and_what_we_sent_is_not_told(twilio: OutsideSystem) -> None:
    twilio.will_answer(
        CREATE, listed(came("SM3", NOON - MINUTE), sent("SM2", NOON - 2 * MINUTE), came("SM1", NOON - 3 * MINUTE))
    )

    async with sms(api_url=twilio.base) as channel:
        missed = await channel.missed(SINCE)

    assert [one.event.event_id for one in missed] == ["SM1", "SM3"]


async def test_a_missed_text_names_what_was_sent_to_that_person_after_it(twilio: OutsideSystem) -> None:
    twilio.will_answer(
        CREATE,
        listed(
            came("SM4", NOON - 20 * MINUTE, **{"from": "+15550003333"}),
            came("SM3", NOON - 25 * MINUTE),
            sent("SM2", NOON - 30 * MINUTE),
            came("SM1", NOON - 35 * MINUTE),
        ),
    )

    async with sms(api_url=twilio.base) as channel:
        missed = {one.event.event_id: one.followed_by for one in await channel.missed(SINCE)}

    assert missed == {"SM1": ("SM2",), "SM3": (), "SM4": ()}


async def test_what_twilio_itself_answers_to_a_keyword_is_no_answer_of_ours(twilio: OutsideSystem) -> None:
    told = text("SM2", NOON, "Reply STOP to unsubscribe.", direction="outbound-reply", **{"from": OURS, "to": ALICE})
    twilio.will_answer(CREATE, listed(told, came("SM1", NOON - MINUTE)))

    async with sms(api_url=twilio.base) as channel:
        (missed,) = await channel.missed(SINCE)

    assert missed.followed_by == (), "a restored backup has forgotten no answer"


async def test_what_is_older_than_asked_for_is_not_told(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, listed(came("SM1", SINCE - MINUTE)))

    async with sms(api_url=twilio.base) as channel:
        assert await channel.missed(SINCE) == []


async def test_a_text_to_another_number_of_the_account_is_marked_as_not_ours(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, listed(came("SM1", NOON, to="+15559998888")))

    async with sms(api_url=twilio.base) as channel:
        ((missed, _),) = [(one.event, one.followed_by) for one in await channel.missed(SINCE)]

    assert not missed.own_account


async def test_what_was_attached_is_counted(twilio: OutsideSystem) -> None:
    twilio.will_answer(CREATE, listed(came("SM1", NOON, num_media="2")))

    async with sms(api_url=twilio.base) as channel:
        ((missed, _),) = [(one.event, one.followed_by) for one in await channel.missed(SINCE)]

    assert len(missed.media) == 2


@pytest.mark.parametrize("odd", [{"from": None}, {"to": ""}, {"sid": None}])
async def test_a_text_that_lacks_what_every_text_has_is_passed_over(twilio: OutsideSystem, odd: dict[str, Any]) -> None:
    twilio.will_answer(CREATE, listed(came("SM1", NOON) | odd, came("SM2", NOON)))

    async with sms(api_url=twilio.base) as channel:
        assert [one.event.event_id for one in await channel.missed(SINCE)] == ["SM2"]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_list_that_does_not_come_is_asked_for_later(twilio: OutsideSystem, status: int) -> None:
    twilio.will_answer(CREATE, {"code": 20003, "message": "no"}, status=status)

    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(TryLater):
            await channel.missed(SINCE)


async def test_while_twilio_cannot_be_reached_it_is_asked_later() -> None:
    async with sms(api_url=nobody_listens()) as channel:
        with pytest.raises(TryLater):
            await channel.missed(SINCE)
