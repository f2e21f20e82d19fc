"""What is erased is in no row any more; what ran is stopped; what is said afterwards begins anew."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import SQLModel

from gateway import audit, exporting, proving
from gateway.emptying import ERASED
from gateway.erasing import WHY, Erased, Erasing, Session, beside, of_person
from gateway.errors import AgentUnavailable, TryLater
from gateway.events import Delivery, DeliveryReported, Identity, Receipt, ShowOutcome, ThreadRef, Verdict
from gateway.ports import Added
from gateway.store import checks
from gateway.verifying import Head
from tests.helpers import approvers
from tests.helpers.agents import AgentTurn, Call, asks_first, waits_for
from tests.helpers.approvers import OPS, PHONES, Team, in_slack
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, ANA, BOB, POLICY, Core, Ends, Start, seen, text
from tests.helpers.process import until

WORDS = "my red kite"
BY = "cli:opal"
EVERYWHERE = POLICY.replace('channel = "sms"', 'channel = "*"', 1)


def erasing(core: Core, clock: Clock) -> Erasing:
    return Erasing(core.store, core.engine, core.door.approvals, clock)


async def erased(core: Core, clock: Clock, conversation_id: int = 1) -> Erased:
    return await erasing(core, clock).conversation(conversation_id, by=BY)


async def asked(core: Core, ends: Ends, clock: Clock, *conversations: int) -> list[Session]:
    return await erasing(core, clock).sessions(ends.agents.erase, conversations or (1,))


async def written(core: Core) -> str:
    """All that is in our rows but for the audit."""
    names = [name for name in SQLModel.metadata.tables if name != "audit"]
    return str([await core.rows(name) for name in names])


def outcomes(ends: Ends) -> list[ShowOutcome]:
    return [one.message for one in ends.slack.taken if isinstance(one.message, ShowOutcome)]


async def asks_about_it(turn: AgentTurn) -> None:
    await turn.asks(why=WORDS, of=ALICE)
    turn.replies(f"done with {WORDS}")


async def test_no_word_and_no_address_is_left_and_the_rows_are_still_there(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start()
    ends.agents.does(asks_about_it, on="refund")
    await core.receives(ALICE, f"about {WORDS}", "E1")
    await core.receives(ALICE, f"refund {WORDS}", "E2")
    (card,) = await seen(ends.slack.cards)
    await core.door.approvals.decide(card.id, ANA, Verdict.APPROVE, reason=WORDS, via="slack")
    await seen(lambda: any("done" in said for said in ends.sms.told(ALICE)))
    await until(lambda: _all_sent(core), "the last card")
    before = {name: len(await core.rows(name)) for name in ("inbox", "turns", "approvals", "votes")}
    audit = await core.rows("audit")

    counts = await erased(core, clock)

    assert counts == Erased(conversations=1, messages_in=2, messages_out=3, turns=2, approvals=1)
    await seen(lambda: outcomes(ends)[-1].approval.message == ERASED)
    left = await written(core)
    assert WORDS not in left
    assert ALICE not in left
    assert {name: len(await core.rows(name)) for name in before} == before
    assert (await core.rows("audit"))[: len(audit)] == audit
    note = (await core.rows("audit"))[-1]
    assert (note["what"], note["who"], note["conversation_id"]) == ("erased", BY, 1)
    assert '"messages_in":2' in note["facts"]
    assert '"sessions":1' in note["facts"]
    (vote,) = await core.rows("votes")
    assert (vote["person"], vote["verdict"], vote["identity"], vote["reason"]) == ("ana", "approve", "", "")


async def test_the_card_of_a_request_is_emptied_at_slack_too(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.agents.does(asks_about_it, on="refund")
    await core.receives(ALICE, f"refund {WORDS}", "E1")
    (card,) = await seen(ends.slack.cards)
    await until(lambda: _all_sent(core), "the card")

    await erased(core, clock)
    (shown,) = await seen(lambda: outcomes(ends))

    assert (shown.approval.state, shown.approval.reason) == ("cancelled", WHY)
    assert (shown.approval.message, shown.approval.requester.address) == (ERASED, ERASED)
    assert WORDS not in str(shown)
    assert isinstance(shown.receipt, Receipt)
    assert (await core.approves(card.id)).result == "already"
    assert [row["done_at"] is None for row in await core.rows("timers")] == [False]
    assert [row["what"] for row in await core.rows("audit") if row["what"] == "abandoned"] == ["abandoned"]


async def test_what_she_says_next_is_a_new_conversation_that_knows_nothing(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start()
    await core.receives(ALICE, WORDS, "E1")
    await seen(lambda: ends.sms.told(ALICE))
    await erased(core, clock)

    await core.receives(ALICE, "boats", "E2")
    await seen(lambda: len(ends.sms.told(ALICE)) == 2)

    assert ends.sms.told(ALICE)[1] == "about boats"
    one, two = await core.rows("conversations")
    assert (one["mode"], one["thread_key"], one["session_id"]) == ("closed", "erased:1", None)
    assert (two["mode"], two["thread_key"]) == ("bot", ALICE)
    assert WORDS not in str(ends.agents.sessions[two["session_id"]].history)


async def test_a_text_that_comes_again_opens_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    await core.receives(ALICE, "boats", "E1")
    await core.receives(ALICE, "kites", f"of {ALICE}")
    await seen(lambda: len(ends.sms.told(ALICE)) == 2)
    await erased(core, clock)

    assert await core.receives(ALICE, "boats", "E1") is Added.DUPLICATE
    assert await core.receives(ALICE, "kites", f"of {ALICE}") is Added.DUPLICATE

    assert len(await core.rows("conversations")) == 1
    assert ALICE not in await written(core)


async def test_a_turn_that_runs_is_stopped_and_its_owner_writes_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    core, gate = await start(), asyncio.Event()
    ends.agents.does(waits_for(gate), on=WORDS)
    await core.receives(ALICE, WORDS, "E1")
    await core.receives(ALICE, f"{WORDS} again", "E2")
    await seen(lambda: "hearing Delta" in ends.steps.passed)

    await erased(await start(at_work=False), clock)
    gate.set()
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))
    await core.receives(ALICE, "kites", "E3")
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]
    assert WORDS not in await written(core)
    assert (await core.rows("turns"))[0]["state"] == "interrupted"
    assert (await core.statuses())[:2] == ["dropped", "dropped"]


@pytest.mark.parametrize("place", ["opening", "posting", "posted"])
async def test_an_owner_who_was_busy_meanwhile_leaves_nothing_behind(
    start: Start, ends: Ends, clock: Clock, place: str
) -> None:
    core = await start()
    halt = ends.steps.stops_one_at(place)
    await core.receives(ALICE, WORDS, "E1")
    await halt.next()

    await erased(await start(at_work=False), clock)
    await asked(core, ends, clock)
    halt.open()
    await core.receives(BOB, "boats")
    await seen(lambda: ends.sms.told(BOB))
    await core.receives(ALICE, "kites", "E2")
    await seen(lambda: ends.sms.told(ALICE))

    assert ends.sms.told(ALICE) == ["about kites"]
    assert WORDS not in await written(core)


async def test_what_was_not_sent_yet_never_is(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.steps.fails("sms sending", TryLater("the carrier is busy", retry_after=3600))
    await core.receives(ALICE, WORDS, "E1")
    await seen(ends.steps.have_failed)
    await until(lambda: _is_queued_again(core), "the pause")

    await erased(core, clock)

    assert [row["status"] for row in await core.rows("outbox") if row["kind"] == "say"] == ["dropped"]
    assert WORDS not in await written(core)
    assert ends.sms.told(ALICE) == []


async def test_what_is_being_sent_just_now_leaves_no_word_either(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    halt = ends.steps.stops_one_at("sms sending")
    await core.receives(ALICE, WORDS, "E1")
    await halt.next()

    await erased(core, clock)
    halt.open()
    await seen(lambda: ends.sms.told(ALICE))
    await until(lambda: _no_lease(core), "the end of the try")

    assert WORDS not in await written(core)
    assert ALICE not in await written(core)


async def test_twice_is_once(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    await core.receives(ALICE, WORDS, "E1")
    await seen(lambda: ends.sms.told(ALICE))

    both = await asyncio.gather(erased(core, clock), erased(core, clock))

    assert sorted(one.conversations for one in both) == [0, 1]
    assert [row["what"] for row in await core.rows("audit")] == ["erased"]


async def test_the_agent_platform_forgets_every_session(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    await core.receives(ALICE, WORDS, "E1")
    await core.receives(BOB, "boats", "E2")
    await seen(lambda: ends.sms.told(ALICE) and ends.sms.told(BOB))
    conversation = await core.conversation(ALICE)
    mine = next(row["session_id"] for row in await core.rows("conversations") if row["id"] == conversation)
    await erased(core, clock, conversation)

    (session,) = await asked(core, ends, clock, conversation)

    assert (session.id, session.state) == (mine, "erased")
    assert mine not in ends.agents.sessions
    assert len(ends.agents.sessions) == 1
    assert await core.rows("leftovers") == []
    assert await asked(core, ends, clock, conversation) == []


async def test_a_platform_that_is_away_is_asked_again_for_what_is_left(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    for number in (ALICE, BOB):
        await core.receives(number, WORDS, number)
        await seen(lambda number=number: ends.sms.told(number))
    await erased(core, clock, 1)
    await erased(core, clock, 2)
    ends.steps.fails("erasing", AgentUnavailable("nobody answers"))

    first = await asked(core, ends, clock, 1, 2)

    assert [(one.conversation, one.state, one.why) for one in first] == [
        (1, "unreached", "nobody answers"),
        (2, "unreached", "nobody answers"),
    ]
    assert WORDS not in await written(core)
    assert [one.state for one in await asked(core, ends, clock, 1)] == ["erased"]
    assert [one.state for one in await asked(core, ends, clock, 1, 2)] == ["erased"]
    assert ends.agents.sessions == {}


async def test_sessions_of_a_platform_without_deletion_stay_known(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.agents.deletes = False
    await core.receives(ALICE, WORDS, "E1")
    await seen(lambda: ends.sms.told(ALICE))
    await erased(core, clock)

    first, again = await asked(core, ends, clock), await asked(core, ends, clock)

    assert first == again
    assert [one.state for one in again] == ["remains"]
    assert [row["remains"] for row in await core.rows("leftovers")] == [True]


async def test_all_of_a_person_is_found_also_what_no_route_took(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(policy=EVERYWHERE)
    await core.door.inbox.add(_in_slack("U0CARLA", "D1", WORDS))
    await core.door.inbox.add(_in_slack("U0CARLA", "C1", WORDS))
    await core.door.inbox.add(_in_slack("U0CARL", "D2", "boats"))
    await core.door.inbox.add(replace(text("U0CARLA", "kites"), own_account=False))
    await until(lambda: _all_sent(core), "the replies")

    here = await core.store.survey(lambda db: of_person(db, "slack", "T0TEAM/U0CARLA"))
    bare = await core.store.survey(lambda db: of_person(db, "slack", "U0CARLA"))
    elsewhere = await core.store.survey(lambda db: of_person(db, "slack", "T0OTHER/U0CARLA"))
    in_sms = await core.store.survey(lambda db: of_person(db, "sms", "U0CARLA"))

    assert here == bare
    assert here.conversations == (1, 2)
    assert (elsewhere.conversations, elsewhere.unrouted) == ((), ())
    assert len(in_sms.unrouted) == 1
    counts = await erasing(core, clock).unrouted(in_sms, by=BY)
    assert counts.messages_in == 1
    assert "kites" not in await written(core)


def _in_slack(user: str, channel: str, words: str) -> Any:
    event = text(user, words, f"Ev{user}{channel}")
    who = replace(event.sender, channel="slack", account="T0TEAM")
    return replace(event, thread=ThreadRef("slack", "T0TEAM", f"{channel}:1.0"), sender=who)


async def _all_sent(core: Core) -> bool:
    statuses = {row["status"] for row in await core.rows("outbox")}
    return statuses == {"sent"} and all(row["status"] != "new" for row in await core.rows("inbox"))


async def _is_queued_again(core: Core) -> bool:
    return any(row["status"] == "queued" and row["attempts"] == 1 for row in await core.rows("outbox"))


async def _no_lease(core: Core) -> bool:
    return not any(row["name"].startswith("out:") for row in await core.rows("leases"))


async def test_a_carrier_that_gives_up_on_what_was_erased_leaves_no_dead_letter(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start()
    await core.receives(ALICE, WORDS, "E1")
    await seen(lambda: ends.sms.told(ALICE))
    await until(lambda: _all_sent(core), "the reply")
    await erased(core, clock)
    (reply,) = await core.rows("outbox")

    failed = DeliveryReported(channel="sms", provider_id=reply["provider_id"], state=Delivery.FAILED, error="30005")
    await core.door.inbox.report(failed)
    await core.door.inbox.report(failed)

    (row,) = await core.rows("outbox")
    assert (row["status"], row["error"], row["payload"]) == ("dropped", None, "{}")


@pytest.mark.parametrize("asked", ["alice@acme.example", "älice@acme.example"])
async def test_a_person_is_found_by_their_mail_address_in_capitals_or_not(
    asked: str, start: Start, clock: Clock
) -> None:
    core = await start(at_work=False)
    who = Identity(channel="email", account="help@gate.example", address=asked.upper())
    thread = ThreadRef("email", "help@gate.example", "root-1")
    await core.door.inbox.add(replace(text(ALICE, WORDS, f"mail-{who.address}"), sender=who, thread=thread))

    mine = await core.store.survey(lambda db: of_person(db, "email", asked))
    counts = await erasing(core, clock).unrouted(mine, by=BY)

    assert counts.messages_in == 1
    assert WORDS not in await written(core)
    assert who.address not in await written(core)
    assert audit.pseudonym(who) == audit.pseudonym(replace(who, address=asked)), "also when the words are gone"


async def test_nothing_of_others_is_touched(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start()
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund", "E1")
    await seen(ends.slack.cards)
    await core.receives(BOB, "refund", "E2")
    bobs = (await seen(lambda: ends.slack.cards()[1:]))[0]
    await until(lambda: _all_sent(core), "the cards")

    await erased(core, clock, await core.conversation(ALICE))
    assert (await core.approves(bobs.id)).result == "decided"

    await seen(lambda: "refunded" in ends.sms.told(BOB))


# --- approvals with texts, edits and codes -----------------------------------------------------------------


async def _team(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=approvers.policy(**words)), ends, clock)


async def _erases(team: Team, conversation_id: int = 1) -> None:
    await erased(team.core, team.clock, conversation_id)
    await team.works()


async def test_of_a_request_that_was_edited_opened_reminded_and_texted_no_word_is_left(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await _team(start, ends, clock, ask=[OPS, "sms:ben"], approvers=["ana", "ben"], remind_after=["15m"])
    schema = {"type": "object", "properties": {"why": {"type": "string", "enum": [WORDS, f"no {WORDS}"]}}}
    (card,) = await team.asked(Call("issue_refund", {"why": WORDS}, schema))
    await team.after(timedelta(minutes=16))
    await team.core.door.approvals.edit(
        card.id, in_slack("ana"), {"why": f"no {WORDS}"}, via="slack", digest=card.digest
    )
    await team.core.door.approvals.read(card.id, in_slack("ana"), whole=True)
    await team.works()
    assert {row["kind"] for row in await team.core.rows("outbox")} >= {"ask", "reminder", "outcome"}

    await _erases(team)

    left = await written(team.core)
    assert WORDS not in left
    assert PHONES["ben"] not in str([await team.core.rows(name) for name in ("codes", "votes", "inbox")])
    (edit,) = await team.core.rows("edits")
    assert (edit["person"], edit["digest_before"]) == ("ana", card.digest)
    assert [row["person"] for row in await team.core.rows("openings")] == ["ana"]
    assert await team.core.rows("policies"), "by which rules it was asked stays known"
    assert team.shows(card)[-1].difference == ()
    assert WORDS not in str(ends.slack.taken[-1])


async def test_a_card_shows_afterwards_that_it_was_erased_and_not_that_nobody_said_with_what(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await _team(start, ends, clock)
    (card,) = await team.asked(Call("issue_refund", {"why": WORDS}))

    await _erases(team)

    assert team.shows(card)[-1].arguments == {"arguments": ERASED}


async def test_a_customer_who_decides_in_their_own_thread_leaves_no_trace_of_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await _team(start, ends, clock, ask=["requester"], approvers=["requester"])
    team.asks(Call("issue_refund", {"why": WORDS}))
    await team.core.receives(ALICE, "refund", "E1")
    await team.works()
    (row,) = await team.core.rows("approvals")
    (code,) = {one.message.code for one in ends.sms.taken if getattr(one.message, "code", "")}
    await team.core.receives(ALICE, f"YES {code}", "E2")
    await team.works()
    assert [row["kind"] for row in await team.core.rows("inbox")].count("verdict") == 1
    theirs = await team.core.store.survey(lambda db: beside(db, 1))
    told = await exporting.elsewhere(team.core.store, theirs.unrouted, theirs.answers)
    assert [one["direction"] for one in told] == ["in", "out"]
    assert told[0]["text"] == f"YES {code}"

    await _erases(team)

    assert ALICE not in await written(team.core)
    assert WORDS not in await written(team.core)
    assert row["id"] in str(await team.core.rows("approvals"))


async def test_a_request_that_is_open_in_the_customers_own_thread_is_withdrawn_without_a_word_there(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await _team(start, ends, clock, ask=["requester"], approvers=["requester"])
    team.asks(Call("issue_refund", {"why": WORDS}))
    await team.core.receives(ALICE, "refund", "E1")
    await team.works()
    told = len(ends.sms.taken)

    await _erases(team)

    assert len(ends.sms.taken) == told
    assert ALICE not in await written(team.core)
    assert await team.states() == ["cancelled"]


async def test_decisions_by_text_are_found_by_who_sent_them(start: Start, ends: Ends, clock: Clock) -> None:
    team = await _team(start, ends, clock, ask=["sms:ana"])
    (card,) = await team.asked(Call("issue_refund", {"why": WORDS}))
    await team.texts("ana", f"NO {team.code('ana', card)}")
    until = clock() + timedelta(minutes=5)
    test = {"person": "ana", "address": f"sms:{PHONES['ana']}", "code": "123456"}
    await team.core.store.write(lambda tx: checks.add(tx, **test, sent_at=clock(), until=until))
    mine = await team.core.store.survey(lambda db: of_person(db, "sms", PHONES["ana"]))
    assert len(mine.unrouted) == 1

    counts = await erasing(team.core, clock).unrouted(mine, by=BY)

    assert (counts.messages_in, counts.messages_out) == (1, len(mine.answers))
    assert await team.core.rows("checks") == []
    assert PHONES["ana"] not in str(await team.core.rows("inbox"))
    answered = [row for row in await team.core.rows("outbox") if row["dedupe_key"].startswith("verdict:")]
    assert [(row["payload"], row["lane"]) for row in answered] == [("{}", "erased")]
    assert (await team.states()) == ["denied"]
    assert ALICE in await written(team.core), "nobody asked to forget the customer"


async def test_what_the_agent_would_have_said_to_operations_goes_too(start: Start, ends: Ends, clock: Clock) -> None:
    team = await _team(start, ends, clock)
    await team.asked(Call("issue_refund", {"why": WORDS}))
    await team.core.store.write(lambda tx: team.core.outbox.tell_operations(tx, WORDS, key="d", conversation_id=1))
    await team.works()

    await _erases(team)

    assert WORDS not in await written(team.core)


async def test_the_chain_holds_after_an_erase(start: Start, ends: Ends, clock: Clock) -> None:
    team = await _team(start, ends, clock)
    (card,) = await team.asked(Call("issue_refund", {"why": WORDS}))
    await team.clicks("ana", card)
    await team.works()
    await team.core.work.sweep()
    before = await proving.verify(team.core.store)
    assert (before.whole, before.unsealed) == (True, 0)
    head = Head(before.links, before.head)

    await _erases(team)
    await team.after(timedelta(seconds=2))

    after = await proving.verify(team.core.store, [head])
    assert (after.whole, after.unsealed, after.broken) == (True, 0, None)
    assert after.links > before.links
