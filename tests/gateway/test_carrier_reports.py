"""What a carrier says of a message after it took it: in every order, twice, too early, and of one that is sent anew."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from gateway.errors import Uncertain
from gateway.events import (
    ApprovalState,
    ApprovalView,
    AskApproval,
    Delivery,
    DeliveryReported,
    Identity,
    Outbound,
    Receipt,
    Say,
)
from gateway.store import Store, requests
from tests.helpers.clock import Clock
from tests.helpers.office import ALICE, Carrier, Office
from tests.helpers.rows import rows

ARRIVES = (Delivery.ACCEPTED, Delivery.SENT, Delivery.DELIVERED)
FAILS = (Delivery.ACCEPTED, Delivery.SENT, Delivery.FAILED)
LANDLINE, OFF = "30006: the number is a landline", "30003: the phone is off or out of reach"
LONG = timedelta(minutes=20)  # longer than any pause before it is sent again


class Numbering(Carrier):
    """Gives each text an id of its own, shows requests too, and finds the last text with the same words."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    async def send(self, message: Outbound) -> Receipt:
        said = message if isinstance(message, Say) else Say(to=message.to, text="a request", ref=message.ref)
        self.ids.append(f"SM{len(self.ids) + 1}")
        await super().send(said)
        return Receipt(provider_id=self.ids[-1])


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store(database_url)
    yield store
    await store.aclose()


@pytest.fixture
def carrier() -> Numbering:
    return Numbering()


@pytest.fixture
def office(store: Store, carrier: Numbering, clock: Clock) -> Office:
    return Office(store, {"sms": carrier}, clock)


async def queue(store: Store, office: Office, text: str, about: str | None = None) -> None:
    await store.write(lambda tx: office.add(tx, Say(to=ALICE, text=text), key=text, approval_id=about))


async def hears(office: Office, sid: str, *states: Delivery, why: str = LANDLINE) -> None:
    for state in states:
        error = why if state in (Delivery.FAILED, Delivery.AGAIN) else ""
        await office.report(DeliveryReported(channel="sms", provider_id=sid, state=state, error=error))


async def messages(store: Store) -> list[dict[str, object]]:
    return [row for row in await rows(store, "outbox") if not row["dedupe_key"].startswith("alert:")]


async def states(store: Store) -> list[object]:
    return [row["status"] for row in await messages(store)]


async def alerts(store: Store) -> list[str]:
    found = [row for row in await rows(store, "outbox") if row["dedupe_key"].startswith("alert:")]
    return [json.loads(row["payload"])["text"] for row in found]


async def noted(store: Store) -> list[str]:
    return [row["what"] for row in await rows(store, "audit") if row["what"] in ("delivered", "undelivered")]


def twice(told: Sequence[Delivery]) -> list[tuple[Delivery, ...]]:
    """Every order of what is told, and every order of all of it twice."""
    return sorted({*itertools.permutations(told), *itertools.permutations([*told, *told])})


# --- in every order -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "ends"), [(ARRIVES, "delivered"), (FAILS, "failed")])
@pytest.mark.parametrize("early", [0, pytest.param(2, marks=pytest.mark.long), 6])
async def test_in_every_order_and_twice_the_last_state_is_right(
    told: tuple[Delivery, ...], ends: str, early: int, store: Store, office: Office, carrier: Numbering
) -> None:
    """`early`: how many of them come before our own send has returned."""
    orders = twice(told)
    for number, order in enumerate(orders):
        await queue(store, office, f"text {number}", about=f"request {number}")
        carrier.began, carrier.gate = asyncio.Event(), asyncio.Event()
        sending = asyncio.create_task(office.deliver("sms:+2"))
        await carrier.began.wait()
        sid = carrier.ids[-1]
        await hears(office, sid, *order[:early])
        carrier.gate.set()
        await sending
        await hears(office, sid, *order[early:])

    assert await states(store) == [ends] * len(orders)
    about = [row["approval_id"] for row in await rows(store, "audit") if row["what"] in ("delivered", "undelivered")]
    assert sorted(about) == sorted(f"request {number}" for number in range(len(orders))), "one row each"
    assert len(await alerts(store)) == (ends == "failed"), "one alert an hour"
    assert await rows(store, "early_reports") == []


async def test_reports_that_come_at_once_count_once(store: Store, office: Office, carrier: Numbering) -> None:
    await queue(store, office, "hello", about="request 1")
    await office.deliver("sms:+2")

    await asyncio.gather(*(hears(office, "SM1", state) for state in FAILS * 4))

    assert (await states(store), await noted(store), len(await alerts(store))) == (["failed"], ["undelivered"], 1)


async def test_each_code_is_told_by_itself(store: Store, office: Office) -> None:
    for number, why in enumerate((LANDLINE, LANDLINE, "30007: it was filtered as spam"), 1):
        await queue(store, office, f"text {number}")
        await office.deliver("sms:+2")
        await hears(office, f"SM{number}", Delivery.FAILED, why=why)

    told = await alerts(store)
    assert len(told) == 2
    assert "landline" in told[0]
    assert "spam" in told[1]


# --- not now ------------------------------------------------------------------------------------------------


async def test_a_phone_that_is_off_is_tried_three_times_more_with_longer_and_longer_pauses(
    store: Store, office: Office, carrier: Numbering, clock: Clock
) -> None:
    await queue(store, office, "hello")
    pauses = []
    for number in range(1, 5):
        await office.deliver("sms:+2")
        await hears(office, f"SM{number}", Delivery.SENT, Delivery.AGAIN, why=OFF)
        waits = (await messages(store))[0]["not_before"]
        if await states(store) == ["queued"]:
            pauses.append(round((waits - clock()).total_seconds() / 60))  # type: ignore[operator]
            assert (await messages(store))[0]["error"] == OFF
            assert await alerts(store) == []
        clock.passes(LONG)
    await office.deliver("sms:+2")

    assert pauses == [2, 5, 15]
    assert (carrier.arrived, await states(store)) == (["hello"] * 4, ["failed"])
    assert len(await alerts(store)) == 1


async def test_it_is_not_sent_again_before_its_time_and_others_wait_behind_it(
    store: Store, office: Office, carrier: Numbering, clock: Clock
) -> None:
    await queue(store, office, "one")
    await office.deliver("sms:+2")
    await hears(office, "SM1", Delivery.AGAIN)
    await queue(store, office, "two")

    clock.passes(timedelta(seconds=100))
    await office.deliver("sms:+2")
    assert carrier.arrived == ["one"]
    clock.passes(timedelta(seconds=21))
    await office.deliver("sms:+2")

    assert carrier.arrived == ["one", "one", "two"]


@pytest.mark.parametrize("order", sorted(itertools.permutations([*FAILS, Delivery.DELIVERED])))
async def test_whatever_is_still_said_of_the_first_text_touches_the_second_no_more(
    order: tuple[Delivery, ...], store: Store, office: Office, clock: Clock
) -> None:
    await queue(store, office, "hello", about="request 1")
    await office.deliver("sms:+2")
    await hears(office, "SM1", Delivery.AGAIN, *order[:2])
    clock.passes(LONG)
    await office.deliver("sms:+2")
    await hears(office, "SM1", *order[2:], Delivery.AGAIN)
    assert await states(store) == ["sent"]

    await hears(office, "SM2", Delivery.DELIVERED)

    assert (await states(store), await noted(store), await alerts(store)) == (["delivered"], ["delivered"], [])


async def test_a_look_up_that_finds_the_first_text_again_knows_that_it_failed(
    store: Store, office: Office, carrier: Numbering, clock: Clock
) -> None:
    await queue(store, office, "hello")
    await office.deliver("sms:+2")
    await hears(office, "SM1", Delivery.AGAIN, why=OFF)
    clock.passes(LONG)
    carrier.script.append(Uncertain("cut off"))
    await office.deliver("sms:+2")
    carrier.finds = "SM1"
    clock.passes(timedelta(minutes=1))
    await office.deliver("sms:+2")

    assert await states(store) == ["queued"], "it did not arrive, and is tried once more"
    clock.passes(LONG)
    await office.deliver("sms:+2")

    assert (carrier.arrived, await states(store)) == (["hello", "hello"], ["sent"])


async def test_not_now_that_comes_before_our_own_send_returned_is_heard_after_it(
    store: Store, office: Office, carrier: Numbering, clock: Clock
) -> None:
    await queue(store, office, "hello")
    carrier.gate = asyncio.Event()
    sending = asyncio.create_task(office.deliver("sms:+2"))
    await carrier.began.wait()
    await hears(office, "SM1", Delivery.AGAIN, Delivery.SENT, why=OFF)
    carrier.gate.set()
    await sending

    assert await states(store) == ["queued"]
    clock.passes(LONG)
    await office.deliver("sms:+2")
    assert await states(store) == ["sent"]


async def test_a_request_that_was_decided_meanwhile_is_not_sent_again(
    store: Store, office: Office, clock: Clock
) -> None:
    who = Identity(channel="sms", address="+2")
    times = {"created_at": clock(), "expires_at": clock() + timedelta(hours=1)}
    view = ApprovalView(
        id="a1",
        tool="refund",
        arguments={},
        digest="d",
        requester=who,
        asked_in="sms",
        agent="support",
        message="",
        required=1,
        approvers=(),
        reason_required=False,
        expires_at=times["expires_at"],
        state=ApprovalState.PENDING,
    )
    ask = AskApproval(to=ALICE, approval=view)
    await store.write(lambda tx: office.add(tx, ask, key="ask", approval_id="a1"))
    await office.deliver("sms:+2")
    assert await store.read(lambda db: requests.get(db, "a1")) is None, "nothing is pending under this id"

    await hears(office, "SM1", Delivery.AGAIN, why=OFF)

    assert await states(store) == ["failed"]
