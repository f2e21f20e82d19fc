"""What waits for an approver, in one place: the Home tab and `/approvals`."""

import json
from typing import Any

from adapters.sandbox import cast
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40."
OTHER = "Please refund order A-1002, $15."


def opens(home: dict[str, Any], number: str) -> str:
    """The id of the block whose buttons are about this order."""
    blocks = home["blocks"]
    about = next(at for at, block in enumerate(blocks) if number in json.dumps(block))
    return next(str(block["block_id"]) for block in blocks[about:] if block["type"] == "actions")


async def both_wait(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.bob.texts(OTHER)
    await town.until(lambda: len(town.cards()) == 2, "two cards")


async def test_an_approver_finds_all_that_waits_and_opens_the_one_they_mean(town: Town) -> None:
    await both_wait(town)
    home = await town.ana.opens_home()
    assert "2 requests wait for you" in json.dumps(home)

    await town.sandbox.press(cast.ANA, home["id"], "approval_open", block_id=opens(home, "A-1002"))
    form = (await town.until(town.ana.forms, "the whole request"))[-1]
    assert "A-1002" in json.dumps(form)
    await town.ana.presses(form, "approval_approve")

    assert "A-1002" in (await town.bob.gets(2))[1]
    await town.until(
        lambda: "One request waits" in json.dumps(town.sandbox.state()["homes"]), "the Home tab without it"
    )


async def test_whom_nothing_waits_for_sees_nothing_of_it(town: Town) -> None:
    await both_wait(town)

    home = json.dumps(await town.max.opens_home())

    assert "Nothing waits for you" in home
    assert "A-100" not in home


async def test_the_command_answers_whoever_gave_it_alone(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()

    await town.sandbox.write(cast.ANA, cast.OPS, "/approvals")
    await town.sandbox.write(cast.MAX, cast.OPS, "/approvals")

    assert "One request waits for you." in await town.ana.is_told()
    assert "Nothing waits for you." in await town.max.is_told()
    listed = town.sandbox.state()["ephemerals"][cast.ANA][-1]
    assert "A-1001" in json.dumps(listed["blocks"])


async def test_a_denial_from_the_home_tab_reaches_the_customer(town: Town) -> None:
    await town.alice.texts(REFUND)
    await town.card()
    home = await town.ana.opens_home()

    await town.ana.presses(home, "approval_deny")
    await town.ana.submits((await town.until(town.ana.forms, "the form"))[-1], "too late")

    assert "too late" in (await town.alice.gets(2))[1]


async def test_what_was_decided_meanwhile_is_said_over_the_home_tab(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    home = await town.ana.opens_home()
    await town.ana.clicks_in_an_old_window(card, "approval_approve")
    await town.card_says("Approved by ana")

    await town.ana.presses(home, "approval_open")

    said = await town.until(town.ana.forms, "the answer")
    assert "Approved by ana" in json.dumps(said)
