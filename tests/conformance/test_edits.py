"""Arguments that a person changes: what then holds is what the policy says of the new ones, never less than before."""

import pytest

from tests.helpers.agents import Call
from tests.helpers.approvers import OPS, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import Ends, Start

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
REFUND = Call(arguments={"amount": 40}, schema=SCHEMA)
LARGE = '[[approvals.tools.issue_refund.when]]\nif = "amount > 100"\nrequired = 2\n'
NEVER = '[[approvals.tools.issue_refund.when]]\nif = "amount > 1000"\ndecision = "deny"\n'
PEOPLE = {"ask": [OPS, "sms:ben"], "approvers": ["ana", "ben"]}


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    rules = f"[approvals.tools.issue_refund]\n{NEVER}{LARGE}"
    return Team(await start(at_work=False, policy=policy(**PEOPLE, more=rules)), ends, clock)


async def test_a_larger_amount_needs_the_people_that_amount_needs(team: Team) -> None:
    (card,) = await team.asked(REFUND)

    edited = await team.edits("ana", card, {"amount": 400})
    await team.works()
    assert edited.approval is not None

    assert (edited.approval.required, team.shows(card)[-1].required) == (2, 2)
    assert (await team.clicks("ana", edited.approval)).result == "voted"
    assert (await team.clicks("ben", edited.approval)).result == "decided"


async def test_an_amount_made_smaller_needs_no_fewer_people_than_were_asked_for(team: Team) -> None:
    (card,) = await team.asked(Call(arguments={"amount": 400}, schema=SCHEMA))

    edited = await team.edits("ana", card, {"amount": 40})

    assert edited.approval is not None
    assert (await team.clicks("ana", edited.approval)).result == "voted"


async def test_an_amount_that_the_policy_forbids_cannot_be_written_in(team: Team) -> None:
    (card,) = await team.asked(REFUND)

    assert (await team.edits("ana", card, {"amount": 4000})).result == "forbidden"
    assert (await team.clicks("ana", card)).result == "decided"


async def test_arguments_changed_there_and_back_get_a_code_that_is_good_each_time(team: Team) -> None:
    (card,) = await team.asked(REFUND)
    codes = [team.code("ben", card)]
    for amount in (50, 40, 50):
        edited = await team.edits("ana", await team.sees(card.id), {"amount": amount})
        assert edited.result == "edited"
        await team.works()
        codes.append(team.code("ben", card))

    assert len(set(codes)) == len(codes)
    assert "issue_refund" in await team.texts("ben", f"YES {codes[-1]}")
    assert await team.states() == ["approved"]
