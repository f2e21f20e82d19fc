"""What Twilio refuses at once: tried again, given up, or for operations to mend. The real client against real HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sms.channel import SmsChannel
from adapters.sms.refusals import GIVE_UP, RAISES, STATES, TABLE, later
from gateway.errors import KeyRefused, OptedOut, TryLater, Uncertain, WillNeverArrive
from gateway.events import Delivery, ThreadRef
from tests.adapters.doors import OutsideSystem
from tests.adapters.sms.test_endpoint import CREATE, HELLO, PUBLIC, settings, sms
from tests.adapters.sms.test_inbound import ALICE


@pytest.fixture
async def twilio() -> AsyncIterator[OutsideSystem]:
    twilio = OutsideSystem()
    async with twilio.open():
        yield twilio


async def refused(
    twilio: OutsideSystem, code: int | None, status: int = 400, headers: dict[str, str] | None = None
) -> Exception:
    """What sending raises."""
    body = {"code": code, "message": f"Unable to create record: no to {ALICE}", "status": status}
    twilio.will_answer(CREATE, body, status, headers)
    async with sms(api_url=twilio.base) as channel:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what the tests say
            await channel.send(HELLO)
    return caught.value


@pytest.mark.parametrize("code", sorted(set(TABLE) - {20003}))
async def test_each_code_says_what_to_do_next(code: int, twilio: OutsideSystem) -> None:
    error = await refused(twilio, code)

    assert isinstance(error, RAISES[TABLE[code].then])
    assert str(error).startswith(f"{code}: {TABLE[code].means}")
    assert ALICE not in str(error)
    assert len(twilio.calls) == 1, "the outbox owns the retries"


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, 21610, OptedOut),
        (404, 20404, WillNeverArrive),
        (400, 29999, WillNeverArrive),
        (400, None, WillNeverArrive),
        (429, 20429, TryLater),
        (429, 29999, TryLater),
        (429, None, TryLater),
        (401, 20003, KeyRefused),
        (403, 20003, KeyRefused),
        (500, 20500, Uncertain),
        (503, 20503, Uncertain),
    ],
)
async def test_where_no_code_says_it_the_status_does(
    status: int, code: int | None, meaning: type[Exception], twilio: OutsideSystem
) -> None:
    error = await refused(twilio, code, status)

    assert type(error) is meaning
    assert str(code or status) in str(error)
    assert len(twilio.calls) == 1


@pytest.mark.parametrize(
    ("said", "waits"),
    [("7", 7.0), ("99999", 3600.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None), ("1e9", None)],
)
async def test_a_wait_that_twilio_asks_for_is_kept_to(said: str, waits: float | None, twilio: OutsideSystem) -> None:
    error = await refused(twilio, 20429, 429, {"Retry-After": said} if said else None)

    assert isinstance(error, TryLater)
    assert error.retry_after == waits


async def test_a_wait_is_of_one_refusal_and_not_of_the_next(twilio: OutsideSystem) -> None:
    first = await refused(twilio, 20429, 429, {"Retry-After": "7"})
    second = await refused(twilio, 20429, 429)

    assert isinstance(first, TryLater)
    assert isinstance(second, TryLater)
    assert (first.retry_after, second.retry_after) == (7.0, None)


def test_every_meaning_is_one_plain_clause_that_the_agent_may_read() -> None:
    for refusal in TABLE.values():
        assert ";" not in refusal.means
        assert refusal.means == refusal.means.strip(" .")
        assert "http" not in refusal.means + refusal.to_do


@pytest.mark.parametrize("code", sorted(TABLE))
def test_what_failed_later_is_tried_again_only_where_that_may_help(code: int) -> None:
    state, why = later(str(code))

    assert state is STATES[TABLE[code].then]
    assert why.startswith(f"{code}: {TABLE[code].means}")


def test_only_what_may_pass_is_tried_again() -> None:
    assert sorted(code for code in TABLE if later(str(code))[0] is Delivery.AGAIN) == [
        14107,
        20429,
        21611,
        30001,
        30003,
    ]


@pytest.mark.parametrize("code", sorted(TABLE))
def test_operations_can_read_what_each_code_means(code: int) -> None:
    page = (Path(__file__).parents[3] / "docs/operations.md").read_text()

    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{code}` |")]
    assert f"| {TABLE[code].means} |" in row
    assert f"| {TABLE[code].to_do or '-'} |" in row


def test_a_text_that_was_filtered_is_never_sent_again_by_itself() -> None:
    assert TABLE[30007].then is GIVE_UP


@pytest.mark.parametrize(("rate", "seconds"), [("1", 1.0), ("0.5", 2.0), ("10", 0.1)])
async def test_a_rate_is_one_budget_for_all_numbers(rate: str, seconds: float) -> None:
    channel = SmsChannel(settings(rate=rate), public_url=lambda: PUBLIC)
    try:
        paces = [channel.pace(channel.lane(ThreadRef("sms", "", number))) for number in ("+1", "+2")]
    finally:
        await channel.aclose()

    shared = [[pace for pace in of_one if pace.of] for of_one in paces]
    assert shared[0] == shared[1]
    assert [(pace.every.total_seconds(), pace.burst) for pace in shared[0]] == [(seconds, 1)]


async def test_without_a_rate_only_a_person_is_spared() -> None:
    async with sms() as channel:
        (pace,) = channel.pace(channel.lane(HELLO.to))

    assert (pace.of, pace.burst) == ("", 5)


@pytest.mark.parametrize("rate", ["0", "-1", "1001", "fast", "nan", "inf"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="rate"):
        settings(rate=rate)
