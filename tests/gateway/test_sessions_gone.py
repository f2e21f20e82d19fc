"""The platform loses a session, wants something renewed, or takes no answer: the conversation goes on all the same."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.conversations import PATIENCE_REFUSED
from gateway.errors import AgentRefused, AgentUnavailable, LineLost
from gateway.events import ApprovalState, ShowOutcome, TurnFailed, UserPosted
from tests.helpers.agents import AgentTurn, Session, asks_first
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Core, Ends, opened
from tests.helpers.meddling import spoil

MARKED = "<transcript note="


@pytest.fixture
async def ends(clock: Clock) -> AsyncIterator[Ends]:
    made = Ends(clock)
    made.agents.does(asks_first, on="refund")
    yield made
    await made.aclose()


@pytest.fixture
async def core(database_url: str, ends: Ends, clock: Clock) -> AsyncIterator[Core]:
    async with opened(database_url, ends, clock) as made:
        yield made
        await ends.aclose()


async def says(core: Core, words: str) -> None:
    """Alice writes, and all that is due is done."""
    await core.receives(ALICE, words)
    await core.drain()
    await delivers(core)


async def delivers(core: Core) -> None:
    for lane in ("sms:" + ALICE, "slack:C0OPS", "slack:C0ALERTS"):
        await core.work.deliver(lane)


def texts(session: Session) -> list[str]:
    """Posts, whole."""
    return [entry.text for entry in session.history if isinstance(entry, UserPosted)]


def outcomes(ends: Ends) -> list[Any]:
    """What the card in Slack was changed to, in order."""
    return [one.message.approval for one in ends.slack.taken if isinstance(one.message, ShowOutcome)]


def the_newest(ends: Ends) -> Session:
    return list(ends.agents.sessions.values())[-1]


async def later(clock: Clock, core: Core, seconds: float) -> None:
    clock.passes(timedelta(seconds=seconds))
    await core.drain()
    await delivers(core)


# --- a session that is gone --------------------------------------------------------------------------------


async def test_a_session_that_is_gone_is_replaced_by_one_that_knows_what_was_said(core: Core, ends: Ends) -> None:
    await says(core, "My name is Alice")
    ends.agents.sessions.clear()

    await says(core, "kites")
    await says(core, "more kites")

    (session,) = ends.agents.sessions.values()
    first, second = texts(session)
    assert first.startswith("<sender ")
    assert [line for line in first.splitlines()[1:-1] if not line.startswith("<")] == [
        "customer: My name is Alice",
        "you: about My name is Alice",
    ]
    assert first.splitlines()[-1] == "kites"
    assert MARKED in first
    assert MARKED not in second
    assert ends.sms.told(ALICE) == ["about My name is Alice", "about kites", "about more kites"]


async def test_a_new_session_after_a_long_silence_begins_anew(core: Core, ends: Ends, clock: Clock) -> None:
    await says(core, "My name is Alice")
    clock.passes(timedelta(days=31))

    await says(core, "kites")

    assert len(ends.agents.sessions) == 2
    assert not any(MARKED in text for text in texts(the_newest(ends)))


@pytest.mark.parametrize("place", ["posted", "hearing Replied"])
async def test_what_the_new_session_was_told_is_posted_once(core: Core, ends: Ends, clock: Clock, place: str) -> None:
    await says(core, "My name is Alice")
    ends.agents.sessions.clear()
    ends.agents.steps.fails(place, AgentUnavailable("cut"))

    await says(core, "kites")
    await later(clock, core, 5)

    (session,) = ends.agents.sessions.values()
    assert [MARKED in text for text in texts(session)] == [True]
    assert ends.sms.told(ALICE)[-1] == "about kites"


async def test_a_request_whose_session_is_gone_is_withdrawn_with_a_reason(core: Core, ends: Ends) -> None:
    await says(core, "refund me")
    (card,) = ends.slack.cards()
    ends.agents.sessions.clear()

    await core.approves(card.id)
    await core.drain()
    await delivers(core)
    await says(core, "kites")

    (row,) = await core.rows("approvals")
    assert (row["state"], row["applied"]) == ("approved", False), "the decision stays what it was"
    assert "no such session" in row["trouble"]
    assert [view.trouble != "" for view in outcomes(ends)][-1]
    assert ends.sms.told(ALICE) == [WORDS.asked, WORDS.failed, "about kites"]
    assert MARKED in texts(the_newest(ends))[0]
    assert [alert for alert in ends.alerts() if "set aside" in alert]


async def test_what_the_old_session_still_asks_for_is_withdrawn_when_the_conversation_leaves_it(
    core: Core, ends: Ends
) -> None:
    await says(core, "refund me")
    await spoil(core.store, "UPDATE conversations SET parked_turn_id = NULL")  # as after a restored backup
    ends.agents.sessions.clear()

    await says(core, "kites")

    (row,) = await core.rows("approvals")
    assert row["state"] == "cancelled"
    assert "no such session" in row["reason"]
    assert [view.state for view in outcomes(ends)] == [ApprovalState.CANCELLED]
    assert ends.sms.told(ALICE)[-1] == "about kites"


# --- a line that is lost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["posting", "posted", "hearing Replied"])
async def test_a_line_lost_for_a_moment_costs_no_try_of_the_lane(core: Core, ends: Ends, place: str) -> None:
    ends.agents.steps.fails(place, LineLost("cut"))

    await says(core, "kites")

    assert ends.sms.told(ALICE) == ["about kites"]
    assert ends.agents.posts() == ["kites"]
    assert [row["attempts"] for row in await core.rows("inbox")] == [0]


@pytest.mark.parametrize("place", ["reading", "answering", "answered", "hearing Replied"])
async def test_a_line_lost_under_a_decision_costs_no_try_of_the_lane(core: Core, ends: Ends, place: str) -> None:
    await says(core, "refund me")
    (card,) = ends.slack.cards()
    ends.agents.steps.fails(place, LineLost("cut"))

    await core.approves(card.id)
    await core.drain()
    await delivers(core)

    assert ends.sms.told(ALICE) == [WORDS.asked, "refunded"]
    assert [row["attempts"] for row in await core.rows("inbox")] == [0, 0]


# --- something to renew ------------------------------------------------------------------------------------


async def needs_renewal(turn: AgentTurn) -> None:
    session = turn._session
    session.keep(TurnFailed(message_id=session.new_id(), error="renew Gmail", reauthorize=True))


async def test_a_connection_to_renew_is_told_to_both_and_the_conversation_goes_on(core: Core, ends: Ends) -> None:
    ends.agents.does(needs_renewal, on="mail")
    await says(core, "mail me")
    await says(core, "mail me again")
    await says(core, "kites")

    assert ends.sms.told(ALICE) == [WORDS.cut_off, WORDS.cut_off, "about kites"]
    (alert,) = ends.alerts()
    assert "renew Gmail" in alert
    assert len(ends.agents.sessions) == 3, "the old ones wait for what nobody here can give them"
    assert "customer: mail me again" in texts(the_newest(ends))[0]


# --- a request that nobody can answer ----------------------------------------------------------------------


async def asks_without_an_id(turn: AgentTurn) -> None:
    turn._session.keep(TurnFailed(message_id="", error="no message id", unanswerable=True))


async def test_a_request_that_nobody_can_answer_is_told_to_both_and_the_conversation_goes_on(
    core: Core, ends: Ends
) -> None:
    ends.agents.does(asks_without_an_id, on="order")
    await says(core, "order one")
    await says(core, "kites")

    assert ends.sms.told(ALICE) == [WORDS.failed, "about kites"]
    (alert,) = ends.alerts()
    assert "no message id" in alert
    assert len(ends.agents.sessions) == 2, "the old one waits for an answer that nobody can give it"


# --- a platform that takes no answer -----------------------------------------------------------------------


async def test_a_decision_the_platform_refuses_stays_and_says_that_it_is_not_applied(
    core: Core, ends: Ends, clock: Clock
) -> None:
    await says(core, "refund me")
    (card,) = ends.slack.cards()
    ends.agents.steps.fails("answering", *[AgentRefused("no")] * 3)

    await core.approves(card.id)
    await core.drain()
    await delivers(core)
    assert [view.waiting for view in outcomes(ends)] == ["", "the agent platform refused it; it is tried again"]
    assert outcomes(ends)[-1].state is ApprovalState.APPROVED
    assert ends.alerts() == []
    for _ in range(4):
        await later(clock, core, 20)

    (row,) = await core.rows("approvals")
    assert (row["state"], row["applied"], row["trouble"]) == ("approved", True, "")
    assert ends.sms.told(ALICE) == [WORDS.asked, WORDS.late, "refunded"]
    assert [(view.waiting, view.applied) for view in outcomes(ends)][-1] == ("", True)
    assert len(outcomes(ends)) == 3, "the card says it once"
    assert [alert for alert in ends.alerts() if "refuses" in alert]


async def test_a_decision_the_platform_refuses_for_good_is_shown_as_not_confirmed(
    core: Core, ends: Ends, clock: Clock
) -> None:
    await says(core, "refund me")
    (card,) = ends.slack.cards()
    ends.agents.steps.fails("answering", *[AgentRefused("no")] * 100)
    await core.approves(card.id)
    await core.drain()
    for _ in range(4):
        await later(clock, core, PATIENCE_REFUSED.total_seconds() / 2)

    (row,) = await core.rows("approvals")
    assert (row["state"], row["applied"]) == ("approved", False)
    assert row["trouble"]
    assert ends.sms.told(ALICE)[-1] == WORDS.failed


async def test_a_platform_that_is_away_is_named_on_the_card_after_a_while(core: Core, ends: Ends, clock: Clock) -> None:
    await says(core, "refund me")
    (card,) = ends.slack.cards()
    ends.agents.away = True
    await core.approves(card.id)
    await core.drain()
    await delivers(core)
    assert [view.waiting for view in outcomes(ends)] == [""]

    await later(clock, core, 20)
    await later(clock, core, 20)

    assert [view.waiting for view in outcomes(ends)][1:] == ["the agent platform does not answer; it is tried again"]
