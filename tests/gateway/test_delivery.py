"""What goes out late, at the carrier's pace, after a crash of another process, or after a restored backup."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import KeyRefused, TryLater
from gateway.events import (
    ApprovalState,
    ApprovalView,
    AskApproval,
    Delivery,
    DeliveryReported,
    Identity,
    Say,
    ShowOutcome,
)
from gateway.ports import Pace
from gateway.store import Store, Tx, leases, marks, sendings
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office
from tests.helpers.rows import rows

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def office(store: Store, carrier: Carrier, clock: Clock) -> Office:
    return Office(store, {"sms": carrier}, clock)


async def queue(store: Store, office: Office, clock: Clock, *texts: str) -> None:
    """Replies to what somebody wrote just now."""
    for text in texts:
        await store.write(
            lambda tx, text=text: office.add(tx, Say(to=ALICE, text=text), key=text, about_at=clock())  # type: ignore[misc]
        )


async def states(store: Store) -> list[str]:
    return [row["status"] for row in await rows(store, "outbox") if not row["dedupe_key"].startswith("alert:")]


# --- late ----------------------------------------------------------------------------------------------------


async def test_a_reply_on_time_says_nothing_of_its_age(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, office, clock, "here it is")
    clock.passes(14 * MINUTE)

    await office.deliver("sms:+2")

    assert carrier.arrived == ["here it is"]


async def test_a_late_reply_says_what_it_answers(store: Store, office: Office, carrier: Carrier, clock: Clock) -> None:
    written = clock()
    await queue(store, office, clock, "here it is")
    clock.passes(2 * HOUR)

    await office.deliver("sms:+2")

    said = f"(This answers your message of {written:%d %b %H:%M} UTC. Sorry for the delay.)\n\nhere it is"
    assert carrier.arrived == [said]


async def test_a_late_reply_whose_answer_was_lost_is_looked_up_by_the_words_it_went_out_with(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, office, clock, "here it is")
    clock.passes(2 * HOUR)
    carrier.script.append("lost")
    await office.deliver("sms:+2")
    clock.passes(HOUR)

    await office.deliver("sms:+2")

    assert len(carrier.arrived) == 1
    assert await states(store) == ["sent"]


async def test_a_reply_that_became_late_after_an_uncertain_try_keeps_its_words(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, office, clock, "here it is")
    carrier.script.append("lost")
    await office.deliver("sms:+2")
    clock.passes(2 * HOUR)

    await office.deliver("sms:+2")

    assert carrier.arrived == ["here it is"]
    assert await states(store) == ["sent"]


async def test_what_is_no_reply_never_says_that_it_is_late(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await store.write(lambda tx: office.add(tx, Say(to=ALICE, text="a notice"), key="notice"))
    clock.passes(2 * HOUR)

    await office.deliver("sms:+2")

    assert carrier.arrived == ["a notice"]


# --- after a restored backup -----------------------------------------------------------------------------------


async def nothing_ran_until_now(store: Store, clock: Clock) -> None:
    """What the sweep notes after a silence longer than a late reply's age."""
    await store.write(lambda tx: marks.put(tx, marks.GAP, clock()))


async def test_what_was_sent_before_the_backup_was_restored_is_not_sent_again(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, office, clock, "sent in a past that the rows forgot")
    carrier.arrived.append("sent in a past that the rows forgot")
    clock.passes(HOUR)
    await nothing_ran_until_now(store, clock)

    await office.deliver("sms:+2")

    assert len(carrier.arrived) == 1
    assert await states(store) == ["sent"]


async def test_what_was_really_never_sent_goes_out_after_a_long_silence(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, office, clock, "waited")
    clock.passes(HOUR)
    await nothing_ran_until_now(store, clock)

    await office.deliver("sms:+2")

    assert [text.endswith("waited") for text in carrier.arrived] == [True]
    assert await states(store) == ["sent"]


@pytest.mark.parametrize("busy", [0, 3])
async def test_where_the_carrier_cannot_tell_what_is_old_is_set_aside_rather_than_sent_again(
    store: Store, office: Office, carrier: Carrier, clock: Clock, busy: int
) -> None:
    carrier.can_look_up = False
    carrier.looks.extend([TryLater("busy")] * busy)
    await queue(store, office, clock, "perhaps sent")
    clock.passes(HOUR)
    await nothing_ran_until_now(store, clock)

    for _ in range(busy + 1):
        await office.deliver("sms:+2")
        clock.passes(HOUR)

    assert await states(store) == ["failed"]
    assert carrier.arrived == []


async def test_what_is_younger_than_the_silence_is_sent_as_ever(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.can_look_up = False
    await nothing_ran_until_now(store, clock)
    clock.passes(MINUTE)
    await queue(store, office, clock, "new")
    clock.passes(HOUR)

    await office.deliver("sms:+2")

    assert await states(store) == ["sent"]


# --- pace and rank ---------------------------------------------------------------------------------------------


async def test_two_processes_together_keep_to_the_carriers_pace(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.bears = [Pace(timedelta(minutes=1), burst=3)]
    other = Office(store, {"sms": carrier}, clock)
    await queue(store, office, clock, *(f"m{number}" for number in range(8)))
    sent = []

    for _ in range(6):
        await asyncio.gather(office.deliver("sms:+2"), other.deliver("sms:+2"))
        sent.append(len(carrier.arrived))
        clock.passes(timedelta(minutes=1))

    assert sent == [3, 4, 5, 6, 7, 8]
    assert carrier.arrived == sorted(carrier.arrived)


async def test_a_silence_gives_back_the_burst_and_no_more(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.bears = [Pace(timedelta(minutes=1), burst=2)]
    await queue(store, office, clock, *(f"m{number}" for number in range(6)))
    await office.deliver("sms:+2")
    clock.passes(10 * MINUTE)

    await office.deliver("sms:+2")

    assert len(carrier.arrived) == 4


async def test_a_reply_goes_before_changes_of_cards_that_were_queued_earlier(
    store: Store, office: Office, clock: Clock
) -> None:
    asked = ApprovalView(
        id="a", tool="t", arguments={}, digest="", requester=Identity(channel="sms", address="+2"), asked_in="sms",
        agent="support", message="", required=1, approvers=(), reason_required=False, expires_at=clock(),
    )  # fmt: skip
    done = replace(asked, state=ApprovalState.APPROVED)

    async def deed(tx: Tx) -> None:
        await office.add(tx, ShowOutcome(to=ALICE, approval=done), key="outcome", changes_id=1)
        await office.add(tx, Say(to=ALICE, text="the answer"), key="reply")
        await office.add(tx, AskApproval(to=ALICE, approval=asked), key="ask")

    await store.write(deed)
    order = []
    for _ in range(3):
        row = await store.read(lambda db: sendings.head(db, "sms:+2"))
        assert row is not None
        order.append(row.kind)
        await store.write(lambda tx, row=row: sendings.begin(tx, row, "sent"))  # type: ignore[misc]

    assert order == ["say", "ask", "outcome"]


# --- who holds a lane ------------------------------------------------------------------------------------------


async def test_a_dead_process_lets_go_of_its_lanes_within_seconds(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    dead = await store.write(
        lambda tx: leases.take(tx, "out:sms:+2", "dead:1", clock(), clock() + timedelta(seconds=10))
    )
    assert dead is not None
    await queue(store, office, clock, "one")

    await office.deliver("sms:+2")
    assert carrier.arrived == []

    clock.passes(timedelta(seconds=11))
    await office.deliver("sms:+2")
    assert carrier.arrived == ["one"]


async def test_a_lane_that_was_let_go_of_is_not_held_by_a_renewal_that_was_under_way(
    store: Store, clock: Clock
) -> None:
    lane, now = "out:slack:C0OPS", clock()
    until, free_at = now + timedelta(seconds=10), now + timedelta(seconds=3)

    async def lets_go(tx: Tx) -> None:
        await leases.take(tx, lane, "done", now, until)
        await leases.spend(tx, lane, free_at)
        await leases.drop(tx, lane, "done", now)

    await store.write(lets_go)
    await store.write(lambda tx: leases.renew(tx, ["done"], until))

    taken = await store.write(lambda tx: leases.take(tx, lane, "next", now, until))
    assert taken is not None
    assert taken.free_at == free_at


async def test_a_living_process_keeps_its_lane_however_long_a_send_takes(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    other = Office(store, {"sms": carrier}, clock)
    carrier.gate = asyncio.Event()
    await queue(store, office, clock, "one", "two")
    sending = asyncio.create_task(office.deliver("sms:+2"))
    await carrier.began.wait()

    for _ in range(6):
        clock.passes(timedelta(seconds=5))
        await office.beat()
        await other.deliver("sms:+2")
    carrier.gate.set()
    await sending

    assert carrier.arrived == ["one", "two"]


# --- what operations hear ----------------------------------------------------------------------------------------


async def test_a_revoked_token_is_told_once_and_the_message_is_kept(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.extend([KeyRefused("the token was revoked"), KeyRefused("the token was revoked")])
    await queue(store, office, clock, "one")
    await office.deliver("sms:+2")
    for _ in range(2):
        clock.passes(timedelta(seconds=3))
        await office.deliver("sms:+2")
    await office.deliver("sms:+9")

    assert carrier.arrived == ["one", "Gatehouse: the token was revoked"]


# --- reports -----------------------------------------------------------------------------------------------------


async def test_a_report_that_comes_before_the_carriers_answer_is_not_lost(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.gate = asyncio.Event()
    await queue(store, office, clock, "one")
    sending = asyncio.create_task(office.deliver("sms:+2"))
    await carrier.began.wait()
    said = {"channel": "sms", "provider_id": f"id-{(await ref(store))}"}
    for state in (Delivery.SENT, Delivery.DELIVERED, Delivery.SENT):
        await office.report(DeliveryReported(**said, state=state))

    carrier.gate.set()
    await sending

    assert await states(store) == ["delivered"]
    assert await rows(store, "early_reports") == []


async def test_a_text_that_failed_before_we_knew_its_id_is_told_to_operations(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.gate = asyncio.Event()
    await queue(store, office, clock, "one")
    sending = asyncio.create_task(office.deliver("sms:+2"))
    await carrier.began.wait()
    failed = DeliveryReported(channel="sms", provider_id=f"id-{await ref(store)}", state=Delivery.FAILED, error="30003")
    await office.report(failed)

    carrier.gate.set()
    await sending
    await office.deliver("sms:+9")

    assert await states(store) == ["failed"]
    assert "30003" in carrier.arrived[-1]


async def ref(store: Store) -> str:
    """Our own id of the only message, as the carrier hears it."""
    row = (await rows(store, "outbox"))[0]
    return f"gh-{row['id']}-{row['created_at']:%Y%m%d%H%M%S}"


# --- what a bad moment leaves behind -------------------------------------------------------------------------------


async def test_a_lease_that_could_not_be_dropped_ends_although_the_process_goes_on(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    left = clock() + timedelta(seconds=10)
    await store.write(lambda tx: leases.take(tx, "out:sms:+2", "of a call that is over", clock(), left))
    carrier.gate = asyncio.Event()
    await store.write(lambda tx: office.add(tx, Say(to=replace(ALICE, key="+3"), text="elsewhere"), key="elsewhere"))
    sending = asyncio.create_task(office.deliver("sms:+3"))
    await carrier.began.wait()

    for _ in range(3):
        clock.passes(timedelta(seconds=4))
        await office.beat()
    carrier.gate.set()
    await sending
    await queue(store, office, clock, "one")
    await office.deliver("sms:+2")

    assert carrier.arrived == ["elsewhere", "one"]


async def test_an_unclear_answer_after_a_long_outage_is_looked_up_and_not_given_up(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.extend([*([TryLater("away")] * 13), "lost"])
    await store.write(lambda tx: office.add(tx, Say(to=ALICE, text="one"), key="one"))

    for _ in range(15):
        await office.deliver("sms:+2")
        clock.passes(timedelta(minutes=10))

    assert carrier.arrived == ["one"]
    assert await states(store) == ["sent"]


async def test_a_clock_that_goes_back_holds_up_no_lane(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.bears = [Pace(timedelta(seconds=1), burst=2)]
    await queue(store, office, clock, "one", "two")
    await office.deliver("sms:+2")
    clock.passes(-HOUR)
    await queue(store, office, clock, "three")

    for _ in range(3):
        clock.passes(timedelta(seconds=1))
        await office.deliver("sms:+2")

    assert carrier.arrived == ["one", "two", "three"]
