"""What every approval must stand, each the bug of some public project: what people saw, what waits, what is told."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.events import Confirm, Deny
from tests.helpers.agents import Call
from tests.helpers.approvers import DENY, OPS, PHONES, Team, in_slack, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALERTS, ALICE, BOB, WORDS, Ends, Start

DAY, WEEK = timedelta(hours=24), timedelta(days=7)
LONG = {"order_id": "A-1001", "amount": 40, "note": "x" * 5_000}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string"},
        "amount": {"type": "number"},
        "express": {"type": "boolean"},
        "reason": {"enum": ["damaged", "late"]},
        "address": {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]},
    },
    "required": ["order_id", "amount"],
}
ASKED: dict[str, Any] = {"order_id": "A-1001", "amount": 40, "express": False, "reason": "late"}


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(**words)), ends, clock)


async def test_a_decision_on_arguments_that_were_changed_since_is_void(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben"], ask=[OPS, "sms:ben"])
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))
    code = team.code("ben", card)
    await team.edits("ana", card, {**ASKED, "amount": 4000})
    await team.works()

    assert (await team.clicks("ben", card)).result == "changed"
    assert "Nothing was decided" in await team.texts("ben", f"YES {code}")
    assert await team.states() == ["pending"]

    assert (await team.clicks("ben", await team.sees(card.id))).result == "decided"
    await team.works()
    assert team.answers == [Confirm(arguments={**ASKED, "amount": 4000})]


async def test_a_vote_on_earlier_arguments_does_not_count_for_others(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben"], required=2)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))
    await team.clicks("ana", card)
    await team.edits("ben", card, {**ASKED, "amount": 4000})

    changed = await team.sees(card.id)
    assert (await team.clicks("ben", changed)).result == "voted"
    assert (await team.clicks("ana", changed)).result == "decided"


async def test_truncated_arguments_are_approved_only_by_who_opened_the_whole(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approvers=["ana", "ben"])
    (card,) = await team.asked(Call(arguments=LONG))

    assert (await team.clicks("ana", card)).result == "unseen"
    opened = await team.core.door.approvals.read(card.id, in_slack("ana"), whole=True)
    assert opened.approval is not None
    assert opened.approval.arguments == LONG
    assert (await team.clicks("ben", card)).result == "unseen", "what Ana read, Ben has not"
    assert (await team.clicks("ana", card)).result == "decided"
    await team.works()
    assert team.answers == [Confirm(arguments=LONG)]


async def test_truncated_arguments_may_be_denied_unread(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=LONG))

    assert (await team.clicks("ana", card, DENY)).result == "decided"


async def test_arguments_the_platform_never_sent_are_approved_by_nobody(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, ask=[OPS, "sms:ana"])
    (card,) = await team.asked(Call(arguments=None))

    assert (await team.clicks("ana", card)).result == "unseen"
    assert (await team.calls("ana", card)).result == "unseen"
    assert "Nothing was decided" in await team.texts("ana", f"YES {team.code('ana', card)}")
    await team.core.door.approvals.read(card.id, in_slack("ana"), whole=True)
    assert (await team.clicks("ana", card)).result == "unseen"

    assert (await team.clicks("ana", card, DENY)).result == "decided"


async def test_arguments_the_platform_never_sent_are_approved_where_the_policy_says_so(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, approve_unseen=True)
    (card,) = await team.asked(Call(arguments=None))

    assert (await team.clicks("ana", card)).result == "decided"
    await team.works()
    assert team.answers == [Confirm(arguments={})]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"amount": 35.5}, {"amount": "35.5"}),
        ({"express": True}, {"express": "true"}),
        ({"reason": "damaged"}, {"reason": "Damaged"}),
        ({"address": {"street": "Main St 1"}}, {"address": "Main St 1"}),
    ],
    ids=["number", "boolean", "enum", "nested object"],
)
async def test_an_edited_argument_keeps_its_type_up_to_the_agent(
    start: Start, ends: Ends, clock: Clock, change: dict[str, Any], wrong: dict[str, Any]
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA))

    refused = await team.edits("ana", card, ASKED | wrong)
    edited = await team.edits("ana", card, ASKED | change)

    assert (refused.result, edited.result) == ("invalid", "edited")
    assert refused.problems[0].startswith(next(iter(wrong)))
    assert edited.approval is not None
    assert [line.partition(":")[0] for line in edited.approval.difference] == list(change)
    assert (await team.clicks("ana", edited.approval)).result == "decided"
    await team.works()
    assert team.answers == [Confirm(arguments=ASKED | change)]
    (row,) = await team.core.rows("edits")
    assert (row["digest_before"], row["digest_after"]) == (card.digest, edited.approval.digest)


@pytest.mark.parametrize("words", [{"edit": "forbid"}, {"approvers": ["ben"]}, {"surfaces": ["api"]}])
async def test_nobody_edits_where_the_policy_forbids_it_or_names_others(
    start: Start, ends: Ends, clock: Clock, words: dict[str, Any]
) -> None:
    team = await team_of(start, ends, clock, **words)
    (card,) = await team.asked(Call(arguments=ASKED, schema=SCHEMA), seen_by="ben" if "approvers" in words else "ana")

    refused = await team.edits("ana", card, {**ASKED, "amount": 1})

    assert refused.result in ("forbidden", "not_allowed")
    assert await team.core.rows("edits") == []


HEDGES = {
    "English": ["ok {}", "sure {}", "yes {} if the parcel is back", "YES {} and {}", "don't allow {}", "maybe yes {}"],
    "German": ["ja {}", "ok, {} genehmigt", "JA bitte {}", "ja {} wenn das Paket da ist", "passt {}"],
    "Spanish": ["sí {}", "vale {}", "si {} pero mañana", "apruebo {}", "de acuerdo {}"],
}


@pytest.mark.parametrize("language", HEDGES)
async def test_hedged_words_decide_nothing_and_the_code_stays_good(
    start: Start, ends: Ends, clock: Clock, language: str
) -> None:
    team = await team_of(start, ends, clock, ask=["sms:ana"])
    (card,) = await team.asked()
    code = team.code("ana", card)

    for words in HEDGES[language]:
        assert "decided nothing" in await team.texts("ana", words.replace("{}", code))
        assert await team.states() == ["pending"]

    await team.texts("ana", f"YES {code}")
    assert await team.states() == ["approved"]
    assert len(ends.agents.posts()) == 1, "the agent saw none of it"


async def test_five_messages_into_a_parked_session_are_kept_told_once_and_answered_in_order(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    for n in range(5):
        await team.core.receives(ALICE, f"more {n}")
        await team.works()
    assert len(ends.agents.posts()) == 1
    assert ends.sms.told(ALICE) == [WORDS.asked, WORDS.held]

    await team.clicks("ana", card)
    await team.works()

    assert ends.agents.posts()[1:] == [f"more {n}" for n in range(5)]
    assert ends.sms.told(ALICE)[2:] == ["ran", *(f"about more {n}" for n in range(5))]


async def test_the_requesters_own_word_in_the_parked_thread_gets_through(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, ask=["requester"], approvers=["requester", "ana"])
    (card,) = await team.asked()
    code = team.code_at(ALICE, card)
    await team.core.receives(BOB, f"YES {code}")
    await team.works()
    assert await team.states() == ["pending"], "it is Alice's word, not Bob's"

    await team.core.receives(ALICE, "and hurry")
    await team.core.receives(ALICE, f"YES {code}")
    await team.works()

    assert await team.states() == ["approved"]
    assert team.answers == [Confirm(arguments={"order_id": "A-1001", "amount": 40})]
    session = next(iter(ends.agents.sessions.values()))
    assert session.posts() == ["refund, 0", "and hurry"], "the agent sees no code"


async def test_nobody_answered_is_told_to_the_agent_in_three_ways(start: Start, ends: Ends, clock: Clock) -> None:
    rest = "".join(f'[approvals.tools.{name}]\non_unanswered = "{name}"\n' for name in ("deny", "hold", "handoff"))
    team = await team_of(start, ends, clock, more=rest)
    for tool, number in (("deny", ALICE), ("hold", BOB), ("handoff", PHONES["cleo"])):
        await team.asked(Call(tool), number=number)

    await team.after(DAY)
    assert team.answers == [Deny(reason=f"UNANSWERED: {said}") for said in (WORDS.unanswered, WORDS.taken_over)]
    assert sorted(await team.states()) == ["expired", "expired", "pending"]
    await team.after(WEEK - DAY)

    assert team.answers[-1] == Deny(reason=f"UNANSWERED: {WORDS.unanswered_long}")
    assert len({WORDS.unanswered, WORDS.taken_over, WORDS.unanswered_long}) == 3
    assert ends.sms.told(ALICE)[-1] == f"not run: UNANSWERED: {WORDS.unanswered}"
    assert ends.sms.told(PHONES["cleo"])[-1] == WORDS.handed_over
    assert [alert for alert in ends.alerts() if "would have said" in alert]


async def test_a_request_held_open_can_still_be_decided(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, on_unanswered="hold")
    (card,) = await team.asked()
    await team.after(2 * DAY)

    assert (await team.clicks("ana", card)).result == "decided"
    await team.works()
    assert len(team.answers) == 1


@pytest.mark.long
async def test_of_a_hundred_requests_of_one_conversation_three_are_shown_and_one_summary(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    requests = await team.asked(*(Call(arguments={"n": n}) for n in range(100)))
    assert [card.arguments for card in ends.slack.cards()] == [{"n": n} for n in range(3)]
    assert len(ends.slack.told("C0OPS")) == 1
    assert "97 more" in ends.slack.told("C0OPS")[0]

    await team.clicks("ana", requests[0], DENY)
    await team.after(timedelta(seconds=1))
    assert len(ends.slack.cards()) == 4, "one takes the place of each that is settled"

    done = await team.core.door.approvals.deny_all(1, in_slack("ana"), reason="too many", via="slack")
    await team.works()
    assert len(done) == 99
    assert len(team.answers) == 100


@pytest.mark.long
async def test_of_requests_of_a_hundred_conversations_an_approver_is_shown_twenty_five_and_one_summary(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    team.asks(Call())
    for n in range(40):
        await team.core.receives(f"+1555{n:07d}", "refund")
    await team.works()

    assert len(ends.slack.cards()) == 25
    assert len(ends.slack.told("C0OPS")) == 1
    assert len(await team.states()) == 40
    assert ends.slack.told(ALERTS) == []

    for card in ends.slack.cards()[:5]:
        await team.clicks("ana", card)
    await team.after(timedelta(seconds=1))
    assert len(ends.slack.cards()) == 30
