"""Somebody presses stop: nothing is lost, everybody hears of it once, and it all goes on in order."""

import asyncio
import contextlib
import json

import pytest

from adapters.agent.client import AgentClient, AgentSettings
from adapters.sandbox import cast
from config import wiring
from config.cli.rows import whoever
from gateway import policy as policies
from gateway.events import Identity, Proof, Verdict
from tests.helpers.cli import says
from tests.helpers.rows import rows
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40."


async def gateway(town: Town, *words: str) -> str:
    """The command line beside the running town."""
    return await says(town.settings.database_url, *words)


async def decided(town: Town, approval: str) -> None:
    """Ana approves at a door behind which nobody works."""
    nowhere = AgentClient(AgentSettings(url="http://127.0.0.1:1/v1"))
    ana = Identity(channel="slack", account=cast.TEAM, address=town.ana.user, proof=Proof.PLATFORM)
    parts_of = wiring.build(
        town.settings, policies.read(town.policy), nowhere, public_url="http://127.0.0.1:1", clock=town.clock
    )
    async with contextlib.aclosing(nowhere), parts_of as parts:
        digest = next(row["digest"] for row in await rows(parts.store, "approvals") if row["id"] == approval)
        decision = await parts.door.approvals.decide(approval, ana, Verdict.APPROVE, via="slack", digest=digest)
    assert decision.result == "decided"


async def test_while_all_is_paused_messages_are_kept_told_once_and_answered_in_order_after(town: Town) -> None:
    said = await gateway(town, "pause", "--reason", "we move house")
    assert "paused: everything" in said
    assert whoever() in said
    assert "we move house" in said

    await town.alice.texts("Where is order A-1001?")
    await town.bob.texts("Where is order A-1003?")
    assert "paused" in (await town.alice.gets(1))[0]
    assert "paused" in (await town.bob.gets(1))[0]
    await town.alice.texts("Where is order A-1002?")
    assert await rows(town.store, "turns") == []

    assert "resumed: everything" in await gateway(town, "resume")

    got = await town.alice.gets(3)
    assert "A-1001" in got[1]
    assert "A-1002" in got[2]
    assert "A-1003" in (await town.bob.gets(2))[1]
    assert sum("paused" in text for text in town.alice.got()) == 1
    assert [row["status"] for row in await rows(town.store, "inbox")] == ["done"] * 3


async def test_a_pause_of_one_channel_leaves_the_other_alone(town: Town) -> None:
    await gateway(town, "pause", "--channel", "sms")

    await town.alice.texts("Where is order A-1001?")
    await town.ana.writes("D0U0ANA", "Where is order A-1002?")

    assert "paused" in (await town.alice.gets(1))[0]
    await town.until(
        lambda: any("A-1002" in post["text"] for post in town.sandbox.state()["channels"]["D0U0ANA"][1:]), "the answer"
    )
    assert "nothing is paused" in await gateway(town, "resume", "--channel", "sms")
    assert "A-1001" in (await town.alice.gets(2))[1]


async def test_a_pause_of_an_agent_holds_its_conversations(town: Town) -> None:
    await gateway(town, "pause", "--agent", "support")
    await town.alice.texts("Where is order A-1001?")
    assert "paused" in (await town.alice.gets(1))[0]

    await gateway(town, "resume", "--agent", "support")

    assert "A-1001" in (await town.alice.gets(2))[1]


async def test_while_approvals_are_paused_nobody_approves_and_a_denial_is_taken(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.alice.gets(1)
    await gateway(town, "pause", "--approvals")

    await town.ana.approves(card)

    assert "paused" in await town.ana.is_told()
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["pending"]
    assert town.cards()[0]["blocks"] == card["blocks"]
    await town.bob.texts("Where is order A-1003?")
    assert "A-1003" in (await town.bob.gets(1))[0]

    await town.ana.denies(card, "It was delivered 60 days ago")
    await town.card_says("Denied by ana")
    assert [row["state"] for row in await rows(town.store, "approvals")] == ["denied"]
    assert len(town.alice.got()) == 1

    await gateway(town, "resume", "--approvals")
    assert "60 days ago" in (await town.alice.gets(2))[1]


async def test_a_request_that_could_not_be_approved_in_the_pause_can_be_after_it(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await gateway(town, "pause", "--approvals")
    await town.ana.approves(card)
    await town.ana.is_told()

    await gateway(town, "resume")
    await town.ana.approves(card)

    assert "A-1001" in (await town.alice.gets(2))[1]


@pytest.mark.long
async def test_a_decision_made_before_the_pause_waits_for_its_end(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await town.card()
    await town.alice.gets(1)
    approval = (await rows(town.store, "approvals"))[0]["id"]
    await town.close()
    await decided(town, approval)
    await gateway(town, "pause", "--approvals")
    await town.restart()
    await town.bob.texts("Where is order A-1003?")
    await town.bob.gets(1)

    assert len(town.alice.got()) == 1
    assert [row["status"] for row in await rows(town.store, "inbox") if row["kind"] == "decision"] == ["new"]
    await gateway(town, "resume")

    assert "A-1001" in (await town.alice.gets(2))[1]
    assert "The agent went on with it" in (await town.card_says("went on"))["text"]
    assert card["ts"] == town.cards()[0]["ts"]


async def test_the_pauses_are_listed_for_people_and_scripts_and_all_is_audited(town: Town) -> None:
    assert await gateway(town, "pause", "--list") == "nothing is paused\n"
    await gateway(town, "pause", "--channel", "slack", "--approvals", "--reason", "a drill")
    assert "paused already: approvals" in await gateway(town, "pause", "--approvals")

    listed = json.loads(await gateway(town, "pause", "--list", "--json"))
    await gateway(town, "resume", "--channel", "slack")
    again = await gateway(town, "resume", "--channel", "slack")

    assert [(one["scope"], one["by"], one["reason"]) for one in listed] == [
        ("channel:slack", whoever(), "a drill"),
        ("approvals", whoever(), "a drill"),
    ]
    assert "was not paused: channel slack" in again
    assert "approvals" in again
    trail = [(row["what"], json.loads(row["facts"])["scope"]) for row in await rows(town.store, "audit")]
    assert trail == [("paused", "channel:slack"), ("paused", "approvals"), ("resumed", "channel:slack")]


async def test_a_stopped_turn_says_nothing_and_the_next_message_is_answered(town: Town) -> None:
    await town.alice.texts("Count slowly to 20.")
    while not await rows(town.store, "turns"):  # noqa: ASYNC110 - a row has no event to give us
        await asyncio.sleep(0.01)
    said = await gateway(town, "conversations", "interrupt", "1")

    await town.alice.texts("Where is order A-1001?")

    got = await town.alice.gets(1)
    assert "turn that r" in said
    assert "A-1001" in got[0]
    assert [row["state"] for row in await rows(town.store, "turns")] == ["interrupted", "done"]
    assert [row["what"] for row in await rows(town.store, "audit")] == ["interrupted"]
    assert "no turn of conversation 1 runs" in await gateway(town, "conversations", "interrupt", "1")
