"""Decisions on a card: by several people, by a group, after an edit, and of what a card cannot show."""

import json
from typing import Any

import pytest

from gateway.events import Identity, Proof
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."
LONG = f"{REFUND[:-1]} because {'it broke and broke ' * 1000}for good"
TWO = POLICY.replace(
    "[approvals.default]", '[people.max]\nslack = "U0MAX"\n\n[approvals.default]\nrequired = 2'
).replace('approvers = ["ana"]', 'approvers = ["ana", "max"]')
ANA = Identity(channel="slack", account="T0SANDBOX", address="U0ANA", proof=Proof.PLATFORM)


def by(approvers: str) -> str:
    return POLICY.replace('approvers = ["ana"]', f'approvers = ["{approvers}"]')


def buttons(card: dict[str, Any]) -> list[str]:
    return [one["action_id"] for block in card["blocks"] if block["type"] == "actions" for one in block["elements"]]


async def shows(town: Town, words: str) -> dict[str, Any]:
    """The card, once it says so."""
    return (await town.until(lambda: [one for one in town.cards() if words in json.dumps(one["blocks"])], words))[0]  # type: ignore[no-any-return]


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


async def test_two_people_approve_and_the_card_says_how_far_it_is(under: Under) -> None:
    async with under(TWO) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        await town.ana.approves(card)
        assert "1 of 2" in await town.ana.is_told()
        halfway = await shows(town, "1 of 2: ana")
        assert buttons(halfway) == ["approval_approve", "approval_edit", "approval_deny", "approval_open"]
        assert halfway["ts"] == card["ts"]
        await town.ana.approves(halfway)
        assert "1 of 2" in await town.ana.is_told(2)
        assert await states(town) == ["pending"]
        await town.max.approves(halfway)

        await town.card_says("Approved by ana, max")
        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_whoever_is_in_the_group_may_decide_and_nobody_else(under: Under) -> None:
    async with under(by("slack:group:S0LEADS")) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        await town.max.approves(card)
        assert "not yours" in await town.max.is_told()
        await town.ana.approves(card)

        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_while_a_group_cannot_be_looked_up_nobody_decides_by_it(under: Under) -> None:
    async with under(by("slack:group:S0GONE")) as town:
        await town.alice.texts(REFUND)

        await town.ana.approves(await town.card())

        assert "could not be looked up" in await town.ana.is_told()
        assert await states(town) == ["pending"]


async def test_a_click_on_a_card_that_was_changed_since_is_told_so(town: Town) -> None:
    await town.alice.texts(REFUND)
    card, asked = await town.card(), (await rows(town.store, "approvals"))[0]
    changed = {**json.loads(asked["arguments"]), "amount": 35}
    await town.live.parts.door.approvals.edit(asked["id"], ANA, changed, via="slack", digest=asked["digest"])

    for count, action in enumerate(("approval_approve", "approval_deny"), 1):
        await town.ana.clicks_in_an_old_window(card, action)
        assert "has changed since it was shown" in await town.ana.is_told(count)
    assert town.ana.forms() == []
    assert await states(town) == ["pending"]

    await town.ana.approves(await shows(town, "amount: 40 -> 35"))
    assert "$35" in (await town.alice.gets(2))[1]


async def test_what_a_card_cannot_show_is_approved_where_all_of_it_is_seen(town: Town) -> None:
    await town.alice.texts(LONG)
    card = await town.card()
    assert buttons(card) == ["approval_open", "approval_edit", "approval_deny"]
    assert "more characters" in json.dumps(card["blocks"])

    form = await town.ana.opens(card)
    assert "broke for good" in json.dumps(form["blocks"])
    await town.ana.presses(form, "approval_approve")

    assert "A-1001" in (await town.alice.gets(2))[1]
    await town.until(lambda: "Approved: issue_refund." in json.dumps(town.ana.forms()), "the form's answer")


async def test_a_stranger_opens_nothing(town: Town) -> None:
    await town.alice.texts(LONG)

    await town.max.clicks(await town.card(), "approval_open")

    assert "not yours" in await town.max.is_told()
    assert town.max.forms() == []


@pytest.mark.long
async def test_hidden_arguments_are_seen_in_the_whole_request_alone(under: Under) -> None:
    async with under(POLICY.replace('"24h"', '"24h"\nredact = ["order_id"]')) as town:
        await town.alice.texts("I want my money back for A-1001, $40, please refund it.")
        card = await town.card()
        assert "order_id: (hidden here" in json.dumps(card["blocks"])
        assert buttons(card) == ["approval_open", "approval_edit", "approval_deny"]

        form = await town.ana.opens(card)
        assert "order_id: A-1001" in json.dumps(form["blocks"])
        await town.ana.presses(form, "approval_approve")

        await town.card_says("Approved by ana")


@pytest.mark.long
async def test_a_customer_in_slack_confirms_in_their_own_thread(under: Under) -> None:
    requester = by("requester").replace('ask = ["slack:C0OPS"]', 'ask = ["requester"]')
    async with under(requester) as town:
        await town.max.writes("D0U0MAX", REFUND)

        def posts() -> list[dict[str, Any]]:
            return town.sandbox.state()["channels"]["D0U0MAX"]  # type: ignore[no-any-return]

        (card,) = await town.until(lambda: [one for one in posts() if one.get("blocks")], "the card")
        assert card["thread_ts"] == posts()[0]["ts"]

        response = await town.sandbox.click("U0MAX", "D0U0MAX", card["ts"], "approval_approve")

        assert response.status_code == 200
        await town.until(lambda: [one for one in posts() if "I refunded $40" in one["text"]], "the reply")
        assert town.cards() == []


async def test_before_what_cannot_be_undone_slack_asks_once_more(under: Under) -> None:
    async with under(POLICY.replace('"24h"', '"24h"\ndestructive = true')) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        (row,) = [block for block in card["blocks"] if block["type"] == "actions"]
        approve, *_, deny = row["elements"]
        assert approve["confirm"]["confirm"]["text"] == "Approve"
        assert "confirm" not in deny
        await town.ana.approves(card)
        await town.card_says("Approved by ana")
