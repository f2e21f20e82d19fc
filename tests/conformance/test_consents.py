"""Who wants no messages: kept at once, waking nobody; and whatever was to be sent to them is not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway import dead
from gateway.dead import LetterId
from gateway.errors import GiveUp, OptedOut, TryLater, Uncertain, WillNeverArrive
from gateway.events import Consent, Delivery, DeliveryReported, Say, ThreadRef
from gateway.opting import UNANSWERED
from gateway.ports import Added
from gateway.store import consents
from tests.helpers.agents import Call
from tests.helpers.approvers import OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, OURS, WORDS, Core, Ends, Start, text
from tests.helpers.process import until

STOP, CARRIER = Consent(state="out", source="keyword"), Consent(state="out", source="carrier")
START, YES = Consent(state="in", source="keyword"), Consent(state="in", source="keyword", only_back=True)
HELP, TOLD = Consent(state="help", source="keyword"), Consent(state="help", source="carrier")
OTHER = "+15557771111"  # one more number of ours
SECOND = timedelta(seconds=1)
CHAIN: dict[str, Any] = {"ask": ["sms:ana"], "approvers": ["ana"], "escalate_to": ["sms:ben"], "escalate_after": "2h"}


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


async def kept(core: Core) -> list[tuple[str, str, str, str]]:
    rows = await core.rows("consents")
    return [(row["account"], row["address"], row["state"], row["source"]) for row in rows]


async def stops(team: Team, number: str = ALICE, said: Consent = STOP, **more: Any) -> Added:
    team.clock.passes(SECOND)
    added = await team.core.receives(number, "stop", f"stop {number} {team.clock()}", consent=said, **more)
    await team.works()
    return added


async def starts(team: Team, number: str = ALICE, said: Consent = START, **more: Any) -> Added:
    return await stops(team, number, said, **more)


async def says(team: Team, words: str, number: str = ALICE) -> list[str]:
    """What they were told on it."""
    before = len(team.ends.sms.told(number))
    await team.core.receives(number, words)
    await team.works()
    return team.ends.sms.told(number)[before:]


async def says_to(team: Team, to: ThreadRef, text: str) -> str:
    """Queue a message; what became of it."""
    await team.core.store.write(lambda tx: team.core.outbox.add(tx, Say(to=to, text=text), key=text))
    await team.works()
    return await status_of(team.core, text)


async def status_of(core: Core, key: str) -> str:
    return next(str(row["status"]) for row in await core.rows("outbox") if row["dedupe_key"] == key)


# --- at the door -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [STOP, CARRIER, Consent(state="out", source="words")])
async def test_stop_is_kept_and_no_agent_is_woken(team: Team, said: Consent) -> None:
    assert await stops(team, said=said) is Added.KEPT

    assert await kept(team.core) == [(OURS, ALICE, "out", said.source)]
    assert team.ends.agents.posts() == []
    assert team.ends.sms.taken == []
    assert await team.core.rows("conversations") == []
    (row,) = await team.core.rows("inbox")
    assert (row["kind"], row["status"]) == ("consent", "consent")


async def test_an_opt_out_is_audited_without_the_number(team: Team) -> None:
    await stops(team)

    (row,) = await team.core.rows("audit")
    assert row["what"] == "opted out"
    assert row["who"].startswith("sms:")
    assert ALICE not in str(row)


async def test_the_same_stop_twice_is_kept_once(team: Team) -> None:
    for expected in (Added.KEPT, Added.DUPLICATE):
        assert await team.core.receives(ALICE, "STOP", "SM1", consent=STOP) is expected

    assert await team.audited("opted out") == 1


async def test_a_stop_handed_over_to_two_processes_at_once_is_kept_once(start: Start, ends: Ends, clock: Clock) -> None:
    one, two = await start(at_work=False), await start(at_work=False)

    added = await asyncio.gather(
        *(core.receives(ALICE, "STOP", "SM1", consent=STOP) for core in (one, two) for _ in range(5))
    )

    assert sorted(added) == [Added.DUPLICATE] * 9 + [Added.KEPT]
    assert await kept(two) == [(OURS, ALICE, "out", "keyword")]


async def test_many_words_at_once_leave_the_newest(start: Start, ends: Ends, clock: Clock) -> None:
    one, two = await start(at_work=False), await start(at_work=False)
    began = clock()

    await asyncio.gather(
        *(
            (one, two)[n % 2].receives(
                ALICE, "x", f"SM{n}", consent=START if n % 2 else STOP, sent_at=began + n * SECOND
            )
            for n in range(21)
        )
    )

    (row,) = await one.store.read(lambda db: consents.listed(db, every=True))
    assert (row.state, row.at) == ("out", began + 20 * SECOND)


async def test_an_older_word_that_is_found_late_changes_nothing(team: Team) -> None:
    await starts(team)

    await stops(team, sent_at=team.clock() - timedelta(hours=1))

    assert await kept(team.core) == [(OURS, ALICE, "in", "keyword")]
    assert await says(team, "kites") == ["about kites"]


async def test_of_two_words_of_the_same_second_that_they_want_none_holds(team: Team) -> None:
    now = team.clock()
    await stops(team, sent_at=now)
    await starts(team, sent_at=now)
    assert await kept(team.core) == [(OURS, ALICE, "out", "keyword")]


async def test_a_stop_that_a_carrier_kept_while_we_were_away_counts(team: Team) -> None:
    """Also when it is old and something followed it: the carrier's own confirmation is no answer of ours."""
    await team.core.work.catching_up.catch_up()
    written = team.clock() + timedelta(minutes=1)
    team.clock.passes(timedelta(hours=2))
    stop = text(ALICE, "STOP", sent_at=written, consent=STOP)
    team.ends.sms.kept.append(stop)
    await team.ends.sms.send(Say(to=stop.thread, text="You have been unsubscribed.", ref="the carrier's own"))

    await team.core.work.catching_up.catch_up()

    assert await kept(team.core) == [(OURS, ALICE, "out", "keyword")]


# --- nothing is sent ---------------------------------------------------------------------------------------


async def test_what_was_queued_before_the_stop_is_not_sent(team: Team) -> None:
    await team.core.receives(ALICE, "kites\fboats")
    await team.core.drain()
    queued = [row["status"] for row in await team.core.rows("outbox")]

    await stops(team)

    assert queued == ["queued", "queued"]
    assert [row["status"] for row in await team.core.rows("outbox")] == ["dropped", "dropped"]
    assert team.ends.sms.taken == []
    assert team.ends.alerts() == [], "they asked for it"
    assert await team.core.store.read(dead.letters) == []


async def test_the_parts_after_a_stop_are_not_sent(team: Team) -> None:
    halt = team.ends.steps.stops_one_at("sms taken")
    await team.core.receives(ALICE, "kites\fboats\fcars")
    await team.core.drain()
    sending = asyncio.create_task(team.works())
    await halt.next()

    await team.core.receives(ALICE, "STOP", consent=STOP)
    halt.open()
    await sending
    await team.after(timedelta(minutes=1))

    assert len(team.ends.sms.taken) == 1, "the one that was under way"
    assert [row["status"] for row in await team.core.rows("outbox")] == ["sent", "dropped", "dropped"]


@pytest.mark.parametrize("fault", [TryLater("busy"), Uncertain("no answer")])
async def test_a_retry_after_the_stop_sends_nothing(team: Team, fault: Exception) -> None:
    team.ends.steps.fails("sms sending", fault)
    await team.core.receives(ALICE, "kites")
    await team.core.drain()
    await team.core.work.deliver(f"sms:{ALICE}")

    await stops(team)
    await team.after(timedelta(minutes=5))
    await team.after(timedelta(minutes=5))

    assert team.ends.sms.taken == []
    (row,) = await team.core.rows("outbox")
    assert (row["status"], row["error"]) == ("dropped", "whoever it goes to wants no messages from us")


async def test_two_processes_that_send_see_the_stop(start: Start, ends: Ends, clock: Clock) -> None:
    one, two = await start(at_work=False), await start()
    await one.receives(ALICE, "STOP", consent=STOP)

    to = ThreadRef("sms", OURS, ALICE)
    await one.store.write(lambda tx: one.outbox.add(tx, Say(to=to, text="hello"), key="hello"))

    async def settled() -> bool:
        return await status_of(two, "hello") == "dropped"

    await until(settled, "the other process to find it")
    assert ends.sms.taken == []


async def test_it_is_kept_for_each_sender_and_number(team: Team) -> None:
    await stops(team)

    assert await says_to(team, ThreadRef("sms", OTHER, ALICE), "from another number") == "sent"
    assert await says_to(team, ThreadRef("sms", OURS, PHONES["ben"]), "to another number") == "sent"
    assert await says_to(team, ThreadRef("sms", OURS, ALICE), "to her") == "dropped"
    assert await says_to(team, ThreadRef("sms", "", ALICE), "to her by the only sender") == "dropped"
    assert await says_to(team, ThreadRef("sms", OURS, f"whatsapp:{ALICE}"), "on WhatsApp") == "sent"


async def test_an_alert_goes_to_nobody_who_wants_none(start: Start, ends: Ends, clock: Clock) -> None:
    told = policy().replace("slack:C0ALERTS", f"sms:{PHONES['cleo']}")
    team = Team(await start(at_work=False, policy=told), ends, clock)
    await stops(team, PHONES["cleo"])

    await team.core.store.write(lambda tx: team.core.outbox.alert(tx, "fault", "something is wrong"))
    await team.works()

    assert team.ends.sms.taken == []


async def test_a_test_of_reaching_somebody_does_not_go_out(team: Team) -> None:
    await stops(team, PHONES["ana"])

    await team.core.door.reaching.send(["sms"], timedelta(minutes=2), by="cli")
    await team.works()

    assert {one.message.to.key for one in team.ends.sms.taken} == {PHONES["ben"], PHONES["cleo"]}


async def test_a_dead_letter_to_them_cannot_be_taken_up_again_until_they_start(team: Team) -> None:
    team.ends.steps.fails("sms sending", WillNeverArrive("a number that is no more"))
    await team.core.receives(ALICE, "kites")
    await team.works()
    await stops(team)
    letter, how = LetterId("out", 1), {"who": "cli", "wanted": team.core.outbox.consents}

    with pytest.raises(GiveUp, match="wants no messages"):
        await team.core.store.write(lambda tx: dead.replay(tx, letter, now=team.clock(), **how))
    assert team.ends.sms.taken == []

    await starts(team)
    await team.core.store.write(lambda tx: dead.replay(tx, letter, now=team.clock(), **how))
    await team.works()
    assert team.ends.sms.told(ALICE) == ["about kites"]


# --- the carrier refuses -----------------------------------------------------------------------------------


async def test_a_refusal_of_the_carrier_is_kept_like_a_stop(team: Team) -> None:
    team.ends.steps.fails("sms sending", OptedOut("code 21610"))

    assert await says(team, "kites\fboats") == []

    assert await kept(team.core) == [(OURS, ALICE, "out", "refused")]
    assert [row["status"] for row in await team.core.rows("outbox")] == ["dropped", "dropped"]
    assert team.ends.steps.passed.count("sms sending") == 1, "the carrier is asked once"
    assert await team.audited("opted out") == 1


@pytest.mark.parametrize("early", [False, True])
async def test_a_refusal_that_is_reported_later_is_kept_too(team: Team, early: bool) -> None:
    await team.core.receives(ALICE, "kites")
    await team.core.drain()
    halt = team.ends.steps.stops_one_at("sms taken") if early else None
    sending = asyncio.create_task(team.works())
    if halt is not None:
        await halt.next()
    else:
        await sending
    known = f"sms-{team.ends.sms.taken[0].message.ref}"

    for _ in range(2):
        report = DeliveryReported(channel="sms", provider_id=known, state=Delivery.REFUSED, error="21610")
        await team.core.door.inbox.report(report)
    if halt is not None:
        halt.open()
        await sending

    assert await kept(team.core) == [(OURS, ALICE, "out", "refused")]
    assert [row["status"] for row in await team.core.rows("outbox")] == ["dropped"]
    assert await team.audited("opted out") == 1


async def test_a_refusal_that_comes_after_they_started_again_changes_nothing(team: Team) -> None:
    halt = team.ends.steps.stops_one_at("sms sending")
    team.ends.steps.fails("sms sending", OptedOut("code 21610"))
    await team.core.receives(ALICE, "kites")
    await team.core.drain()
    sending = asyncio.create_task(team.works())
    await halt.next()
    team.clock.passes(SECOND)
    await team.core.receives(ALICE, "START", consent=START)

    halt.open()
    await sending

    assert await kept(team.core) == [(OURS, ALICE, "in", "keyword")]


# --- approvals ---------------------------------------------------------------------------------------------


async def test_a_stop_while_a_request_waits_for_them_sends_it_to_the_next_approver(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=policy(**CHAIN)), ends, clock)
    (card,) = await team.asked()

    await stops(team, PHONES["ana"])
    await team.after(SECOND)

    assert await team.states() == ["pending"]
    assert [one.to.key for one in asks(team)] == [PHONES["ana"], PHONES["ben"]]
    assert await team.audited("escalated") == 1
    await team.texts("ben", f"YES {team.code('ben', card)}")
    assert await team.states() == ["approved"]
    assert PHONES["ana"] not in {one.message.to.key for one in ends.sms.taken[2:]}, "no outcome for who wants none"


async def test_where_nobody_is_next_operations_hear_that_an_approver_stopped_and_it_stays_open(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=policy(ask=["sms:ana"])), ends, clock)
    await team.asked()

    await stops(team, PHONES["ana"])
    for _ in range(3):
        await team.after(SECOND)

    assert await team.states() == ["pending"]
    assert len([one for one in ends.alerts() if "`escalate_to` names nobody" in one]) == 1


async def test_an_approver_who_had_stopped_before_is_passed_over_at_once(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=policy(**CHAIN)), ends, clock)
    await stops(team, PHONES["ana"])
    await team.asked()
    await team.after(SECOND)

    assert [one.to.key for one in asks(team)] == [PHONES["ben"]]
    assert await team.states() == ["pending"]
    assert any("wants no messages" in one for one in ends.alerts()), "operations hear that an approver is not reached"


async def test_an_approver_whom_the_carrier_refuses_is_passed_over_at_once(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = Team(await start(at_work=False, policy=policy(**CHAIN)), ends, clock)
    await team.core.receives(ALICE, "hello")
    await team.works()
    team.ends.steps.fails("sms sending", OptedOut("code 21610"))
    team.asks(Call())
    await team.core.receives(PHONES["cleo"], "refund")
    await team.core.drain(await team.core.conversation(PHONES["cleo"]))
    await team.core.work.deliver(f"sms:{PHONES['ana']}")
    await team.works()
    await team.after(SECOND)

    assert [one.to.key for one in asks(team)] == [PHONES["ben"]]
    assert (OURS, PHONES["ana"], "out", "refused") in await kept(team.core)
    assert await team.states() == ["pending"]


async def test_a_request_that_reaches_nobody_ends_at_once(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(ask=["sms:ana"])), ends, clock)
    await stops(team, PHONES["ana"])
    await team.asked()
    await team.after(SECOND)

    assert await team.states() == ["expired"]
    assert await team.audited("undelivered") == 1


async def test_who_stopped_may_still_decide_by_the_code_they_have(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(ask=["sms:ana", OPS])), ends, clock)
    (card,) = await team.asked()
    await stops(team, PHONES["ana"])

    assert await team.texts("ana", f"YES {team.code('ana', card)}") == "", "and is told nothing"

    assert await team.states() == ["approved"]
    assert (await team.sees(card.id)).decided_by == "ana"


async def test_a_reminder_does_not_reach_who_has_stopped(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=policy(ask=["sms:ana", OPS], remind_after=["15m"])), ends, clock)
    await team.asked()
    await stops(team, PHONES["ana"])
    before = len(ends.sms.taken)

    await team.after(timedelta(minutes=15))

    assert await team.audited("reminded") == 1
    assert len(ends.sms.taken) == before


async def test_a_stop_in_a_conversation_that_waits_gets_through_at_once(team: Team) -> None:
    await team.asked()

    await stops(team)

    assert (OURS, ALICE, "out", "keyword") in await kept(team.core)
    assert await team.states() == ["pending"], "an opt-out decides nothing"
    assert team.answers == []


def asks(team: Team) -> list[Any]:
    return [one.message for one in team.ends.sms.taken if one.message.kind == "ask"]


# --- and back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [START, YES, Consent(state="in", source="carrier")])
async def test_start_restores_and_says_nothing_itself(team: Team, said: Consent) -> None:
    await stops(team)

    await starts(team, said=said)

    assert team.ends.sms.taken == []
    assert team.ends.agents.posts() == []
    assert await says(team, "kites") == ["about kites"]
    assert await team.audited("opted in") == 1


async def test_a_bare_yes_of_everybody_else_is_for_the_agent(team: Team) -> None:
    assert await team.core.receives(ALICE, "yes", consent=YES) is Added.KEPT
    await team.works()

    assert team.ends.sms.told(ALICE) == ["about yes"]
    assert await kept(team.core) == []


async def test_what_somebody_writes_who_wants_no_messages_is_kept_and_not_answered_also_not_later(team: Team) -> None:
    await says(team, "hello")
    await stops(team)

    assert await says(team, "one more thing") == []
    assert await says(team, "and another") == []
    await starts(team)
    await team.after(timedelta(minutes=1))

    assert await team.core.statuses() == ["done", UNANSWERED, UNANSWERED]
    assert team.ends.sms.told(ALICE) == ["about hello"]
    told = [one for one in team.ends.alerts() if "wants no messages" in one]
    assert len(told) == 1, "once a day"
    rows = [row for row in await team.core.rows("inbox") if row["status"] == UNANSWERED]
    assert {row["conversation_id"] for row in rows} == {await team.core.conversation(ALICE)}


async def test_the_same_words_handed_over_again_after_a_start_are_a_duplicate(team: Team) -> None:
    await stops(team)
    assert await team.core.receives(ALICE, "hello", "SM9") is Added.KEPT
    await starts(team)

    assert await team.core.receives(ALICE, "hello", "SM9") is Added.DUPLICATE
    assert team.ends.agents.posts() == []


# --- help --------------------------------------------------------------------------------------------------


async def test_help_is_answered_once_without_the_agent(team: Team) -> None:
    for _ in range(2):
        await team.core.receives(ALICE, "HELP", "SM1", consent=HELP)
    await team.works()

    assert team.ends.sms.told(ALICE) == [WORDS.help]
    assert team.ends.agents.posts() == []
    assert await kept(team.core) == []


async def test_help_that_the_carrier_answered_is_left_to_it(team: Team) -> None:
    await team.core.receives(ALICE, "AIDE", consent=TOLD)
    await team.works()

    assert team.ends.sms.taken == []


async def test_help_is_not_sent_to_who_wants_no_messages(team: Team) -> None:
    await stops(team)
    await team.core.receives(ALICE, "HELP", consent=HELP)
    await team.works()

    assert team.ends.sms.taken == []


async def test_a_conversation_that_waits_hears_help_at_once(team: Team) -> None:
    await team.asked()
    await team.core.receives(ALICE, "HELP", consent=HELP)
    await team.works()

    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.help]


# --- the list ----------------------------------------------------------------------------------------------


async def test_the_list_has_who_wants_no_messages_the_newest_first(team: Team) -> None:
    await stops(team, ALICE)
    await stops(team, PHONES["ana"])
    await stops(team, PHONES["ben"])
    await starts(team, PHONES["ben"])

    out = await team.core.store.read(lambda db: consents.listed(db, every=False))
    every = await team.core.store.read(lambda db: consents.listed(db, every=True))

    assert [row.address for row in out] == [PHONES["ana"], ALICE]
    assert [row.address for row in every] == [PHONES["ben"], PHONES["ana"], ALICE]
    assert await team.core.store.read(consents.count) in (
        [("sms", "in", 1), ("sms", "out", 2)],
        [("sms", "out", 2), ("sms", "in", 1)],
    )
