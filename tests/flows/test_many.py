"""Many people at once: order within a conversation, none between conversations, one decision a request."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from gateway.events import Identity, Proof, Verdict
from tests.helpers.clock import Clock
from tests.helpers.process import until
from tests.helpers.rows import rows
from tests.helpers.town import Phone, Town

ANA = Identity(channel="slack", account="T0SANDBOX", address="U0ANA", proof=Proof.PLATFORM)


async def test_texts_sent_at_once_from_one_number_are_answered_in_the_order_they_were_kept(town: Town) -> None:
    orders = ["A-1001", "A-1002", "A-1003", "A-1004", "A-1005"]
    await asyncio.gather(*(town.alice.texts(f"Where is order {order}?") for order in orders))

    got = await town.alice.gets(5)

    asked = [row["posted_text"] for row in sorted(await rows(town.store, "turns"), key=lambda row: row["id"])]
    kept = [row["payload"] for row in sorted(await rows(town.store, "inbox"), key=lambda row: row["seq"])]
    for i in range(5):
        order = next(order for order in orders if order in got[i])
        assert order in asked[i]
        assert order in kept[i]


@pytest.mark.long
async def test_fifty_numbers_at_once_are_answered_in_parallel(town: Town) -> None:
    phones = [Phone(town, f"+1555100{number:04d}") for number in range(50)]

    await asyncio.gather(*(phone.texts("Count slowly to 20.") for phone in phones))
    await town.until(lambda: _all_answered(town, phones), "fifty replies")

    turns = await rows(town.store, "turns")
    assert len(turns) == 50
    # Each takes two seconds: one after the other, the last would begin long after the first had ended.
    assert max(turn["started_at"] for turn in turns) < min(turn["ended_at"] for turn in turns)


def _all_answered(town: Town, phones: list[Phone]) -> bool:
    seen = town.sandbox.state()["phones"]
    return all(any(m["direction"] != "inbound" for m in seen.get(phone.number, [])) for phone in phones)


async def test_of_many_decisions_at_once_one_wins_and_the_others_are_told_who(town: Town) -> None:
    await town.alice.texts("Please refund order A-1001, $40.")
    await town.card()
    approval = (await rows(town.store, "approvals"))[0]["id"]
    decide = town.live.parts.door.approvals.decide

    verdicts = [Verdict.APPROVE, Verdict.DENY] * 20
    decisions = await asyncio.gather(*(decide(approval, ANA, verdict, reason="x", via="slack") for verdict in verdicts))

    results = Counter(decision.result for decision in decisions)
    assert results == {"decided": 1, "already": 39}
    assert {decision.approval.decided_by for decision in decisions if decision.approval} == {"ana"}
    assert len(await rows(town.store, "votes")) == 1
    assert len(await town.alice.gets(2)) == 2


async def test_two_clicks_at_once_make_one_decision_and_one_reply(town: Town) -> None:
    await town.alice.texts("Please refund order A-1001, $40.")
    card = await town.card()

    await asyncio.gather(town.ana.approves(card), town.ana.approves(card))

    assert "Already decided" in await town.ana.is_told()
    await town.card_says("The agent went on with it")
    assert sum("A-1001" in text for text in town.alice.got()) == 1


async def test_a_decision_does_not_wait_behind_other_peoples_slow_replies(
    database_url: str, tmp_path: Path, clock: Clock
) -> None:
    town = Town(database_url, tmp_path, clock)
    town.settings = town.settings.model_copy(update={"turn_slots": 1})
    await town.open()
    await town.alice.texts("Please refund order A-1001, $40.")
    card = await town.card()
    await town.bob.texts("Count slowly to 20.")
    await until(lambda: _turns(town, 2), "Bob's turn")

    await town.ana.approves(card)

    await town.alice.gets(2)
    assert town.bob.got() == []
    await town.bob.gets(1)
    await town.close()


async def _turns(town: Town, count: int) -> bool:
    return len(await rows(town.store, "turns")) == count
