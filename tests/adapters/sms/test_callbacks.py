"""Twilio's status callbacks, signed and over HTTP, against texts of the real client: the last state is right."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from adapters.sms.channel import SmsChannel
from gateway.events import Say, ThreadRef
from gateway.store import Store
from tests.adapters.doors import Call, OutsideSystem
from tests.adapters.sms.test_endpoint import CREATE, TwilioSide, side_of, sms
from tests.adapters.sms.test_inbound import ACCOUNT, ALICE, OURS
from tests.helpers.clock import Clock
from tests.helpers.office import Office
from tests.helpers.rows import rows

Told = tuple[str, str]
ARRIVES: list[Told] = [("queued", ""), ("sending", ""), ("sent", ""), ("delivered", "")]
READ: list[Told] = [("sent", ""), ("delivered", ""), ("read", "")]
FAILS: list[Told] = [("queued", ""), ("sent", ""), ("undelivered", "30006")]
LANE = f"sms:{ALICE}"


class Twilio(OutsideSystem):
    """Takes every text; `gate` holds its answer back, so that its callbacks come first."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.taken = asyncio.Event()

    def usual(self, call: Call) -> Response:
        self.taken.set()
        return JSONResponse({"sid": self.sid(), "status": "queued", "num_segments": "1"}, status_code=201)

    def sid(self) -> str:
        """The newest text's."""
        return f"SM{len(self.told(CREATE))}"

    async def _answer(self, request: Any) -> Response:
        answer = await super()._answer(request)
        await self.gate.wait()
        return answer


class Gateway:
    """The real channel and the real outbox between them, and a Twilio that calls back."""

    def __init__(self, store: Store, office: Office, side: TwilioSide, twilio: Twilio, clock: Clock) -> None:
        self.store = store
        self.office = office
        self.twilio = twilio
        self.clock = clock
        self._side = side

    async def says(self, text: str) -> None:
        said = Say(to=ThreadRef("sms", OURS, ALICE), text=text)
        await self.store.write(lambda tx: self.office.add(tx, said, key=text, approval_id=text))

    async def hears(self, sid: str, *told: Told) -> None:
        for status, code in told:
            form = {"MessageSid": sid, "AccountSid": ACCOUNT, "MessageStatus": status, "ErrorCode": code}
            assert (await self._side.posts("/sms/status", form)).status_code == 200

    async def sends(self) -> None:
        """What is due; a person gets one text a second after five."""
        self.clock.passes(timedelta(seconds=2))
        await self.office.deliver(LANE)

    async def messages(self) -> list[dict[str, Any]]:
        return [row for row in await rows(self.store, "outbox") if not row["dedupe_key"].startswith("alert:")]

    async def noted(self) -> list[tuple[str, str]]:
        found = [row for row in await rows(self.store, "audit") if "deliver" in row["what"]]
        return [(row["approval_id"], row["what"]) for row in found]

    async def alerts(self) -> int:
        return len(await rows(self.store, "outbox")) - len(await self.messages())


@pytest.fixture
async def gateway(database_url: str, clock: Clock) -> AsyncIterator[Gateway]:
    store, twilio = Store(database_url), Twilio()
    try:
        async with twilio.open(), sms(api_url=twilio.base) as channel, wired(store, channel, twilio, clock) as found:
            yield found
    finally:
        await store.aclose()


@asynccontextmanager
async def wired(store: Store, channel: SmsChannel, twilio: Twilio, clock: Clock) -> AsyncIterator[Gateway]:
    office = Office(store, {"sms": channel}, clock)
    door: Any = SimpleNamespace(inbox=SimpleNamespace(report=office.report))
    async with side_of(channel, door) as side:
        yield Gateway(store, office, side, twilio, clock)


@pytest.mark.parametrize(("told", "ends"), [(ARRIVES, "delivered"), (READ, "delivered"), (FAILS, "failed")])
async def test_in_every_order_and_each_twice_the_last_state_is_right(
    told: list[Told], ends: str, gateway: Gateway
) -> None:
    orders = list(itertools.permutations(told))
    for number, order in enumerate(orders):
        await gateway.says(f"text {number}")
        await gateway.sends()
        await gateway.hears(gateway.twilio.sid(), *(one for one in order for _ in range(2)))

    messages = await gateway.messages()
    assert [row["status"] for row in messages] == [ends] * len(orders)
    assert len({row["provider_id"] for row in messages}) == len(gateway.twilio.told(CREATE)) == len(orders)
    what = "delivered" if ends == "delivered" else "undelivered"
    assert await gateway.noted() == [(f"text {number}", what) for number in range(len(orders))]
    assert await gateway.alerts() == (ends == "failed")


@pytest.mark.parametrize("early", [1, 2, 3])
@pytest.mark.parametrize(("told", "ends"), [(READ, "delivered"), (FAILS, "failed")])
async def test_callbacks_that_come_before_our_own_call_returned_count_as_well(
    told: list[Told], ends: str, early: int, gateway: Gateway
) -> None:
    orders = list(itertools.permutations(told))
    for number, order in enumerate(orders):
        await gateway.says(f"text {number}")
        gateway.twilio.gate.clear()
        gateway.twilio.taken.clear()
        sending = asyncio.create_task(gateway.sends())
        await gateway.twilio.taken.wait()
        await gateway.hears(gateway.twilio.sid(), *order[:early])
        gateway.twilio.gate.set()
        await sending
        await gateway.hears(gateway.twilio.sid(), *order[early:], *order)

    assert [row["status"] for row in await gateway.messages()] == [ends] * len(orders)
    assert len(await gateway.noted()) == len(orders)
    assert await rows(gateway.store, "early_reports") == []


async def test_a_phone_that_was_off_gets_its_text_when_it_is_on_again(gateway: Gateway) -> None:
    await gateway.says("hello")
    await gateway.sends()
    await gateway.hears("SM1", ("sent", ""), ("undelivered", "30003"))
    await gateway.sends()
    assert len(gateway.twilio.told(CREATE)) == 1, "not before its time"

    gateway.clock.passes(timedelta(minutes=2))
    await gateway.sends()
    await gateway.hears("SM1", ("undelivered", "30003"), ("delivered", ""), ("failed", "30006"))
    await gateway.hears("SM2", ("delivered", ""))

    (row,) = await gateway.messages()
    assert (row["status"], row["provider_id"], row["resends"]) == ("delivered", "SM2", 1)
    assert (await gateway.noted(), await gateway.alerts()) == ([("hello", "delivered")], 0)


async def test_a_text_that_was_filtered_is_told_and_never_sent_again(gateway: Gateway) -> None:
    await gateway.says("BUY NOW")
    await gateway.sends()
    await gateway.hears("SM1", ("undelivered", "30007"))

    for _ in range(4):
        gateway.clock.passes(timedelta(hours=1))
        await gateway.sends()

    assert [call["Body"] for call in gateway.twilio.told(CREATE)] == ["BUY NOW"]
    (row,) = await gateway.messages()
    assert (row["status"], row["error"].partition(";")[0]) == ("failed", "30007: it was filtered as spam")
    assert await gateway.alerts() == 1
