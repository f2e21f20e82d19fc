"""What a carrier could not hand over is read from its list: once, and only what nobody answered."""

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import TryLater
from gateway.events import Delivery, DeliveryReported, Say
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, Core, Ends, Start, seen, text
from tests.helpers.scripted import Taken

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


async def catch_up(core: Core) -> None:
    await core.work.catch_up()


def wrote(ends: Ends, clock: Clock, number: str, words: str) -> None:
    """The carrier has it, whether or not it could hand it over."""
    ends.sms.kept.append(text(number, words, sent_at=clock()))


async def test_the_first_time_nothing_is_taken(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    wrote(ends, clock, ALICE, "in another time")
    clock.passes(HOUR)

    await catch_up(core)

    assert await core.rows("inbox") == []


async def test_what_was_missed_in_an_outage_is_kept_once(start: Start, ends: Ends, clock: Clock) -> None:
    one, two = await start(at_work=False), await start(at_work=False)
    await catch_up(one)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "kites")
    wrote(ends, clock, BOB, "boats")
    clock.passes(10 * MINUTE)

    for _ in range(3):
        await asyncio.gather(catch_up(one), catch_up(two))
        clock.passes(MINUTE)

    assert sorted(row["event_key"] for row in await one.rows("inbox")) == [
        f"sms:{ALICE}: kites",
        f"sms:{BOB}: boats",
    ]


async def test_what_was_handed_over_is_not_taken_again(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "kites")
    await core.receives(ALICE, "kites", "an event's own id", message=f"{ALICE}: kites")
    clock.passes(MINUTE)

    await catch_up(core)

    assert len(await core.rows("inbox")) == 1


async def test_what_the_list_names_again_is_not_logged_again(
    start: Start, ends: Ends, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "kites")
    for _ in range(3):
        await catch_up(core)
        clock.passes(MINUTE)

    said = [one.getMessage() for one in caplog.records if "kites" in one.getMessage()]
    assert said == [f"event {ALICE}: kites on sms: kept", f"event {ALICE}: kites on sms was missed and is kept now"]


async def test_after_a_restored_backup_what_was_answered_in_the_time_it_forgot_is_not_taken(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "answered")
    wrote(ends, clock, BOB, "not answered")
    clock.passes(MINUTE)
    ends.sms.taken.append(Taken(Say(to=text(ALICE, "").thread, text="an answer"), clock()))
    clock.passes(HOUR)

    await catch_up(core)

    assert [row["event_key"] for row in await core.rows("inbox")] == [f"sms:{BOB}: not answered"]


async def test_what_was_missed_before_words_of_ours_that_we_know_of_is_taken(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "missed")
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "handed over")
    await core.receives(ALICE, "handed over")
    await core.drain()
    await core.work.deliver(f"sms:{ALICE}")
    assert ends.sms.told(ALICE) == ["about handed over"]
    clock.passes(HOUR)

    await catch_up(core)

    keys = [row["event_key"] for row in await core.rows("inbox")]
    assert keys == [f"sms:{ALICE}: handed over", f"sms:{ALICE}: missed"]


async def test_words_of_ours_that_failed_and_will_be_sent_again_are_ones_we_know_of(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "missed")
    clock.passes(MINUTE)
    await core.receives(ALICE, "handed over")
    await core.drain()
    await core.work.deliver(f"sms:{ALICE}")
    (sent,) = await core.rows("outbox")
    failed = DeliveryReported(channel="sms", provider_id=sent["provider_id"], state=Delivery.AGAIN, error="30003: off")
    await core.door.inbox.report(failed)
    clock.passes(HOUR)

    await catch_up(core)

    assert f"sms:{ALICE}: missed" in [row["event_key"] for row in await core.rows("inbox")]


async def test_the_answer_to_what_was_missed_long_ago_says_so(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    written = clock()
    wrote(ends, clock, ALICE, "kites")
    clock.passes(2 * HOUR)

    await start()
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == [
        f"(This answers your message of {written:%d %b %H:%M} UTC. Sorry for the delay.)\n\nabout kites"
    ]


async def test_what_was_missed_a_moment_ago_is_answered_as_ever(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "kites")
    clock.passes(MINUTE)

    await start()
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]


async def test_a_carrier_that_cannot_be_asked_is_asked_again_for_the_same_time(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(at_work=False)
    await catch_up(core)
    clock.passes(MINUTE)
    wrote(ends, clock, ALICE, "kites")
    ends.steps.fails("sms list", TryLater("the carrier is away"))
    clock.passes(10 * MINUTE)

    await catch_up(core)
    assert await core.rows("inbox") == []
    clock.passes(10 * MINUTE)
    await catch_up(core)

    assert len(await core.rows("inbox")) == 1


async def test_a_carrier_is_asked_at_most_twice_a_minute(start: Start, ends: Ends, clock: Clock) -> None:
    one, two = await start(at_work=False), await start(at_work=False)
    await catch_up(one)

    for _ in range(12):
        clock.passes(timedelta(seconds=5))
        await asyncio.gather(catch_up(one), catch_up(two))

    assert len(ends.sms.asked_since) == 2
