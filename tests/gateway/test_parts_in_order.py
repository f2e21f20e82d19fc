"""Parts of a long reply, where the carrier keeps no order: each waits until the one before was handed on."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.errors import WillNeverArrive
from gateway.events import Delivery, DeliveryReported, Say, ThreadRef
from gateway.store import Store
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office
from tests.helpers.rows import rows

LANE = "sms:+2"


class ByWords(Carrier):
    def parts(self, to: ThreadRef, text: str, *, link: str = "") -> list[str]:
        return text.split()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def carrier() -> Carrier:
    carrier = ByWords()
    carrier.keeps_order = False
    return carrier


@pytest.fixture
async def office(store: Store, carrier: Carrier, clock: Clock) -> Office:
    office = Office(store, {"sms": carrier}, clock)
    await store.write(lambda tx: office.add(tx, Say(to=ALICE, text="one two three"), key="a reply"))
    return office


async def hears(store: Store, office: Office, part: int, state: Delivery) -> None:
    """What the carrier says of a part that it has taken."""
    row = (await rows(store, "outbox"))[part]
    await office.report(DeliveryReported(channel="sms", provider_id=row["provider_id"], state=state))


@pytest.mark.parametrize("state", [Delivery.SENT, Delivery.DELIVERED, Delivery.FAILED])
async def test_a_part_goes_when_the_one_before_was_handed_on(
    store: Store, office: Office, carrier: Carrier, state: Delivery
) -> None:
    await office.deliver(LANE)
    assert carrier.arrived == ["one"]

    await hears(store, office, 0, Delivery.ACCEPTED)
    await office.deliver(LANE)
    assert carrier.arrived == ["one"]

    await hears(store, office, 0, state)
    await office.deliver(LANE)
    assert carrier.arrived == ["one", "two"]


async def test_without_a_word_a_part_goes_after_fifteen_seconds(office: Office, carrier: Carrier, clock: Clock) -> None:
    await office.deliver(LANE)
    clock.passes(timedelta(seconds=14))
    await office.deliver(LANE)
    assert carrier.arrived == ["one"]

    clock.passes(timedelta(seconds=1))
    await office.deliver(LANE)
    clock.passes(timedelta(seconds=15))
    await office.deliver(LANE)
    assert carrier.arrived == ["one", "two", "three"]


async def test_a_word_that_comes_before_the_carriers_answer_counts(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    ref = f"gh-1-{clock():%Y%m%d%H%M%S}"
    await office.report(DeliveryReported(channel="sms", provider_id=f"id-{ref}", state=Delivery.SENT))

    await office.deliver(LANE)
    await office.deliver(LANE)

    assert carrier.arrived == ["one", "two"]


async def test_a_late_or_doubled_word_changes_nothing(
    store: Store, office: Office, carrier: Carrier, clock: Clock
) -> None:
    await office.deliver(LANE)
    await hears(store, office, 0, Delivery.SENT)
    await office.deliver(LANE)
    for state in (Delivery.SENT, Delivery.DELIVERED, Delivery.SENT):
        await hears(store, office, 0, state)
        await office.deliver(LANE)

    assert carrier.arrived == ["one", "two"]


async def test_the_rest_still_goes_when_a_part_never_arrives(office: Office, carrier: Carrier) -> None:
    carrier.script.append(WillNeverArrive("no such number"))

    await office.deliver(LANE)

    assert carrier.arrived == ["two"]


async def test_what_else_somebody_is_told_waits_behind_the_parts(
    store: Store, office: Office, carrier: Carrier
) -> None:
    await store.write(lambda tx: office.add(tx, Say(to=ALICE, text="four"), key="another"))

    for part in range(3):
        await office.deliver(LANE)
        await hears(store, office, part, Delivery.DELIVERED)
    await office.deliver(LANE)

    assert carrier.arrived == ["one", "two", "three", "four"]


async def test_where_the_carrier_keeps_the_order_no_part_waits(store: Store, office: Office, carrier: Carrier) -> None:
    carrier.keeps_order = True

    await office.deliver(LANE)

    assert carrier.arrived == ["one", "two", "three"]
