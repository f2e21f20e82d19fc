"""What every approval must stand, each the bug of some public project: who decides, when, and how often."""

import asyncio
from datetime import timedelta

import pytest

from gateway.errors import AgentRefused, AgentUnavailable
from gateway.events import ApprovalState, Confirm, Deny
from tests.helpers import foreign
from tests.helpers.agents import Call
from tests.helpers.approvers import APPROVE, DENY, OPS, PHONES, Team, in_slack, policy, with_token
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start
from tests.helpers.meddling import spoil

DAY, MINUTE = timedelta(hours=24), timedelta(minutes=1)
EVERYWHERE = {"ask": [OPS, "sms:ana", "sms:ben"], "approvers": ["ana", "ben", "cleo"]}
ONCE = Confirm(arguments={"order_id": "A-1001", "amount": 40})


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy(**EVERYWHERE)), ends, clock)


async def test_a_double_click_decides_once(team: Team) -> None:
    (card,) = await team.asked()

    first, second = await asyncio.gather(team.clicks("ana", card), team.clicks("ana", card))
    await team.works()

    assert sorted((first.result, second.result)) == ["already", "decided"]
    assert (await team.audited("decided"), await team.audited("applied")) == (1, 1)
    assert team.answers == [ONCE]
    assert team.ends.sms.told(ALICE) == [WORDS.asked, "ran"]


async def test_of_a_click_a_text_and_the_api_at_once_one_wins_and_the_others_hear_who(team: Team) -> None:
    (card,) = await team.asked()
    words = f"NO {team.code('ben', card)}"

    clicked, _, called = await asyncio.gather(
        team.clicks("ana", card), team.core.receives(PHONES["ben"], words), team.calls("cleo", card, DENY)
    )
    await team.works()

    (row,) = await team.core.rows("approvals")
    winner = row["decided_by"]
    told = team.ends.sms.told(PHONES["ben"])[-1]
    assert await team.audited("decided") == 1
    for name, decision in (("ana", clicked), ("cleo", called)):
        assert decision.result == ("decided" if name == winner else "already")
        assert decision.approval is not None
        assert decision.approval.decided_by == winner
    assert told.startswith("issue_refund: ")
    assert ("Denied" if winner == "ben" else f"ed by {winner}") in told
    assert len(team.answers) == 1


async def test_a_stale_card_after_expiry_decides_nothing(team: Team) -> None:
    (card,) = await team.asked()
    code = team.code("ben", card)
    await team.after(DAY)

    late = await team.clicks("ana", card)

    assert late.result == "already"
    assert late.approval is not None
    assert late.approval.state is ApprovalState.EXPIRED
    assert late.approval.decided_by == ""
    assert "nobody decided" in await team.texts("ben", f"YES {code}")
    assert team.answers == [Deny(reason=f"UNANSWERED: {WORDS.unanswered}")]
    assert team.shows(card)[0].state is ApprovalState.EXPIRED


async def test_the_card_of_a_cancelled_request_decides_nothing_and_every_surface_says_so(team: Team) -> None:
    (card,) = await team.asked()
    await spoil(team.core.store, "UPDATE conversations SET parked_turn_id = NULL")  # as after a restored backup
    team.ends.agents.sessions.clear()
    await team.core.receives(ALICE, "kites")
    await team.works()

    late = await team.clicks("ana", card)

    assert late.result == "already"
    assert late.approval is not None
    assert late.approval.state is ApprovalState.CANCELLED
    assert "Withdrawn" in await team.texts("ben", f"YES {team.code('ben', card)}")
    assert team.answers == []
    assert [view.state for view in team.shows(card)] == [ApprovalState.CANCELLED]
    assert [view.state for view in team.shows(card, "sms")] == [ApprovalState.CANCELLED] * 2


async def test_a_restart_between_decision_and_resume_loses_no_answer(team: Team, start: Start) -> None:
    (card,) = await team.asked()
    await team.clicks("ana", card)

    after = team.over(await start(at_work=False, policy=policy(**EVERYWHERE)))
    await after.works()

    assert team.answers == [ONCE]
    assert team.ends.sms.told(ALICE) == [WORDS.asked, "ran"]
    assert team.shows(card)[-1].applied


async def test_resuming_that_fails_once_is_tried_again_and_the_decision_stays(team: Team) -> None:
    (card,) = await team.asked()
    team.ends.steps.fails("answering", AgentUnavailable("gone for a moment"))
    await team.clicks("ana", card)
    await team.works()
    assert await team.states() == ["approved"]

    await team.after(MINUTE)

    assert team.answers == [ONCE]
    assert team.ends.sms.told(ALICE)[-1] == "ran"


async def test_resuming_that_fails_for_ever_is_given_up_loudly_and_never_shown_as_done(team: Team) -> None:
    (card,) = await team.asked()
    await team.clicks("ana", card)
    team.ends.agents.away = True
    for _ in range(6):
        await team.after(timedelta(hours=5))

    (row,) = await team.core.rows("approvals")
    assert (row["state"], row["decided_by"], row["applied"]) == ("approved", "ana", False)
    assert row["trouble"]
    assert team.shows(card)[-1].trouble
    assert not any(view.applied for view in team.shows(card))
    assert team.ends.sms.told(ALICE)[-1] == WORDS.failed
    assert [alert for alert in team.ends.alerts() if "set aside" in alert]
    assert team.answers == []


async def test_an_answer_that_the_platform_refuses_is_said_on_the_card_and_given_up_after_minutes(team: Team) -> None:
    (card,) = await team.asked()
    team.ends.steps.fails("answering", *[AgentRefused("not now")] * 50)
    await team.clicks("ana", card)
    await team.works()
    assert team.shows(card)[-1].waiting

    for _ in range(15):
        await team.after(MINUTE)

    (row,) = await team.core.rows("approvals")
    assert (row["state"], row["applied"]) == ("approved", False)
    assert team.shows(card)[-1].trouble
    assert team.ends.sms.told(ALICE)[-1] == WORDS.failed


async def test_a_second_person_after_the_first_deny_changes_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(approvers=["ana", "ben"], required=2)), ends, clock)
    (card,) = await team.asked()

    denied = await team.clicks("ana", card, DENY, reason="too old")
    late = await team.calls("ben", card)
    await team.works()

    assert (denied.result, late.result) == ("decided", "already")
    assert late.approval is not None
    assert (late.approval.state, late.approval.decided_by) == (ApprovalState.DENIED, "ana")
    assert team.answers == [Deny(reason="too old")]


async def test_one_person_on_three_surfaces_is_one_vote_of_a_quorum(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(**EVERYWHERE | {"required": 2})), ends, clock)
    (card,) = await team.asked()

    votes = [await team.clicks("ana", card), await team.calls("ana", card), await team.clicks("ana", card)]
    told = await team.texts("ana", f"YES {team.code('ana', card)}")

    assert [vote.result for vote in votes] == ["voted"] * 3
    assert "1 of 2" in told
    assert await team.states() == ["pending"]
    assert (await team.clicks("ben", card)).result == "decided"
    assert [row["decided_by"] for row in await team.core.rows("approvals")] == ["ana, ben"]


async def test_one_address_is_one_vote_whatever_name_the_policy_has_for_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    words = {"ask": [OPS], "required": 2}
    before = await start(at_work=False, policy=policy(**words, approvers=["slack:U0DORA", "ben"]))
    team = Team(before, ends, clock)
    (card,) = await team.asked(seen_by="ben")
    assert (await team.clicks("dora", card)).result == "voted"

    after = await start(at_work=False, policy=policy(**words, approvers=["slack:T0TEAM/U0DORA", "ben"]))

    assert (await team.over(after).clicks("dora", card)).result == "voted"
    assert await team.states() == ["pending"]


async def test_who_asked_for_it_cannot_approve_it_under_any_address(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(approvers=["ana", "ben"])), ends, clock)
    (card,) = await team.asked(number=PHONES["ben"])

    for who, via in ((in_slack("ben"), "slack"), (with_token("ben"), "api")):
        refused = await team.decides(who, via, card)
        assert (refused.result, refused.approval) == ("not_allowed", None)

    assert (await team.clicks("ana", card)).result == "decided"


async def test_two_pending_tools_answered_out_of_order_each_get_their_own_answer(team: Team) -> None:
    refund, letter = await team.asked(Call("issue_refund", {"amount": 40}), Call("send_letter", {"to": "Bob"}))

    await team.clicks("ana", letter, DENY, reason="no letters")
    await team.works()
    assert team.answers == [], "the turn goes on when all are decided"
    await team.clicks("ben", refund, APPROVE)
    await team.works()

    assert team.answers == [Confirm(arguments={"amount": 40}), Deny(reason="no letters")]
    assert team.ends.sms.told(ALICE)[-1] == "ran; not run: no letters"
    assert await team.audited("applied") == 2


async def test_what_the_platform_waits_for_and_we_do_not_know_is_shown_and_decided(team: Team, start: Start) -> None:
    (known,) = await team.asked()
    foreign.asks_also(team.ends.agents, amount=7)
    restarted = team.over(await start(at_work=False, policy=policy(**EVERYWHERE)))
    await restarted.core.work.reconciling.look()
    await restarted.works()

    assert [card.arguments for card in team.ends.slack.cards()] == [known.arguments, {"amount": 7}]
    for card in team.ends.slack.cards():
        assert (await restarted.clicks("ana", card)).result == "decided"


async def test_what_the_platform_forgot_and_we_wait_for_is_withdrawn_everywhere(team: Team, start: Start) -> None:
    (card,) = await team.asked()
    foreign.forgets(team.ends.agents)
    restarted = team.over(await start(at_work=False, policy=policy(**EVERYWHERE)))
    await restarted.core.work.reconciling.look()
    await restarted.works()

    assert await team.states() == ["cancelled"]
    assert [view.state for view in (*team.shows(card), *team.shows(card, "sms"))] == [ApprovalState.CANCELLED] * 3
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.failed]
