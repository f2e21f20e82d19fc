"""An approver changes the arguments in Slack: in a form made for the tool, then shown, then approved."""

import json
from typing import Any

from gateway.events import Identity, Proof
from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."
ANA = Identity(channel="slack", account="T0SANDBOX", address="U0ANA", proof=Proof.PLATFORM)


def also(word: str) -> str:
    return POLICY.replace('expires_after = "24h"', f'expires_after = "24h"\n{word}')


async def kept(town: Town) -> dict[str, Any]:
    return json.loads((await rows(town.store, "approvals"))[0]["arguments"])  # type: ignore[no-any-return]


async def test_an_approver_lowers_the_amount_and_approves_what_they_saved(town: Town) -> None:
    await town.alice.texts(REFUND)
    form = await town.ana.presses_edit(await town.card())

    assert await town.ana.saves(form, amount="35") == {}
    assert town.ana.forms() == []
    changed = await town.until(
        lambda: next((one for one in town.cards() if "amount: 40 -> 35" in json.dumps(one["blocks"])), None),
        "the card with the difference",
    )
    await town.ana.approves(changed)

    assert "$35" in (await town.alice.gets(2))[1]


async def test_what_is_wrong_stays_in_the_form_and_changes_nothing(town: Town) -> None:
    await town.alice.texts(REFUND)
    form = await town.ana.presses_edit(await town.card())

    said = await town.ana.saves(form, amount="a little")

    assert "Write a number" in said["amount"]
    assert (await kept(town))["amount"] == 40
    assert len(town.ana.forms()) == 1


async def test_a_stranger_opens_no_form(town: Town) -> None:
    await town.alice.texts(REFUND)

    await town.max.clicks(await town.card(), "approval_edit")

    assert "not yours" in await town.max.is_told()
    assert town.max.forms() == []


async def test_a_form_that_was_overtaken_by_another_edit_saves_nothing(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    form = await town.ana.presses_edit(card)
    asked = (await rows(town.store, "approvals"))[0]
    theirs = {**json.loads(asked["arguments"]), "amount": 20}
    await town.live.parts.door.approvals.edit(asked["id"], ANA, theirs, via="slack", digest=asked["digest"])

    said = await town.ana.saves(form, amount="35")

    assert "changed" in json.dumps(said)
    assert (await kept(town))["amount"] == 20


async def test_a_form_of_a_request_that_was_decided_meanwhile_says_who_decided(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    form = await town.ana.presses_edit(card)
    await town.ana.clicks_in_an_old_window(card, "approval_approve")
    await town.card_says("Approved by ana")

    said = await town.ana.saves(form, amount="35")

    assert "Approved by ana" in json.dumps(said)
    assert (await kept(town))["amount"] == 40


async def test_a_hidden_argument_is_in_no_form_and_stays(under: Under) -> None:
    async with under(also('redact = ["reason"]')) as town:
        await town.alice.texts(REFUND)
        form = await town.ana.presses_edit(await town.card())
        before = await kept(town)
        assert before["reason"] not in json.dumps(form)

        assert await town.ana.saves(form, amount="35") == {}

        assert await kept(town) == {**before, "amount": 35}


async def test_where_the_policy_forbids_edits_there_is_no_button(under: Under) -> None:
    async with under(also('edit = "forbid"')) as town:
        await town.alice.texts(REFUND)

        assert "approval_edit" not in json.dumps((await town.card())["blocks"])
