"""What was seen is what is decided: after another policy, over a pause, and of what is not theirs nothing at all."""

from datetime import timedelta
from typing import Any

import pytest

from gateway import grace, stop
from gateway.approvals.views import HIDDEN
from gateway.events import ApprovalState, Deny, Verdict
from tests.helpers.agents import Call
from tests.helpers.approvers import DENY, OPS, Team, in_slack, policy, with_token
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
TWO: dict[str, Any] = {"approvers": ["ana", "ben"], "required": 2}


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(**words)), ends, clock)


# --- another policy while it is open -----------------------------------------------------------------------


@pytest.mark.parametrize(("then", "now"), [([], ["order_id"]), (["order_id"], []), (["order_id"], ["amount"])])
async def test_what_either_policy_hides_is_hidden_in_all_that_is_shown_from_then_on(
    start: Start, ends: Ends, clock: Clock, then: list[str], now: list[str]
) -> None:
    team = await team_of(start, ends, clock, **TWO, redact=then, ask=[OPS, "sms:ben"], remind_after=["1h"])
    (card,) = await team.asked()
    today = team.over(
        await start(at_work=False, policy=policy(**TWO, redact=now, ask=[OPS, "sms:ben"], remind_after=["1h"]))
    )

    await today.clicks("ana", card)
    await today.after(HOUR)

    hidden = {*then, *now}
    reminders = [one.message.approval for one in ends.sms.taken[-1:] if hasattr(one.message, "approval")]
    for view in (today.shows(card)[-1], await today.sees(card.id), *reminders):
        assert view.arguments is not None
        assert {name for name, value in view.arguments.items() if value == HIDDEN} == hidden
    assert reminders, "the reminder by text was looked at, too"
    opened = await today.core.door.approvals.read(card.id, with_token("ben"), whole=True)
    assert opened.approval is not None
    assert opened.approval.arguments == {"order_id": "A-1001", "amount": 40}


async def test_what_was_not_sent_yet_goes_out_without_what_is_hidden_since(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ben"], approvers=["ben"])
    team.asks(Call())
    await team.core.receives(ALICE, "refund")
    await team.core.drain()
    today = team.over(
        await start(at_work=False, policy=policy(ask=["sms:ben"], approvers=["ben"], redact=["order_id"]))
    )

    await today.works()

    (asked,) = ends.sms.cards()
    assert asked.arguments == {"order_id": HIDDEN, "amount": 40}
    assert asked.hidden == ("order_id",)


async def test_a_hidden_argument_is_not_in_the_difference_whatever_it_is_called(
    start: Start, ends: Ends, clock: Clock
) -> None:
    kinds = {"card: number": {"type": "string"}, "amount": {"type": "number"}}
    team = await team_of(start, ends, clock, redact=["card: number"])
    (card,) = await team.asked(
        Call(arguments={"card: number": "4111", "amount": 40}, schema={"type": "object", "properties": kinds})
    )

    edited = await team.edits("ana", card, {"card: number": "4222", "amount": 35})
    await team.works()

    assert edited.approval is not None
    for view in (edited.approval, team.shows(card)[-1], await team.sees(card.id)):
        assert sorted(view.difference) == ["amount: 40 -> 35", "card: number: changed (hidden here)"]


async def test_where_the_approvers_are_gone_who_may_decide_now_is_asked_once(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approvers=["ana"])
    (card,) = await team.asked()
    written = policy(approvers=["cleo"], ask=["sms:cleo"])
    today = team.over(await start(at_work=False, policy=written))

    await today.after(SECOND)
    again = team.over(await start(at_work=False, policy=written))
    await again.after(MINUTE)

    assert [asked.id for asked in ends.sms.cards()] == [card.id]
    assert await again.audited("asked anew") == 1
    assert today.shows(card)[-1].approvers == ("cleo",)
    assert (await again.clicks("ana", card)).result == "not_allowed"
    assert "issue_refund" in await again.texts("cleo", f"YES {again.code('cleo', card)}")
    assert await again.states() == ["approved"]


async def test_while_one_of_those_who_were_asked_may_decide_nobody_else_is_asked(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben"])
    (card,) = await team.asked()
    today = team.over(await start(at_work=False, policy=policy(approvers=["ben", "cleo"], ask=[OPS, "sms:cleo"])))

    await today.after(SECOND)

    assert ends.sms.cards() == []
    assert (await today.clicks("ben", card)).result == "decided"


async def test_a_request_that_another_policy_leaves_to_nobody_ends_and_operations_hear_of_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    await team.asked()
    today = team.over(await start(at_work=False, policy=policy(approvers=[])))

    await today.after(SECOND)

    assert await today.states() == ["expired"]
    assert team.answers == [Deny(reason=f"UNANSWERED: {WORDS.unreachable}")]
    assert [alert for alert in ends.alerts() if "nobody can approve" in alert]


# --- a pause -----------------------------------------------------------------------------------------------


async def pause(team: Team, scope: str) -> None:
    await team.core.store.write(lambda tx: stop.pause(tx, [scope], by="ana", reason="", now=team.clock()))


async def resume(team: Team) -> None:
    await team.core.store.write(lambda tx: stop.resume(tx, [], by="ana", now=team.clock()))


@pytest.mark.parametrize("scope", [stop.APPROVALS, stop.ALL])
async def test_a_pause_takes_nothing_of_the_time_in_which_a_request_can_be_decided(
    start: Start, ends: Ends, clock: Clock, scope: str
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await team.after(23 * HOUR)
    await pause(team, scope)
    await team.after(5 * HOUR)
    assert (await team.states(), (await team.clicks("ana", card)).result) == (["pending"], "paused")

    await resume(team)
    await team.after(SECOND)
    shown = team.shows(card)[-1]
    assert shown.state is ApprovalState.PENDING
    assert timedelta() <= clock() + HOUR - shown.expires_at < MINUTE
    await team.after(HOUR - MINUTE)
    assert await team.states() == ["pending"]

    await team.after(MINUTE)
    assert await team.states() == ["expired"]


async def test_after_a_pause_there_are_ten_minutes_at_least(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await team.after(24 * HOUR - MINUTE)
    await pause(team, stop.APPROVALS)
    await team.after(HOUR)
    await resume(team)

    await team.after(9 * MINUTE)

    assert (await team.clicks("ana", card)).result == "decided"


async def test_in_a_pause_a_denial_is_taken_also_after_the_deadline(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await pause(team, stop.APPROVALS)
    clock.passes(25 * HOUR)

    assert (await team.clicks("ana", card, DENY)).result == "decided"


async def test_a_pause_of_something_else_keeps_no_deadline_waiting(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    await team.asked()
    await pause(team, stop.scope_of_channel("sms"))

    await team.after(24 * HOUR)

    assert await team.states() == ["expired"]


def test_no_request_waits_longer_than_the_agent_does_but_for_ten_minutes(clock: Clock) -> None:
    asked = clock()
    week, now = asked + timedelta(days=7), asked + timedelta(days=9)

    early = grace.until(asked + 6 * 24 * HOUR, asked=asked, since=asked + HOUR, now=asked + 48 * HOUR)
    late = grace.until(asked + 24 * HOUR, asked=asked, since=asked + HOUR, now=now)

    assert (early, late) == (week, now + 10 * MINUTE)


# --- of what is not theirs, nothing ------------------------------------------------------------------------


@pytest.mark.parametrize("approver", ["ana", "slack:group:S0LEADS"])
async def test_a_request_of_others_and_one_that_does_not_exist_are_answered_alike(
    start: Start, ends: Ends, clock: Clock, approver: str
) -> None:
    team = await team_of(start, ends, clock, approvers=[approver])
    await team.asked(seen_by="ana") if approver == "ana" else await _asked_of_a_group(team)
    (row,) = await team.core.rows("approvals")
    approvals = team.core.door.approvals

    for who, via in ((in_slack("ben"), "slack"), (with_token("ben"), "api")):
        for name in (row["id"], "no-such-request"):
            answers = [
                await approvals.read(name, who, via=via),
                await approvals.read(name, who, via=via, whole=True),
                await approvals.whole(name, who, via=via),
                await approvals.edit(name, who, {"amount": 1}, via=via, digest=row["digest"]),
                *[await approvals.decide(name, who, one, via=via, digest=row["digest"]) for one in Verdict],
            ]
            expected = "not_allowed" if approver == "ana" else "unsure"
            assert {(one.result, one.approval, one.problems) for one in answers} == {(expected, None, ())}
    assert await team.core.rows("openings") == []


async def test_a_code_of_somebody_else_is_answered_like_one_that_was_never_given(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben"], ask=["sms:ana", "sms:ben"])
    (card,) = await team.asked()
    given = {team.code("ana", card), team.code("ben", card)}
    never = next(code for n in range(100_000, 100_003) if (code := str(n)) not in given)

    said = [await team.texts("ben", f"YES {code}") for code in (team.code("ana", card), never)]

    assert said[0] == said[1] != ""
    assert await team.states() == ["pending"]


async def _asked_of_a_group(team: Team) -> None:
    """Nobody at all can be looked up in it."""
    team.asks(Call())
    await team.core.receives("+15550001111", "refund")
    await team.works()
