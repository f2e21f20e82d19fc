"""What the platform says is pending, and what our rows say: where they differ, nobody waits for ever."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.errors import AgentUnavailable
from gateway.events import Answer, ApprovalAsked, ApprovalState, Confirm, Deny
from gateway.listening import NO_LONGER_KNOWN
from gateway.reconciling import AGAIN, AT_ONCE, EVERY, FORGOTTEN
from tests.helpers import foreign
from tests.helpers.agents import AgentTurn, Call, Session, asks_first
from tests.helpers.approvers import Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start, seen
from tests.helpers.meddling import spoil

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


@pytest.fixture
async def restarted(team: Team, start: Start) -> Team:
    """Another process on the same rows, which has not looked yet."""
    return team.over(await start(at_work=False, policy=policy()))


async def looks(team: Team) -> None:
    await team.core.work.reconciling.look()
    await team.works()


def open_at_the_platform(session: Session) -> Sequence[str]:
    return [one.message_id for one in session.history if isinstance(one, ApprovalAsked) and one.open]


# --- it is pending there, and we do not know it ------------------------------------------------------------


async def test_a_request_of_a_parked_turn_that_we_do_not_know_is_adopted_and_shown(team: Team, restarted: Team) -> None:
    (known,) = await team.asked()
    team.ends.agents.schemas["issue_refund"] = {"type": "object", "properties": {"amount": {"type": "number"}}}
    foreign.asks_also(team.ends.agents, amount=7)

    await looks(restarted)
    await looks(restarted)

    first, second = await team.core.rows("approvals")
    assert [card.arguments for card in team.ends.slack.cards()] == [known.arguments, {"amount": 7}]
    assert (second["state"], second["turn_id"]) == ("pending", first["turn_id"])
    assert (await team.sees(second["id"])).can_edit
    assert team.ends.sms.told(ALICE) == [WORDS.asked], "they have been told already"


async def test_the_turn_goes_on_when_the_adopted_request_is_decided_too(team: Team, restarted: Team) -> None:
    (known,) = await team.asked()
    session = foreign.session_of(team.ends.agents)
    name = foreign.asks_also(team.ends.agents, amount=7)
    await looks(restarted)
    adopted = await team.sees((await team.core.rows("approvals"))[1]["id"])

    await team.clicks("ana", known)
    await team.works()
    assert team.answers == []
    await team.clicks("ana", adopted)
    await team.works()

    assert session._answers[name].result() == Confirm(arguments={"amount": 7})
    assert team.ends.sms.told(ALICE)[-1] == "ran"


async def test_requests_whose_rows_are_lost_are_asked_once_more(team: Team, restarted: Team) -> None:
    await team.asked()
    await spoil(team.core.store, "DELETE FROM approvals")

    await looks(restarted)

    (row,) = await team.core.rows("approvals")
    await team.clicks("ana", await team.sees(row["id"]))
    await team.works()
    assert team.ends.sms.told(ALICE)[-1] == "ran"


async def test_a_request_that_came_while_we_crashed_is_adopted_by_the_next_try(team: Team, start: Start) -> None:
    team.asks(Call())
    team.ends.steps.fails("hearing ApprovalAsked", AgentUnavailable("cut"))
    await team.core.receives(ALICE, "refund")
    await team.works()

    after = team.over(await start(at_work=False, policy=policy()))
    await after.after(MINUTE)

    assert [row["state"] for row in await team.core.rows("approvals")] == ["pending"]
    assert team.ends.sms.told(ALICE) == [WORDS.asked]


# --- it is pending there, and nobody's ---------------------------------------------------------------------


async def test_a_request_of_no_turn_of_ours_is_denied_as_unanswered(team: Team, restarted: Team) -> None:
    await team.core.receives(ALICE, "kites")
    await team.works()
    session = foreign.session_of(team.ends.agents)
    foreign.asks_also(team.ends.agents, amount=7)  # before our post: whoever asked for it, it was not this turn
    (nobodys,) = open_at_the_platform(session)
    await team.asked()

    await looks(restarted)

    assert session._answers[nobodys].result() == NO_LONGER_KNOWN
    assert NO_LONGER_KNOWN.reason.startswith("UNANSWERED")
    assert await team.states() == ["pending"]


@pytest.mark.parametrize("says_so", [True, False])
async def test_a_post_into_a_session_that_waits_for_nobody_denies_that_and_is_answered(
    team: Team, says_so: bool
) -> None:
    await team.core.receives(ALICE, "hello")
    await team.works()
    agents = team.ends.agents
    agents.says_status = says_so
    told: list[Answer] = []

    async def somebody_elses(turn: AgentTurn) -> None:
        told.append(await turn.asks())

    agents.does(somebody_elses, on="elsewhere")
    session = foreign.session_of(agents)
    agents.takes(session, "line\nelsewhere", "of another client")
    await seen(lambda: open_at_the_platform(session))

    await team.core.receives(ALICE, "kites")
    await team.works()

    assert told == [NO_LONGER_KNOWN]
    assert team.ends.sms.told(ALICE) == ["about hello", "about kites"]
    assert await team.core.rows("approvals") == []


# --- we think it is pending, and the platform does not -----------------------------------------------------


async def test_when_the_session_is_gone_the_request_is_withdrawn_everywhere_and_the_customer_hears(
    team: Team, restarted: Team
) -> None:
    (card,) = await team.asked()
    await team.core.receives(ALICE, "kites")
    await team.works()
    team.ends.agents.sessions.clear()

    await looks(restarted)

    (row,) = await team.core.rows("approvals")
    assert (row["state"], row["applied"]) == ("cancelled", False)
    assert "no such session" in row["reason"]
    assert team.shows(card)[0].state is ApprovalState.CANCELLED
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.held, WORDS.failed, "about kites"]
    assert (await team.clicks("ana", card)).result == "already"
    assert await team.audited("withdrawn") == 1


async def test_what_somebody_answered_at_the_platform_is_withdrawn_and_the_agents_reply_is_sent(
    team: Team, restarted: Team
) -> None:
    (card,) = await team.asked()
    foreign.denies(team.ends.agents)

    await looks(restarted)

    (row,) = await team.core.rows("approvals")
    assert (row["state"], row["reason"], row["applied"]) == ("cancelled", FORGOTTEN, False)
    assert team.shows(card)[-1].state is ApprovalState.CANCELLED
    assert team.answers == [Deny(reason="not from there")]
    assert team.ends.sms.told(ALICE) == [WORDS.asked, "not run: not from there"]


async def test_what_the_platform_forgot_is_withdrawn_and_the_customer_hears(team: Team, restarted: Team) -> None:
    (card,) = await team.asked()
    foreign.forgets(team.ends.agents)

    await looks(restarted)

    assert [row["reason"] for row in await team.core.rows("approvals")] == [FORGOTTEN]
    assert team.shows(card)[-1].state is ApprovalState.CANCELLED
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.failed]


async def test_of_two_requests_the_forgotten_one_is_withdrawn_and_the_other_still_decided(
    team: Team, restarted: Team
) -> None:
    first, second = await team.asked(Call("issue_refund", {"amount": 1}), Call("send_letter", {"to": "Bob"}))
    session = foreign.session_of(team.ends.agents)
    session.answered(open_at_the_platform(session)[0], Deny(reason="not from there"))

    await looks(restarted)
    assert await team.states() == ["cancelled", "pending"]
    await team.clicks("ana", second)
    await team.works()

    assert team.answers == [Deny(reason="not from there"), Confirm(arguments={"to": "Bob"})]
    assert team.ends.sms.told(ALICE)[-1] == "not run: not from there; ran"
    assert [view.state for view in team.shows(first)] == [ApprovalState.CANCELLED]


# --- when it is looked -------------------------------------------------------------------------------------


async def test_what_both_agree_on_is_left_alone_and_looked_at_once(team: Team, restarted: Team) -> None:
    await team.asked()
    before = team.ends.steps.passed.count("reading")

    for _ in range(5):
        await looks(restarted)
    assert team.ends.steps.passed.count("reading") == before + 1
    team.clock.passes(EVERY)
    await looks(restarted)

    assert team.ends.steps.passed.count("reading") == before + 2
    assert await team.states() == ["pending"]


async def test_an_agent_that_is_away_is_asked_again_later(team: Team, restarted: Team) -> None:
    await team.asked()
    team.ends.agents.sessions.clear()
    team.ends.steps.fails("attaching", AgentUnavailable("away"))

    await looks(restarted)
    assert await team.states() == ["pending"]
    team.clock.passes(AGAIN)
    await looks(restarted)
    team.clock.passes(AGAIN)
    await looks(restarted)

    assert await team.states() == ["cancelled"]


async def test_a_few_are_looked_at_at_a_time_and_by_one_process(team: Team, restarted: Team, start: Start) -> None:
    another = await start(at_work=False, policy=policy())
    team.ends.agents.does(asks_first, on="refund")
    for number in range(AT_ONCE + 2):
        await team.core.receives(f"+1555000{number:04}", "refund")
    await team.works()
    before = team.ends.steps.passed.count("reading")

    await restarted.core.work.reconciling.look()
    await another.work.reconciling.look()
    assert team.ends.steps.passed.count("reading") == before + AT_ONCE
    await restarted.core.work.reconciling.look()

    assert team.ends.steps.passed.count("reading") == before + AT_ONCE + 2
