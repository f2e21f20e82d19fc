"""Clicks that come in a crowd, too late, from outside or together; and a form with every kind of argument."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import cast
from adapters.slack import clicks
from tests.helpers.meddling import spoil
from tests.helpers.process import until
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."
TWO = POLICY.replace(
    "[approvals.default]", '[people.max]\nslack = "U0MAX"\n\n[approvals.default]\nrequired = 2'
).replace('approvers = ["ana"]', 'approvers = ["ana", "max"]')
ASKED: dict[str, Any] = {
    "order_id": "A-1001",
    "amount": 40,
    "express": False,
    "currency": "USD",
    "address": {"city": "Boston", "zip": "02101"},
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number", "maximum": 40},
        "express": {"type": "boolean"},
        "currency": {"enum": ["USD", "EUR"]},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
            "required": ["city", "zip"],
        },
    },
}


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


def has_buttons(card: dict[str, Any]) -> bool:
    return any(block["type"] == "actions" for block in card["blocks"])


@pytest.mark.long
async def test_fifty_clicks_at_once_each_open_their_form_within_three_seconds(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()

    await asyncio.gather(*(town.ana.clicks(card, "approval_open") for _ in range(50)))

    async def all_done() -> bool:
        seen = [row["what"] for row in await rows(town.store, "audit")].count("opened whole")
        replaced = caplog.messages.count(f"a form did not open: {clicks.CLOSED}")  # by the next one, before it was full
        return seen + replaced + len(town.ana.whispers()) == 50

    await until(all_done, "fifty forms")
    assert town.ana.whispers() == [], "Slack took every trigger"


async def test_a_click_on_an_expired_request_is_told_so_and_does_nothing(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    town.clock.passes(timedelta(hours=25))
    gone = await town.card_says("Not decided")
    assert not has_buttons(gone)

    for count, action in enumerate(("approval_approve", "approval_deny", "approval_edit", "approval_open"), 1):
        await town.ana.clicks_in_an_old_window(card, action)
        assert "Too late. Not decided" in await town.ana.is_told(count)

    assert await states(town) == ["expired"]
    assert town.ana.forms() == []


async def test_somebody_of_another_workspace_in_a_shared_channel_decides_nothing(under: Under) -> None:
    async with under(POLICY.replace('"U0ANA"', '"T0SANDBOX/U0ANA"')) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        for count, action in enumerate(("approval_approve", "approval_deny", "approval_open", "approval_edit"), 1):
            await town.ana.clicks_in_an_old_window(card, action, team="T0OTHER")
            assert "not yours" in await town.ana.is_told(count)

        assert await states(town) == ["pending"]
        assert town.ana.forms() == []
        assert has_buttons(await town.card())
        await town.ana.approves(card)
        await town.card_says("Approved by ana")


async def test_whoever_the_failing_look_up_leaves_out_is_told_and_the_card_stays(under: Under) -> None:
    async with under(POLICY.replace('approvers = ["ana"]', 'approvers = ["slack:group:S0GONE"]')) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        for count, action in enumerate(("approval_approve", "approval_open", "approval_deny"), 1):
            await town.ana.clicks(card, action)
            assert "could not be looked up" in await town.ana.is_told(count)

        assert town.cards() == [card]
        assert town.max.whispers() == []


async def test_every_kind_of_argument_is_changed_in_one_form_and_keeps_its_type(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    arguments, schema = json.dumps(ASKED), json.dumps(SCHEMA)
    await spoil(town.store, "UPDATE approvals SET arguments = :a, input_schema = :s", a=arguments, s=schema)
    form = await town.ana.presses_edit(card)
    changes = {"express": "0", "currency": "1", "address/city": "Salem"}

    assert "maximum" in (await town.ana.saves(form, amount="41.5", **changes))["amount"]
    assert await town.ana.saves(form, amount="35.5", **changes) == {}

    (kept,) = [json.loads(row["arguments"]) for row in await rows(town.store, "approvals")]
    after = {"amount": 35.5, "express": True, "currency": "EUR", "address": {"city": "Salem", "zip": "02101"}}
    assert kept == {**ASKED, **after}
    assert [type(kept[name]) for name in ("amount", "express")] == [float, bool]
    changed = await town.until(lambda: "amount: 40 -> 35.5" in json.dumps(town.cards()) and town.cards()[0], "it")
    await town.ana.clicks_in_an_old_window(card, "approval_approve")
    assert "has changed" in await town.ana.is_told()
    await town.ana.approves(changed)
    await town.card_says("Approved by ana")


async def test_two_who_act_at_once_leave_the_card_as_the_last_one_made_it(under: Under) -> None:
    async with under(TWO) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        await asyncio.gather(
            town.ana.approves(card),
            town.max.approves(card),
            town.ana.approves(card),
            town.max.writes(cast.OPS, "done?", thread_ts=card["ts"]),
        )

        await town.alice.gets(2)
        done = await town.card_says("The agent went on with it")
        assert "Approved by " in done["text"]
        assert not has_buttons(done)
        assert len(town.cards()) == 1
