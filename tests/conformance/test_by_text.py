"""Deciding by text where it goes wrong: the code ran out, the policy wants it elsewhere, the outcome told twice."""

from datetime import timedelta
from typing import Any

import pytest

from gateway import sentences
from gateway.events import ApprovalView, AskApproval, Remind
from tests.helpers.agents import Call
from tests.helpers.approvers import OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start

ASKED: dict[str, Any] = {"order_id": "A-1001", "amount": 40}
SCHEMA = {"type": "object", "properties": {"order_id": {"type": "string"}, "amount": {"type": "number"}}}
BY_TEXT: dict[str, Any] = {"ask": [OPS, "sms:ana"], "approvers": ["ana", "ben"]}
CODE_LIVES = timedelta(minutes=30)


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(**{**BY_TEXT, **words})), ends, clock)


def shown(team: Team, number: str = PHONES["ana"]) -> list[AskApproval | Remind]:
    """What a phone was shown of requests, in order."""
    sent = [one.message for one in team.ends.sms.taken if isinstance(one.message, AskApproval | Remind)]
    return [one for one in sent if one.to.key == number]


async def decided_at(team: Team) -> str:
    (row,) = await team.core.rows("approvals")
    return sentences.time(row["decided_at"])


async def ran_out(team: Team) -> tuple[ApprovalView, str]:
    """A request, and Ana's code for it, half an hour too old."""
    (card,) = await team.asked(Call(arguments=ASKED))
    code = team.code("ana", card)
    await team.after(CODE_LIVES)
    return card, code


# --- the code ran out --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["YES", "no"])
async def test_who_answers_too_late_is_sent_the_request_with_another_code(
    start: Start, ends: Ends, clock: Clock, verb: str
) -> None:
    team = await team_of(start, ends, clock)
    card, old = await ran_out(team)

    assert await team.texts("ana", f"{verb} {old}") == "", "the request itself is the answer"

    first, again = shown(team)
    assert isinstance(again, Remind)
    assert again.late
    assert (again.approval.tool, again.approval.arguments) == ("issue_refund", ASKED)
    assert again.code not in ("", old, first.code)
    assert await team.states() == ["pending"]
    assert await team.audited("code renewed") == 1

    await team.texts("ana", f"{verb} {again.code}")
    assert await team.states() == ["approved" if verb == "YES" else "denied"]
    assert "Already decided" in await team.texts("ana", f"{verb} {old}")
    assert (await team.sees(card.id)).decided_by == "ana"


async def test_a_late_answer_is_answered_once_and_again_only_when_the_new_code_has_run_out_too(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    _, old = await ran_out(team)

    for _ in range(2):  # the carrier hands the same text over twice
        await team.core.receives(PHONES["ana"], f"YES {old}", "one text")
    await team.works()
    assert len(shown(team)) == 2
    assert await team.texts("ana", f"YES {old}") == WORDS.code_replaced
    assert len(shown(team)) == 2

    await team.after(CODE_LIVES)
    await team.texts("ana", f"YES {old}")
    assert len(shown(team)) == 3


async def test_a_code_that_ran_out_days_ago_is_still_a_late_one(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, expires_after="7d")
    _, old = await ran_out(team)
    await team.after(timedelta(days=3))

    await team.texts("ana", f"YES {old}")

    assert len(shown(team)) == 2


async def test_the_agent_never_sees_a_code_that_ran_out(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    _, old = await ran_out(team)

    said = await team.texts("ana", f"yes {old} if it is still in time")

    assert said == WORDS.verdict_unclear
    assert all(old not in post for post in ends.agents.posts())


async def test_who_is_late_hears_who_decided_meanwhile_and_when(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, expires_after="7d")
    card, old = await ran_out(team)
    await team.after(timedelta(days=2))
    await team.clicks("ben", card)
    await team.works()

    said = await team.texts("ana", f"NO {old}")

    assert "Already decided. Approved by ben, " in said
    assert await decided_at(team) in said
    assert len(shown(team)) == 1


async def test_who_may_not_decide_any_more_is_sent_no_code(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    _, old = await ran_out(team)
    later = team.over(await start(at_work=False, policy=policy(ask=[OPS], approvers=["ben"])))

    assert await later.texts("ana", f"YES {old}") == sentences.NOT_YOURS
    assert len(shown(team)) == 1


async def test_a_policy_that_takes_texts_no_more_is_said_and_no_code_sent(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    _, old = await ran_out(team)
    later = team.over(await start(at_work=False, policy=policy(**BY_TEXT, surfaces=["slack"])))

    assert sentences.FIXED["elsewhere"] in await later.texts("ana", f"YES {old}")
    assert len(shown(team)) == 1


# --- the outcome -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["YES", "NO"])
async def test_who_decides_by_text_gets_one_text_with_what_who_and_when(
    start: Start, ends: Ends, clock: Clock, verb: str
) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana", "sms:ben"])
    (card,) = await team.asked()

    said = await team.texts("ana", f"{verb} {team.code('ana', card)}")

    state = "Approved" if verb == "YES" else "Denied"
    assert said == f"{state}: issue_refund. By ana, {await decided_at(team)}."
    outcomes = [one.message for one in ends.sms.taken if one.message.kind == "outcome"]
    assert [one.to.key for one in outcomes] == [PHONES["ben"]], "who did not decide hears of it by a text of its own"


async def test_a_customer_who_confirms_hears_it_once_too(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, ask=["requester"], approvers=["requester", "ana"])
    (card,) = await team.asked()

    await team.core.receives(ALICE, f"YES {team.code_at(ALICE, card)}", "her yes")
    await team.works()

    assert ends.sms.told(ALICE) == [f"Approved: issue_refund. By you, {await decided_at(team)}.", "ran"]
    assert not [one for one in ends.sms.taken if one.message.kind == "outcome"]


async def test_the_first_of_two_hears_of_the_second(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana", "sms:ben"], required=2)
    (card,) = await team.asked()

    assert "1 of 2" in await team.texts("ana", f"YES {team.code('ana', card)}")
    await team.texts("ben", f"YES {team.code('ben', card)}")

    outcomes = [one.message for one in ends.sms.taken if one.message.kind == "outcome"]
    assert [one.to.key for one in outcomes] == [PHONES["ana"]]


# --- not by text -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "elsewhere"),
    [
        ({"max_amount_sms": 30}, ("slack", "api")),
        ({"max_amount_sms": 30, "max_amount_slack": 30}, ("api",)),
        ({"max_amount_sms": 30, "ask": ["sms:ana"]}, ("api",)),
        ({"surfaces": ["slack"]}, ("slack",)),
        ({"surfaces": ["slack"], "ask": ["slack:ana", "sms:ana"]}, ("slack",)),
        ({"surfaces": ["slack"], "ask": ["slack:ben", "sms:ana"]}, ()),
        ({"approvers": ["ben"]}, ()),
        ({"approvers": ["slack:group:S0LEADS"], "surfaces": ["slack", "sms"]}, ("slack",)),
    ],
)
async def test_where_the_policy_takes_no_text_none_offers_a_code(
    start: Start, ends: Ends, clock: Clock, words: dict[str, Any], elsewhere: tuple[str, ...]
) -> None:
    team = await team_of(start, ends, clock, remind_after=["15m"], **words)
    await team.core.receives(ALICE, "hello")
    team.asks(Call(arguments=ASKED))
    await team.core.receives(ALICE, "refund, please")
    await team.works()
    await team.after(timedelta(minutes=15))

    assert [(one.kind, one.code, one.elsewhere) for one in shown(team)] == [
        ("ask", "", elsewhere),
        ("reminder", "", elsewhere),
    ]
    assert await team.core.rows("codes") == []


async def test_a_bare_number_above_the_cap_is_told_of_nowhere_else(start: Start, ends: Ends, clock: Clock) -> None:
    number = "+15550007777"
    bare = {"ask": [OPS, f"sms:{number}"], "approvers": [f"sms:{number}", "ana"]}
    team = await team_of(start, ends, clock, **bare, max_amount_sms=30)
    await team.asked(Call(arguments=ASKED))

    assert [(one.code, one.elsewhere) for one in shown(team, number)] == [("", ())]


async def test_an_edit_that_brings_it_below_the_cap_brings_a_code(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, max_amount_sms=30)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))
    await team.edits("ben", card, {**ASKED, "amount": 20})
    await team.works()

    assert [bool(one.code) for one in shown(team)] == [False, True]
    assert "Approved" in await team.texts("ana", f"YES {shown(team)[-1].code}")


async def test_an_edit_that_brings_it_above_the_cap_takes_the_code_away(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, max_amount_sms=50)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))
    old = team.code("ana", card)
    await team.edits("ben", card, {**ASKED, "amount": 60})
    await team.works()

    assert [(bool(one.code), one.elsewhere) for one in shown(team)] == [
        (True, ("slack", "api")),
        (False, ("slack", "api")),
    ]
    assert "Nothing was decided" in await team.texts("ana", f"YES {old}")
