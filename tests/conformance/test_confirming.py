"""Customers confirm in their own thread, which is parked on that very request; and what else happens there."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import sentences
from gateway.events import AskApproval, Consent
from tests.helpers.agents import Call
from tests.helpers.approvers import DENY, OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, WORDS, Ends, Start, text

CONFIRMS: dict[str, Any] = {"ask": ["requester"], "approvers": ["requester", "ana"]}
ASKED = Call("issue_refund", {"order_id": "A-1001", "amount": 40})


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(**{**CONFIRMS, **words})), ends, clock)


async def says(team: Team, words: str, number: str = ALICE, **more: Any) -> list[str]:
    """What they are told after it."""
    before = len(team.ends.sms.told(number))
    await team.core.door.inbox.add(replace(text(number, words, f"{number} {before} {words}"), **more))
    await team.works()
    return team.ends.sms.told(number)[before:]


# --- in the parked thread ----------------------------------------------------------------------------------


async def test_the_code_comes_in_the_thread_and_decides_while_it_is_parked(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(ASKED)
    (shown,) = [one.message for one in ends.sms.taken if isinstance(one.message, AskApproval)]
    (parked,) = await team.core.rows("conversations")
    assert (shown.to.account, shown.to.key) == (parked["account"], parked["thread_key"])
    assert parked["parked_turn_id"] is not None

    told = await says(team, f"YES {shown.code}")

    assert told[0].startswith("Approved: issue_refund. By you, ")
    assert told[1:] == ["ran"]
    assert (await team.sees(card.id)).decided_by == "requester"
    assert [row["kind"] for row in await team.core.rows("inbox")] == ["message", "verdict", "decision"]
    assert all(shown.code not in post for post in ends.agents.posts())


async def test_a_no_tells_the_agent_who_said_it(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(ASKED)

    told = await says(team, f"no {team.code_at(ALICE, card)}")

    assert await team.states() == ["denied"]
    assert told[0].startswith("Denied: issue_refund. By you, ")
    assert told[1].startswith("not run: ")


async def test_a_wrong_code_decides_nothing_and_the_right_one_still_does(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(ASKED)
    code = team.code_at(ALICE, card)

    assert await says(team, f"YES {'000000' if code != '000000' else '000001'}") == [WORDS.verdict_unclear]
    assert await team.states() == ["pending"]
    await says(team, f"YES {code}")

    assert await team.states() == ["approved"]


@pytest.mark.parametrize("words", ["yes", "YES", "Yes please!", "no", "ok", "and when will it arrive?"])
async def test_ordinary_words_are_held_and_answered_after_the_decision(
    start: Start, ends: Ends, clock: Clock, words: str
) -> None:
    team = await team_of(start, ends, clock, approvers=["requester", "ana"])
    (card,) = await team.asked(ASKED)

    assert await says(team, words) == [WORDS.held_for_requester]
    assert await team.states() == ["pending"]
    told = await says(team, f"YES {team.code_at(ALICE, card)}")

    assert told[1:] == ["ran", f"about {words}"]


async def test_nobody_answers_and_the_agent_hears_that_nobody_did(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, expires_after="20m")
    (card,) = await team.asked(ASKED)
    code = team.code_at(ALICE, card)

    await team.after(timedelta(minutes=21))

    assert await team.states() == ["expired"]
    assert "UNANSWERED" in team.answers[0].reason  # type: ignore[union-attr]
    (said,) = await says(team, f"YES {code}")
    assert said.startswith("issue_refund: Too late. ")
    assert await team.states() == ["expired"]
    assert len(team.answers) == 1


async def test_a_stop_decides_nothing_and_nothing_more_is_sent(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, expires_after="20m")
    await team.asked(ASKED)
    sent = len(ends.sms.taken)

    assert await says(team, "STOP", consent=Consent(state="out", source="keyword")) == []
    assert await team.states() == ["pending"]
    await team.after(timedelta(minutes=21))

    assert await team.states() == ["expired"]
    assert len(ends.sms.taken) == sent


# --- who may ------------------------------------------------------------------------------------------------


async def test_somebody_elses_number_with_that_code_decides_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(ASKED)
    words = f"YES {team.code_at(ALICE, card)}"

    for number in (BOB, PHONES["ana"], PHONES["ben"]):
        assert await says(team, words, number) == [f"about {words}"], "it is an ordinary message from there"

    assert await team.states() == ["pending"]


async def test_a_code_of_another_customers_own_request_decides_neither(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (alices,) = await team.asked(ASKED)
    await team.asked(ASKED, number=BOB)

    assert await says(team, f"YES {team.code_at(ALICE, alices)}", BOB) == [WORDS.verdict_unclear]
    assert await team.states() == ["pending", "pending"]


async def test_where_two_must_approve_the_customers_yes_is_none_of_them(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, ask=["requester", OPS], approvers=["requester", "ana", "ben"], required=2)
    (card,) = await team.asked(ASKED)

    (said,) = await says(team, f"YES {team.code_at(ALICE, card)}")
    assert "0 of 2" in said
    await team.clicks("ana", card)
    assert await team.states() == ["pending"]
    assert (await team.clicks("ben", card)).result == "decided"


# --- an approver who forgets the code ----------------------------------------------------------------------


async def test_an_approver_who_only_says_yes_is_asked_for_the_code_once(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana"], approvers=["ana"])
    (card,) = await team.asked(ASKED)

    said = [await team.texts("ana", words) for words in ("yes", "Yes!", "NO")]

    assert said == [WORDS.verdict_unclear, "", ""]
    assert await team.states() == ["pending"]
    assert len(ends.agents.posts()) == 1, "the agent is no party to it"
    assert "Approved" in await team.texts("ana", f"YES {team.code('ana', card)}")


async def test_of_an_approver_who_talks_with_the_agent_a_yes_is_an_answer_to_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana"], approvers=["ana"])
    await team.texts("ana", "kites")
    await team.asked(ASKED)

    assert await team.texts("ana", "yes") == "about yes"


# --- at the same moment -------------------------------------------------------------------------------------


async def test_the_same_verdict_brought_to_two_processes_at_once_decides_once_with_one_answer(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana"], approvers=["ana"])
    other = await start(at_work=False, policy=policy(ask=["sms:ana"], approvers=["ana"]))
    (card,) = await team.asked(ASKED)
    words = f"YES {team.code('ana', card)}"

    added = await asyncio.gather(*(core.receives(PHONES["ana"], words, "one text") for core in [team.core, other] * 10))
    await team.works()

    assert Counter(str(one) for one in added) == {"kept": 1, "duplicate": 19}
    assert len(ends.sms.told(PHONES["ana"])) == 1
    assert [await team.audited(what) for what in ("voted", "decided")] == [1, 1]
    assert len(team.answers) == 1


@pytest.mark.parametrize("round_", range(5))
async def test_of_a_click_and_a_text_at_the_same_moment_one_wins_and_the_other_is_told(
    start: Start, ends: Ends, clock: Clock, round_: int
) -> None:
    words: dict[str, Any] = {"ask": [OPS, "sms:ana"], "approvers": ["ana", "ben"]}
    team = await team_of(start, ends, clock, **words)
    other = team.over(await start(at_work=False, policy=policy(**words)))
    (card,) = await team.asked(ASKED)
    reply = f"YES {team.code('ana', card)}"

    _, clicked = await asyncio.gather(
        team.core.receives(PHONES["ana"], reply, "her text"), other.clicks("ben", card, DENY)
    )
    await team.works()

    (row,) = await team.core.rows("approvals")
    (told,) = ends.sms.told(PHONES["ana"])
    assert clicked.approval is not None
    if row["state"] == "approved":
        assert (clicked.result, clicked.approval.decided_by) == ("already", "ana")
        assert told.startswith("Approved: issue_refund. By ana, ")
    else:
        assert clicked.result == "decided"
        assert told == f"issue_refund: Already decided. Denied by ben, {sentences.time(row['decided_at'])}."
    assert len(team.answers) == 1
    assert len(await team.core.rows("votes")) == 1
