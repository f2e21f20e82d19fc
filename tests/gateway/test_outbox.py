"""What goes out: in order within a lane, retried, looked up when uncertain, and never in the way of other lanes."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import TryLater, Uncertain, WillNeverArrive
from gateway.events import Delivery, DeliveryReported, Say, ThreadRef
from gateway.store import Store, Tx, sendings
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office
from tests.helpers.rows import rows


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def carrier() -> Carrier:
    return Carrier()


@pytest.fixture
def outbox(store: Store, carrier: Carrier, clock: Clock) -> Office:
    return Office(store, {"sms": carrier}, clock)


async def queue(store: Store, outbox: Office, *texts: str) -> None:
    for text in texts:
        await store.write(lambda tx, text=text: outbox.add(tx, Say(to=ALICE, text=text), key=text))


async def states(store: Store) -> list[str]:
    return [row["status"] for row in await rows(store, "outbox") if not row["dedupe_key"].startswith("alert:")]


async def receipt(store: Store) -> str:
    return str((await rows(store, "outbox"))[0]["provider_id"])


async def test_messages_of_a_lane_go_out_in_the_order_they_were_queued(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    await queue(store, outbox, "one", "two", "three")

    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["one", "two", "three"]
    assert await states(store) == ["sent"] * 3


async def test_the_note_of_a_long_reply_stands_below_its_last_part(store: Store, clock: Clock) -> None:
    class InHalves(Carrier):
        def parts(self, to: ThreadRef, text: str, *, link: str = "") -> list[str]:
            return [text[: len(text) // 2], text[len(text) // 2 :]]

    outbox = Office(store, {"sms": InHalves()}, clock)
    said = Say(to=ALICE, text="onetwo", note="Used a tool", replaces="half")
    await store.write(lambda tx: outbox.add(tx, said, key="a reply"))

    parts = [json.loads(row["payload"]) for row in await rows(store, "outbox")]
    assert [(part["text"], part["note"], part["replaces"]) for part in parts] == [
        ("one", "", "half"),
        ("two", "Used a tool", ""),
    ]


async def test_the_same_key_is_one_message(store: Store, outbox: Office, carrier: Carrier) -> None:
    await queue(store, outbox, "one", "one")

    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["one"]


async def test_a_message_that_must_wait_keeps_the_others_behind_it(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.append(TryLater("busy", retry_after=30))
    await queue(store, outbox, "one", "two")

    await outbox.deliver("sms:+2")
    assert carrier.arrived == []
    clock.passes(timedelta(seconds=29))
    await outbox.deliver("sms:+2")
    assert carrier.arrived == []
    clock.passes(timedelta(seconds=2))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["one", "two"]


async def test_a_message_that_will_never_arrive_unblocks_its_lane_and_is_told_once(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    carrier.script.extend([WillNeverArrive("no such number"), WillNeverArrive("no such number")])
    await queue(store, outbox, "one", "two", "three")

    await outbox.deliver("sms:+2")
    await outbox.deliver("sms:+9")

    assert await states(store) == ["failed", "failed", "sent"]
    assert len([text for text in carrier.arrived if "was not sent" in text]) == 1


async def test_a_private_word_to_somebody_who_has_left_is_dropped_without_an_alert(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    carrier.script.append(WillNeverArrive("user_not_in_channel"))
    await store.write(lambda tx: outbox.add(tx, Say(to=ALICE, text="Only you", only_for="U0BEN"), key="note:1"))

    await outbox.deliver("sms:+2")
    await outbox.deliver("sms:+9")

    assert await states(store) == ["dropped"]
    assert carrier.arrived == []


async def test_an_uncertain_message_that_arrived_is_not_sent_again(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.append("lost")
    await queue(store, outbox, "one")

    await outbox.deliver("sms:+2")
    assert await states(store) == ["unknown"]
    clock.passes(timedelta(minutes=1))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["one"]
    assert await states(store) == ["sent"]


async def test_an_uncertain_message_that_did_not_arrive_is_sent(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.append(Uncertain("cut off"))
    await queue(store, outbox, "one")

    await outbox.deliver("sms:+2")
    clock.passes(timedelta(minutes=1))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["one"]


async def test_where_the_carrier_cannot_tell_it_is_tried_once_more_and_no_oftener(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.can_look_up = False
    carrier.script.extend(["lost", "lost", "lost"])
    await queue(store, outbox, "one")

    for _ in range(6):
        await outbox.deliver("sms:+2")
        clock.passes(timedelta(minutes=10))

    assert carrier.arrived == ["one", "one"]
    assert await states(store) == ["failed"]


async def test_a_send_cut_off_by_a_crash_is_looked_up_by_the_next_process(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    await queue(store, outbox, "one")
    carrier.arrived.append("one")
    row = await store.read(lambda db: sendings.head(db, "sms:+2"))
    assert row is not None
    await store.write(lambda tx: sendings.begin(tx, row, "sending"))

    await Office(store, {"sms": carrier}, clock).deliver("sms:+2")

    assert carrier.arrived == ["one"]
    assert await states(store) == ["sent"]


async def test_two_processes_deliver_a_lane_without_sending_twice(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    other = Office(store, {"sms": carrier}, clock)
    await queue(store, outbox, *(f"m{number:02}" for number in range(20)))

    await asyncio.gather(outbox.deliver("sms:+2"), other.deliver("sms:+2"))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == [f"m{number:02}" for number in range(20)]


async def test_a_carrier_that_is_away_for_a_day_is_waited_for_and_then_given_up(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.extend([TryLater("busy")] * 25)
    await queue(store, outbox, "one", "two")

    for hour in range(26):
        await outbox.deliver("sms:+2")
        assert hour > 22 or await states(store) == ["queued", "queued"]
        clock.passes(timedelta(hours=1))

    assert await states(store) == ["failed", "sent"]


async def test_receipts_never_move_backwards(store: Store, outbox: Office) -> None:
    await queue(store, outbox, "one")
    await outbox.deliver("sms:+2")

    for state in (Delivery.DELIVERED, Delivery.SENT, Delivery.ACCEPTED, Delivery.DELIVERED):
        await outbox.report(DeliveryReported(channel="sms", provider_id=await receipt(store), state=state))

    assert await states(store) == ["delivered"]


async def test_a_receipt_for_something_we_never_sent_is_let_be(store: Store, outbox: Office) -> None:
    await outbox.report(DeliveryReported(channel="sms", provider_id="SM404", state=Delivery.FAILED))

    assert await rows(store, "outbox") == []


async def test_what_a_carrier_gave_up_later_is_told_to_operations(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    await queue(store, outbox, "one")
    await outbox.deliver("sms:+2")
    for _ in range(2):
        failed = DeliveryReported(channel="sms", provider_id=await receipt(store), state=Delivery.FAILED, error="30005")
        await outbox.report(failed)
    await outbox.deliver("sms:+9")

    assert await states(store) == ["failed"]
    assert "30005" in carrier.arrived[-1]
    assert len(carrier.arrived) == 2


async def test_one_process_that_is_asked_twice_at_once_sends_once(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    await queue(store, outbox, *(f"m{number:02}" for number in range(20)))

    await asyncio.gather(*(outbox.deliver("sms:+2") for _ in range(4)))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == [f"m{number:02}" for number in range(20)]


async def test_many_busy_answers_do_not_use_up_the_second_send(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.can_look_up = False
    carrier.script.extend([TryLater("busy")] * 5 + [Uncertain("cut off")])
    await queue(store, outbox, "one")

    for _ in range(9):
        await outbox.deliver("sms:+2")
        clock.passes(timedelta(minutes=10))

    assert carrier.arrived == ["one"]
    assert await states(store) == ["sent"]


async def test_a_message_taken_back_before_it_went_out_never_goes_out(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    await queue(store, outbox, "one", "two")

    taken_back = await store.write(lambda tx: sendings.drop_unsent(tx, 1))
    await outbox.deliver("sms:+2")

    assert taken_back
    assert carrier.arrived == ["two"]


async def test_a_row_nobody_can_read_does_not_block_its_lane(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    values = {"channel": "sms", "lane": "sms:+2", "kind": "say", "created_at": clock()}
    await store.write(lambda tx: sendings.add(tx, dedupe_key="odd", payload="{}", **values))
    await queue(store, outbox, "two")

    for _ in range(13):
        await outbox.deliver("sms:+2")
        clock.passes(timedelta(minutes=10))

    assert await states(store) == ["failed", "sent"]


async def test_an_earlier_message_with_the_same_words_is_not_taken_for_a_lost_one(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    same = Say(to=ALICE, text="On its way.")
    await store.write(lambda tx: outbox.add(tx, same, key="first"))
    await outbox.deliver("sms:+2")
    first = await receipt(store)
    carrier.finds = first
    carrier.script.append(Uncertain("cut off"))
    await store.write(lambda tx: outbox.add(tx, same, key="second"))

    await outbox.deliver("sms:+2")
    clock.passes(timedelta(minutes=1))
    await outbox.deliver("sms:+2")

    assert carrier.arrived == ["On its way.", "On its way."]
    assert await states(store) == ["sent", "sent"]


async def test_a_look_that_must_wait_is_no_reason_to_send_again(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    carrier.script.append("lost")
    carrier.looks.extend([TryLater("busy")] * 14)
    await queue(store, outbox, "one")

    for _ in range(16):
        await outbox.deliver("sms:+2")
        clock.passes(timedelta(minutes=10))

    assert carrier.arrived == ["one"]
    assert await states(store) == ["sent"]


async def test_paused_lanes_do_not_crowd_out_one_that_is_due(
    store: Store, outbox: Office, carrier: Carrier, clock: Clock
) -> None:
    async def crowd(tx: Tx) -> None:
        for number in range(600):
            values: dict[str, Any] = {"channel": "sms", "lane": f"sms:{number}", "kind": "say", "payload": "{}"}
            values |= {"created_at": clock()}
            later = clock() + timedelta(hours=1)
            await sendings.add(tx, dedupe_key=f"head{number}", not_before=later, **values)
            await sendings.add(tx, dedupe_key=f"tail{number}", **values)

    await store.write(crowd)
    await queue(store, outbox, "one")

    assert await store.read(lambda db: sendings.lanes_due(db, clock())) == ["sms:+2"]


async def test_a_fault_while_writing_frees_the_lane_for_the_next(
    store: Store, outbox: Office, carrier: Carrier
) -> None:
    await queue(store, outbox, "one", "two")
    carrier.script.append(asyncio.CancelledError())

    with pytest.raises(asyncio.CancelledError):
        await outbox.deliver("sms:+2")

    assert await rows(store, "leases") == []
