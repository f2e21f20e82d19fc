"""A request whose arguments nobody knows: nobody can say yes to it, and everybody who may can say no."""

from collections.abc import AsyncIterator

import pytest

from gateway.events import Confirm, Identity, Verdict
from tests.helpers.agents import AgentTurn, Call
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, ANA, WORDS, Core, Ends, opened


async def asks_without_arguments(turn: AgentTurn) -> None:
    (said,) = await turn.asks_all(Call("issue_refund", None))
    turn.replies("refunded" if isinstance(said, Confirm) else f"not refunded: {said.reason}")


@pytest.fixture
async def ends(clock: Clock) -> AsyncIterator[Ends]:
    made = Ends(clock)
    made.agents.does(asks_without_arguments, on="refund")
    yield made
    await made.aclose()


@pytest.fixture
async def core(database_url: str, ends: Ends, clock: Clock) -> AsyncIterator[Core]:
    async with opened(database_url, ends, clock) as made:
        yield made
        await ends.aclose()


async def asked(core: Core) -> str:
    """Alice wants a refund, and the agent does not say of what."""
    await core.receives(ALICE, "refund me")
    await core.drain()
    (row,) = await core.rows("approvals")
    assert row["arguments"] is None
    return str(row["id"])


async def test_nobody_approves_what_nobody_has_seen(core: Core) -> None:
    approval_id = await asked(core)

    decision = await core.approves(approval_id)

    assert decision.result == "unseen"
    assert decision.approval is not None
    assert [row["state"] for row in await core.rows("approvals")] == ["pending"]
    assert await core.rows("votes") == []
    refused = (await core.rows("audit"))[-1]
    assert (refused["what"], refused["approval_id"]) == ("refused", approval_id)
    assert "unseen" in str(refused)


async def test_who_may_not_decide_is_not_told_what_is_unseen(core: Core) -> None:
    stranger = Identity(channel="slack", account="T0TEAM", address="U0MAX", proof=ANA.proof)

    decision = await core.door.approvals.decide(await asked(core), stranger, Verdict.APPROVE, via="slack")

    assert (decision.result, decision.approval) == ("not_allowed", None)


async def test_what_nobody_has_seen_can_be_denied_and_the_customer_hears_of_it(core: Core, ends: Ends) -> None:
    approval_id = await asked(core)
    await core.approves(approval_id)

    decision = await core.door.approvals.decide(approval_id, ANA, Verdict.DENY, reason="say of what", via="slack")
    await core.drain()
    await core.work.deliver("sms:" + ALICE)

    assert decision.result == "decided"
    assert ends.sms.told(ALICE) == [WORDS.asked, "not refunded: say of what"]
