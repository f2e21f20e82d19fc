"""A colleague changes what the agent wants to do: what they saw last is what runs, at the real agent server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.agent.server.app import ServerSettings
from gateway.events import ApprovalView, Identity, Proof, Verdict
from gateway.ports import Decision
from tests.adapters.agent.world import serving
from tests.helpers.clock import Clock
from tests.helpers.rows import rows
from tests.helpers.town import Town

REFUND = "Please refund order A-1001, $40."
AGENT = """
name = "support"

[[tools]]
name = "issue_refund"
description = "Pay money back for an order."
approval = "requires_approval"
parameters = { order_id = {}, amount = { type = "number" }, reason = { required = false } }
static = { reason = "goodwill" }
"""


async def seen(town: Town) -> ApprovalView:
    await town.card()
    (row,) = await rows(town.store, "approvals")
    decision = await town.live.parts.door.approvals.read(row["id"], ana(town))
    assert decision.approval is not None
    return decision.approval


def ana(town: Town) -> Identity:
    return Identity(channel="slack", account="T0SANDBOX", address=town.ana.user, proof=Proof.PLATFORM)


async def edits(town: Town, card: ApprovalView, **changes: Any) -> Decision:
    arguments = {**(card.arguments or {}), **changes}
    return await town.live.parts.door.approvals.edit(card.id, ana(town), arguments, via="slack", digest=card.digest)


async def approves(town: Town, card: ApprovalView) -> None:
    doors = town.live.parts.door.approvals
    decision = await doors.decide(card.id, ana(town), Verdict.APPROVE, via="slack", digest=card.digest)
    assert decision.result == "decided"


@pytest.mark.long
async def test_the_edited_amount_is_what_is_paid_back(town: Town) -> None:
    await town.alice.texts(REFUND)
    card = await seen(town)
    assert card.can_edit

    refused = await edits(town, card, amount="35")
    edited = await edits(town, card, amount=35)

    assert (refused.result, refused.problems) == ("invalid", ("amount: '35' is not of type 'number'",))
    assert edited.result == "edited"
    assert edited.approval is not None
    assert edited.approval.difference == ("amount: 40 -> 35",)
    await approves(town, edited.approval)
    assert "$35" in (await town.alice.gets(2))[1]


@pytest.fixture
async def with_static(database_url: str, tmp_path: Path, clock: Clock) -> AsyncIterator[Town]:
    """A town whose agent's refunds always have the same reason."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "support.toml").write_text(AGENT)
    settings = ServerSettings(agents_dir=tmp_path / "agents", database_url=f"sqlite:///{tmp_path}/far.db")
    async with serving(settings) as url:
        town = Town(database_url, tmp_path, clock)
        town.with_agent_at(url)
        await town.open()
        yield town
        await town.close()


@pytest.mark.long
async def test_what_the_definition_sets_stays_and_runs_under_the_edit(with_static: Town) -> None:
    town = with_static
    await town.alice.texts(REFUND)
    card = await seen(town)
    assert card.arguments == {"order_id": "A-1001", "amount": 40, "reason": "goodwill"}

    other = await edits(town, card, reason="a favour")
    kept = await town.live.parts.door.approvals.edit(
        card.id, ana(town), {"order_id": "A-1001", "amount": 35}, via="slack", digest=card.digest
    )

    assert (other.result, len(other.problems)) == ("invalid", 1)
    assert "reason" in other.problems[0]
    assert kept.approval is not None
    assert kept.approval.arguments == {"order_id": "A-1001", "amount": 35, "reason": "goodwill"}
    assert kept.approval.difference == ("amount: 40 -> 35",)
    await approves(town, kept.approval)
    assert "$35" in (await town.alice.gets(2))[1]
