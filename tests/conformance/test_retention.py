"""What is older than `[retention]` says is emptied, a day at a time; what somebody still waits for is not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gateway import proving
from gateway.erasing import of_person
from gateway.errors import ConfigError, WillNeverArrive
from gateway.events import Delivery, DeliveryReported
from gateway.policy import read
from gateway.retaining import Retaining
from gateway.store import dead
from tests.helpers.agents import Call
from tests.helpers.approvers import DENY, OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, Core, Ends, Start

WORDS = "my red kite"
BOTH = '[retention]\nmessages = "30d"\napprovals = "60d"\n'


async def team(start: Start, ends: Ends, clock: Clock, more: str = BOTH, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(more=more, **words)), ends, clock)


async def was_refunded(team: Team) -> None:
    """Alice asked for a refund, with words of hers in all of it, and Ana denied it."""
    (card,) = await team.asked(Call("issue_refund", {"why": WORDS}))
    assert (await team.clicks("ana", card, DENY, reason=WORDS)).result == "decided"
    await team.core.receives(ALICE, f"about {WORDS}", "E2")
    await team.works()


async def a_night_passes(team: Team, days: int = 1) -> None:
    """The day's work is done within so many sweeps."""
    team.clock.passes(timedelta(days=days))
    for _ in range(8):
        await team.core.work.sweep()


async def written(core: Core, *tables: str) -> str:
    return str([await core.rows(name) for name in tables])


async def purged(core: Core) -> list[str]:
    return [row["facts"] for row in await core.rows("audit") if row["what"] == "purged"]


async def test_what_a_customer_wrote_long_ago_is_nowhere_and_what_was_decided_is_known(
    start: Start, ends: Ends, clock: Clock
) -> None:
    people = await team(start, ends, clock)
    await was_refunded(people)
    before = {name: len(await people.core.rows(name)) for name in ("inbox", "outbox", "turns", "approvals", "votes")}

    await a_night_passes(people, 31)
    assert WORDS not in await written(people.core, "inbox", "turns")
    assert WORDS in await written(people.core, "approvals", "votes"), "their time is not over"

    await a_night_passes(people, 30)
    tables = [*before, "edits", "openings", "codes"]
    assert WORDS not in await written(people.core, *tables)
    assert ALICE not in await written(people.core, *tables[1:])
    assert {name: len(await people.core.rows(name)) for name in before} == before
    (request,) = await people.core.rows("approvals")
    assert (request["state"], request["decided_by"], request["tool"]) == ("denied", "ana", "issue_refund")
    assert (await proving.verify(people.core.store)).whole


async def test_it_is_audited_as_counts_and_done_once_a_day(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock)
    await was_refunded(people)

    await a_night_passes(people, 61)

    facts = await purged(people.core)
    assert '{"approvals":1}' in facts
    assert '{"turns":2}' in facts
    await people.core.receives(BOB, "boats")
    await people.works()
    await a_night_passes(people, 0)
    assert await purged(people.core) == facts


async def test_nothing_is_touched_where_nothing_is_said_of_it(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock, more="")
    await was_refunded(people)
    before = await written(people.core, "inbox", "outbox", "turns", "approvals", "votes")

    await a_night_passes(people, 5000)

    assert await written(people.core, "inbox", "outbox", "turns", "approvals", "votes") == before
    assert await purged(people.core) == []


async def test_what_is_open_parked_or_set_aside_stays_as_it_is(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock, more='[retention]\nmessages = "7d"\napprovals = "7d"\n', expires_after="7d")
    (card,) = await people.asked(Call("issue_refund", {"why": WORDS}))
    await people.core.receives(ALICE, f"held: {WORDS}", "E2")
    ends.steps.fails("sms sending", WillNeverArrive("no such number"))
    await people.core.receives(BOB, f"lost: {WORDS}", "E3")
    await people.works()
    (failed,) = [row for row in await people.core.rows("outbox") if row["status"] == "failed"]
    # The clock of the deadlines stands still here: what is parked is older than it could ever be.
    kept = Retaining(people.core.store, read(BOTH).retention, lambda: clock() + timedelta(days=99))

    for _ in range(8):
        await kept.purge()

    asked, waits, _ = [row for row in await people.core.rows("inbox") if row["kind"] == "message"]
    assert "refund" in asked["payload"], "its turn is parked"
    assert WORDS in waits["payload"]
    assert [row["payload"] for row in await people.core.rows("outbox") if row["id"] == failed["id"]] == [
        failed["payload"]
    ]
    assert WORDS in str(await people.core.rows("approvals"))
    await people.clicks("ana", card)
    await people.works()
    assert f"about held: {WORDS}" in ends.sms.told(ALICE)


async def test_a_request_waits_until_everybody_was_told_what_became_of_it(
    start: Start, ends: Ends, clock: Clock
) -> None:
    people = await team(start, ends, clock)
    (card,) = await people.asked(Call("issue_refund", {"why": WORDS}))
    ends.steps.fails("slack sending", WillNeverArrive("the channel is gone"))
    await people.clicks("ana", card, DENY, reason="too late")
    await people.works()
    assert "failed" in {row["status"] for row in await people.core.rows("outbox") if row["kind"] == "outcome"}

    await a_night_passes(people, 99)

    assert WORDS in str(await people.core.rows("approvals"))


async def test_a_carrier_that_gives_up_on_what_is_gone_leaves_no_dead_letter(
    start: Start, ends: Ends, clock: Clock
) -> None:
    people = await team(start, ends, clock, ask=[OPS, "sms:ana"])
    await was_refunded(people)
    alerts = len(ends.alerts())
    await a_night_passes(people, 61)

    await given_up(people)

    assert {row["status"] for row in await people.core.rows("outbox") if row["channel"] == "sms"} == {"dropped"}
    assert await people.core.store.read(dead.count) == (0, 0)
    assert len(ends.alerts()) == alerts
    noted = [json.loads(row["facts"]) for row in await people.core.rows("audit") if row["what"] == "undelivered"]
    assert [(one["channel"], one["kind"]) for one in noted] == [("sms", "ask"), ("sms", "outcome")]


async def given_up(team: Team) -> None:
    """Twilio says of every text that it could not be delivered."""
    for row in await team.core.rows("outbox"):
        if row["channel"] == "sms":
            receipt = row["provider_id"]
            failed = DeliveryReported(channel="sms", provider_id=receipt, state=Delivery.FAILED, error="30005")
            await team.core.door.inbox.report(failed)
    await team.works()


async def test_decisions_by_text_go_with_their_answers_and_their_codes(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock, ask=[OPS, "sms:ana"])
    (card,) = await people.asked(Call("issue_refund", {"why": WORDS}))
    await people.texts("ana", f"NO {people.code('ana', card)}")
    assert await people.states() == ["denied"]

    await a_night_passes(people, 99)

    assert await people.core.rows("codes") == []
    said = [row for row in await people.core.rows("inbox") if row["kind"] == "verdict"]
    assert [(row["payload"], row["status"]) for row in said] == [("{}", "verdict")]
    assert PHONES["ana"] not in await written(people.core, "votes")
    answers = [row for row in await people.core.rows("outbox") if row["dedupe_key"].startswith("verdict:")]
    assert [(row["payload"], row["lane"]) for row in answers] == [("{}", "emptied")]


async def test_many_rows_go_a_batch_at_a_time(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock)
    for number in range(10):
        await people.core.receives(ALICE, f"{WORDS} {number}", f"E{number}")
    await people.works()
    clock.passes(timedelta(days=31))
    kept = Retaining(people.core.store, read(BOTH).retention, clock, window=4)

    await kept.purge()
    assert await purged(people.core) == ['{"messages_in":4}']
    for _ in range(8):
        await kept.purge()

    assert await purged(people.core) == [
        *('{"messages_in":4}', '{"messages_in":4}', '{"messages_in":2}'),
        *('{"messages_out":4}', '{"messages_out":4}', '{"messages_out":2}'),
        *('{"turns":4}', '{"turns":4}', '{"turns":2}'),
    ]
    assert WORDS not in await written(people.core, "inbox", "outbox", "turns")


async def test_a_clock_that_was_once_far_ahead_keeps_nothing_for_years(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock)
    clock.passes(timedelta(days=5 * 365))
    await was_refunded(people)
    await a_night_passes(people)
    clock.passes(timedelta(days=-5 * 365 - 1))
    people = people.over(await start(at_work=False, policy=policy(more=BOTH)))
    await people.core.receives(BOB, f"about {WORDS}", "E3")
    await people.works()

    await a_night_passes(people, 29)
    assert str(await people.core.rows("inbox")).count(WORDS) == 2, "nobody knows how old the first one is"
    await a_night_passes(people, 2)
    assert WORDS not in await written(people.core, "inbox", "turns")
    await a_night_passes(people, 31)
    assert WORDS not in await written(people.core, "outbox", "approvals", "votes")


async def test_several_processes_empty_each_row_once(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock)
    other = await start(at_work=False, policy=policy(more=BOTH))
    await was_refunded(people)
    clock.passes(timedelta(days=61))

    for _ in range(10):
        await people.core.work.sweep()
        clock.passes(timedelta(seconds=5))
        await other.work.sweep()

    assert sorted(await purged(other)) == sorted(set(await purged(other)))
    assert WORDS not in await written(other, "inbox", "outbox", "turns", "approvals")


async def test_somebody_is_still_found_to_be_erased_when_their_words_are_gone(
    start: Start, ends: Ends, clock: Clock
) -> None:
    people = await team(start, ends, clock)
    await was_refunded(people)
    await a_night_passes(people, 99)

    found = await people.core.store.survey(lambda db: of_person(db, "sms", ALICE))

    assert found.conversations == (1,)


async def test_a_session_that_goes_on_after_that_is_answered_as_ever(start: Start, ends: Ends, clock: Clock) -> None:
    people = await team(start, ends, clock)
    await people.core.receives(ALICE, WORDS, "E1")
    await people.works()
    await a_night_passes(people, 31)

    await people.core.receives(ALICE, WORDS, "E2")
    await people.works()

    assert ends.sms.told(ALICE) == [f"about {WORDS}", f"about {WORDS}"]


@pytest.mark.parametrize("word", ["messages", "approvals"])
def test_a_time_too_short_is_refused_with_the_line(word: str) -> None:
    with pytest.raises(ConfigError, match=rf"line 2: retention\.{word}: .*at least 7d"):
        read(f'[retention]\n{word} = "3d"\n')
