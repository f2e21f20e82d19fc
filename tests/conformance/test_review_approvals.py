"""What a review of the approvals found: who is asked after an edit, who waits behind whom, and what doubt eases."""

from datetime import timedelta

import pytest

from gateway import stop
from gateway.errors import ConfigError
from gateway.policy.explaining import explain
from gateway.policy.file import read
from gateway.policy.rules import Rule
from tests.helpers.agents import Call
from tests.helpers.approvers import DENY, OPS, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import Ends, Start

SCHEMA = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
REFUND = Call(arguments={"amount": 40}, schema=SCHEMA)
LARGE_IS_CLEOS = (
    '[[approvals.tools.issue_refund.when]]\nif = "amount > 100"\nask = ["sms:cleo"]\napprovers = ["cleo"]\n'
)
SECOND = timedelta(seconds=1)


async def team_of(start: Start, ends: Ends, clock: Clock, written: str) -> Team:
    return Team(await start(at_work=False, policy=written), ends, clock)


# --- shown to whom it then concerns ------------------------------------------------------------------------


async def test_who_alone_may_decide_after_an_edit_is_shown_the_request(start: Start, ends: Ends, clock: Clock) -> None:
    rules = f"[approvals.tools.issue_refund]\n{LARGE_IS_CLEOS}"
    team = await team_of(start, ends, clock, policy(ask=[OPS], approvers=["ana"], more=rules))
    (card,) = await team.asked(REFUND)

    assert (await team.edits("ana", card, {"amount": 400})).result == "edited"
    await team.works()
    assert [card.arguments for card in ends.sms.cards()] == [{"amount": 400}]

    assert "issue_refund" in await team.texts("cleo", f"YES {team.code('cleo', card)}")
    assert await team.states() == ["approved"]


async def test_arguments_that_nobody_could_approve_cannot_be_written_in(start: Start, ends: Ends, clock: Clock) -> None:
    nobodys = '[[approvals.tools.issue_refund.when]]\nif = "amount > 100"\napprovers = []\n'
    team = await team_of(start, ends, clock, policy(more=f"[approvals.tools.issue_refund]\n{nobodys}"))
    (card,) = await team.asked(REFUND)

    assert (await team.edits("ana", card, {"amount": 400})).result == "forbidden"
    assert (await team.clicks("ana", card)).result == "decided"


async def test_an_argument_that_would_run_all_the_same_cannot_be_left_out(
    start: Start, ends: Ends, clock: Clock
) -> None:
    kinds = {"order_id": {"type": "string"}, "amount": {"type": "number"}, "note": {"type": "string"}}
    team = await team_of(start, ends, clock, policy())
    (card,) = await team.asked(
        Call(arguments={"order_id": "A-1", "amount": 40}, schema={"type": "object", "properties": kinds})
    )

    for fewer in ({"order_id": "A-1"}, {}):
        refused = await team.edits("ana", card, fewer)
        assert (refused.result, refused.problems[0]) == ("invalid", "amount: cannot be left out, only changed")

    more = await team.edits("ana", card, {"order_id": "A-1", "amount": 40, "note": "x"})
    assert more.approval is not None
    assert (await team.edits("ana", more.approval, {"order_id": "A-1", "amount": 30})).result == "edited"


async def test_a_request_waits_for_its_own_conversation_and_approver_not_for_those_before_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    bens = '[approvals.tools.close_account]\nask = ["slack:C0BEN"]\napprovers = ["ben"]\n'
    team = await team_of(start, ends, clock, policy(more=bens))
    await team.asked(*(Call(arguments={"n": n}) for n in range(4)))  # the fourth waits for its conversation
    bens_cards = []
    for n in range(26):
        number, call = f"+1555{n:07d}", Call(tool="close_account", arguments={"account": n})
        bens_cards += await team.asked(call, number=number, seen_by="ben")
    assert len(ends.slack.cards()) == 3 + 25

    assert (await team.clicks("ben", bens_cards[0], DENY)).result == "decided"
    await team.after(SECOND)
    assert ends.slack.cards()[-1].arguments == {"account": 25}


# --- a stop that holds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [stop.APPROVALS, stop.ALL])
async def test_a_deadline_takes_no_approval_of_its_turn_past_a_pause(
    start: Start, ends: Ends, clock: Clock, scope: str
) -> None:
    short = '[approvals.tools.close_account]\nexpires_after = "1h"\n'
    team = await team_of(start, ends, clock, policy(more=short))
    refund, _ = await team.asked(REFUND, Call(tool="close_account", arguments={"account": 7}))
    assert (await team.clicks("ana", refund)).result == "decided"
    await team.works()
    clock.passes(timedelta(hours=2))
    await team.core.work.sweep()
    await team.core.store.write(lambda tx: stop.pause(tx, [scope], by="ana", reason="", now=clock()))

    await team.works()
    assert (await team.states(), team.answers) == (["approved", "expired"], [])

    await team.core.store.write(lambda tx: stop.resume(tx, [scope], by="ana", now=clock()))
    await team.after(SECOND)
    assert len(team.answers) == 2


# --- who counts --------------------------------------------------------------------------------------------


async def test_the_vote_of_who_is_no_approver_any_more_does_not_count(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, policy(approvers=["ana", "ben", "cleo"], required=2))
    (card,) = await team.asked(REFUND)
    assert (await team.clicks("ana", card)).result == "voted"

    today = team.over(await start(at_work=False, policy=policy(approvers=["ben", "cleo"], required=2)))
    assert (await today.clicks("ben", card)).result == "voted"
    assert (await today.clicks("cleo", card)).result == "decided"
    assert [row["decided_by"] for row in await today.core.rows("approvals")] == ["ben, cleo"]


@pytest.mark.parametrize("word", ["ask", "approvers", "escalate_to"])
def test_a_phone_of_somebody_nobody_knows_is_refused(word: str) -> None:
    words = {"ask": [OPS], "approvers": ["ana"], word: ["sms:bob"]}
    with pytest.raises(ConfigError, match="bob"):
        read(policy(**words))


def test_one_person_under_two_names_is_not_two_for_a_quorum() -> None:
    with pytest.raises(ConfigError, match="nobody could approve"):
        read(policy(approvers=["ana", "slack:U0ANA"], required=2))


def test_a_folder_of_time_zones_is_no_time_zone() -> None:
    with pytest.raises(ConfigError, match="there is no time zone 'Europe'"):
        read(policy(quiet_hours="20:00-08:00 Europe"))


# --- a condition that cannot be evaluated ------------------------------------------------------------------

TIERS = Rule.model_validate(
    {
        "ask": ["slack:C0OPS"],
        "approvers": ["ana", "ben", "cleo"],
        "when": [
            {"if": "amount <= 20", "decision": "approve"},
            {"if": "amount > 1000 or currency != 'USD'", "required": 2, "approvers": ["ben", "cleo"]},
            {"if": "'test' in reason", "decision": "deny"},
        ],
    }
)


@pytest.mark.parametrize("amount", ["5000", None, [5000]])
def test_an_amount_that_is_no_number_is_not_past_the_conditions_after_it(amount: object) -> None:
    ruling = TIERS.of({"amount": amount, "currency": "USD", "reason": "broken"})

    assert (ruling.says, ruling.sure) == ("ask", False)
    assert (ruling.terms.required, ruling.terms.approvers) == (2, ("ben", "cleo"))


def test_what_a_later_condition_denies_is_not_asked_for_in_doubt() -> None:
    assert TIERS.of({"amount": "5", "reason": "a test"}).says == "deny"


def test_in_doubt_nobody_decides_whom_one_of_the_two_does_not_name() -> None:
    juniors = Rule.model_validate(
        {
            "ask": ["slack:C0CFO"],
            "approvers": ["cleo"],
            "when": [{"if": "amount <= 50", "ask": ["slack:C0OPS"], "approvers": ["ana", "cleo"]}],
        }
    )
    ruling = juniors.of({"amount": "5000"})
    assert (ruling.terms.approvers, ruling.terms.ask) == (("cleo",), ("slack:C0CFO", "slack:C0OPS"))

    apart = Rule.model_validate({"approvers": ["cleo"], "when": [{"if": "amount <= 50", "approvers": ["ana"]}]})
    assert apart.of({"amount": "5000"}).terms.approvers == ()


def test_the_explanation_says_what_was_looked_at_in_doubt() -> None:
    rule = '{if = "amount <= 20", decision = "approve"}, {if = "n == 1"}, {if = "n < 9"}'
    told = explain(read(f"[approvals.tools.refund]\nwhen = [{rule}]"), "refund", {"amount": "5", "n": 1})

    assert [one.found for one in told.conditions] == ["cannot be evaluated", "holds", "not looked at"]
