"""Five wrong codes lock deciding by text for that number, for a quarter of an hour, and for nobody else."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.sms import segments
from gateway import sentences
from gateway.erasing import Erasing, of_person
from gateway.events import ThreadRef
from gateway.ports import Added
from tests.helpers.approvers import DENY, OPS, PHONES, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Core, Ends, Start, text

BY_TEXT: dict[str, Any] = {"ask": [OPS, "sms:ana", "sms:ben"], "approvers": ["ana", "ben", "cleo"]}
CONFIRMS: dict[str, Any] = {"ask": ["requester"], "approvers": ["requester", "ana"]}
LOCKED = "Too many wrong codes."
LASTS = timedelta(minutes=15)


async def team_of(start: Start, ends: Ends, clock: Clock, **words: Any) -> Team:
    return Team(await start(at_work=False, policy=policy(**{**BY_TEXT, **words})), ends, clock)


def wrong(*codes: str, how_many: int = 5) -> list[str]:
    """Codes that are none of these."""
    found = (f"{number:06d}" for number in range(100_000, 200_000))
    return [one for one, _ in zip((code for code in found if code not in codes), range(how_many), strict=False)]


async def guesses(team: Team, name: str, codes: Sequence[str], verb: str = "YES") -> list[str]:
    return [await team.texts(name, f"{verb} {code}") for code in codes]


async def misses(core: Core) -> int:
    return len(await core.rows("misses"))


async def test_the_fifth_wrong_code_locks_and_then_even_the_right_one_decides_nothing(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    code = team.code("ana", card)
    until = sentences.end(clock() + LASTS)

    said = await guesses(team, "ana", wrong(code))

    assert said[:4] == [WORDS.verdict_unclear] * 4, "nothing tells one wrong code from another"
    assert said[4] == (
        f"Too many wrong codes. No code from this number decides before {until}. "
        "Decide it in Slack or with gateway approvals."
    )
    assert segments.count(said[4]) == 1
    assert await team.texts("ana", f"YES {code}") == ""
    assert await team.texts("ana", f"NO {code}") == ""
    assert await team.states() == ["pending"]
    assert await team.core.rows("votes") == []


async def test_after_the_lock_the_right_code_decides(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    code = team.code("ana", card)
    await guesses(team, "ana", wrong(code))

    clock.passes(LASTS - timedelta(seconds=1))
    assert await team.texts("ana", f"YES {code}") == ""
    clock.passes(timedelta(seconds=1))

    assert await team.texts("ana", f"yes {code}") != ""
    assert await team.states() == ["approved"]


async def test_the_person_is_told_once_for_each_lock_however_often_somebody_guesses(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()

    said = await guesses(team, "ana", wrong(team.code("ana", card), how_many=30))

    assert [LOCKED in one for one in said] == [False] * 4 + [True] + [False] * 25
    assert said[5:] == [""] * 25
    assert await misses(team.core) == 5


async def test_operations_get_one_alert_without_a_code_or_a_number(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    codes = wrong(team.code("ana", card), how_many=20)

    await guesses(team, "ana", codes)

    (alert,) = [one for one in ends.alerts() if "wrong codes" in one]
    assert alert == (
        f"Gatehouse: 5 wrong codes on sms from ana: no code from there decides before {sentences.end(clock() + LASTS)}"
    )
    assert not [code for code in codes if code in alert]
    assert await team.audited("codes locked") == 1


async def test_at_the_time_that_was_told_the_lock_is_over(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    code = team.code("ana", card)
    told = (await guesses(team, "ana", wrong(code)))[4].partition(" before ")[2].partition(".")[0]

    over = datetime.strptime(f"{clock().year} {told}", "%Y %d %b %H:%M UTC").replace(tzinfo=UTC)
    clock.passes(over - clock())
    await team.texts("ana", f"YES {code}")

    assert await team.states() == ["approved"]


async def test_a_number_that_is_nobodys_in_the_directory_is_named_by_a_pseudonym(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, **CONFIRMS)
    (card,) = await team.asked()
    for code in wrong(team.code_at(ALICE, card)):
        await team.core.receives(ALICE, f"YES {code}", code)
    await team.works()

    (alert,) = [one for one in ends.alerts() if "wrong codes" in one]
    assert ALICE not in alert
    assert ALICE.lstrip("+") not in alert
    assert ends.sms.told(ALICE)[-1] == WORDS.codes_locked.format(until=sentences.end(clock() + LASTS))
    await team.core.receives(ALICE, f"YES {team.code_at(ALICE, card)}", "right, and too early")
    assert await team.states() == ["pending"]

    clock.passes(LASTS)
    await team.core.receives(ALICE, f"YES {team.code_at(ALICE, card)}", "right")
    assert await team.states() == ["approved"]


async def test_all_others_decide_meanwhile_by_text_and_in_slack(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (one,), (other,), (third,) = [await team.asked(number=f"+1555000100{n}") for n in range(3)]
    await guesses(team, "ana", wrong(*(team.code("ana", card) for card in (one, other, third))))

    assert "Approved" in await team.texts("ben", f"YES {team.code('ben', one)}")
    assert (await team.clicks("cleo", other, DENY)).result == "decided"
    assert (await team.clicks("ana", third)).result == "decided", "she herself decides in Slack"
    assert sorted(await team.states()) == ["approved", "approved", "denied"]


async def test_four_wrong_ones_and_then_the_right_one_decide(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    code = team.code("ana", card)

    await guesses(team, "ana", wrong(code, how_many=4))

    assert "Approved" in await team.texts("ana", f"YES {code}")
    assert not [one for one in ends.alerts() if "wrong codes" in one]


async def test_wrong_codes_with_long_pauses_lock_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock, expires_after="7d")
    (card,) = await team.asked()
    for code in wrong(team.code("ana", card), how_many=12):
        assert LOCKED not in await team.texts("ana", f"YES {code}")
        clock.passes(timedelta(minutes=4))

    assert not [one for one in ends.alerts() if "wrong codes" in one]


async def test_a_second_lock_takes_five_more(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    codes = wrong(team.code("ana", card), how_many=10)
    await guesses(team, "ana", codes[:5])
    clock.passes(LASTS)

    said = await guesses(team, "ana", codes[5:])

    assert [LOCKED in one for one in said] == [False] * 4 + [True]


async def test_what_is_late_or_a_question_is_not_wrong(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,), (settled,) = await team.asked(), await team.asked(number="+15550001002")
    code, old = team.code("ana", card), team.code("ana", settled)
    await team.clicks("ben", settled)
    await team.works()
    for words in (f"YES {old}", f"NO {old}", code, f"ok {code}", f"yes {code} if it is cheap", f"YES {code} {old}") * 2:
        await team.texts("ana", words)
    clock.passes(timedelta(minutes=31))
    for _ in range(6):
        await team.texts("ana", f"YES {code}")

    assert await misses(team.core) == 0
    assert "Approved" in await team.texts("ana", f"YES {team.code('ana', card)}")


async def test_words_for_the_agent_are_no_guesses(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    await team.asked()

    for number in range(6):
        await team.texts("ana", f"my order is 10000{number}")
    for number in range(6):
        await team.texts("cleo", f"YES 10000{number}")  # who was never sent a code

    assert await misses(team.core) == 0
    assert len(ends.agents.posts()) == 13


async def test_the_lock_holds_for_every_process_and_after_a_restart(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    code = team.code("ana", card)
    other = team.over(await start(at_work=False, policy=policy(**BY_TEXT)))
    codes = wrong(code)

    await guesses(team, "ana", codes[:3])
    said = await guesses(other, "ana", codes[3:])

    assert LOCKED in said[-1]
    later = team.over(await start(at_work=False, policy=policy(**BY_TEXT)))
    for one, verb in ((team, "YES"), (other, "Yes"), (later, "yes")):
        assert await one.texts("ana", f"{verb} {code}") == ""
    assert await team.states() == ["pending"]


async def test_of_fifty_guesses_at_once_five_are_compared(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    other = await start(at_work=False, policy=policy(**BY_TEXT))
    codes = wrong(team.code("ana", card), how_many=50)

    await asyncio.gather(
        *(
            core.receives(PHONES["ana"], f"YES {code}", code)
            for core, code in zip([team.core, other] * 25, codes, strict=True)
        )
    )
    await team.works()

    assert await misses(team.core) == 5
    assert Counter(LOCKED in said for said in ends.sms.told(PHONES["ana"])) == {False: 4, True: 1}
    assert len([row for row in await team.core.rows("inbox") if row["kind"] == "verdict"]) == 50
    assert await team.texts("ana", f"YES {team.code('ana', card)}") == ""


async def test_the_same_wrong_text_delivered_twice_counts_once(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    (code,) = wrong(team.code("ana", card), how_many=1)

    added = [await team.core.receives(PHONES["ana"], f"YES {code}", "one text") for _ in range(6)]

    assert added == [Added.KEPT] + [Added.DUPLICATE] * 5
    assert await misses(team.core) == 1


async def test_a_request_that_comes_meanwhile_has_a_code_for_afterwards(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await guesses(team, "ana", wrong(team.code("ana", card)))
    (newer,) = await team.asked(number="+15550001002")
    code = team.code("ana", newer)
    assert await team.texts("ana", f"YES {code}") == ""

    clock.passes(LASTS)

    assert "Approved" in await team.texts("ana", f"yes {code}")


async def test_wrong_codes_are_forgotten_after_an_hour(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    await guesses(team, "ana", wrong(team.code("ana", card), how_many=2))

    await team.after(timedelta(minutes=59))
    assert await misses(team.core) == 2
    await team.after(timedelta(minutes=2))

    assert await misses(team.core) == 0


async def test_erasing_a_person_forgets_theirs(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    for name in ("ana", "ben"):
        await guesses(team, name, wrong(team.code(name, card), how_many=2))
    mine = await team.core.store.survey(lambda db: of_person(db, "sms", PHONES["ana"]))

    await Erasing(team.core.store, team.core.engine, team.core.door.approvals, clock).unrouted(mine, by="ana")

    assert {row["address"] for row in await team.core.rows("misses")} == {f"sms:{PHONES['ben']}"}


# --- a code is good in its own thread ----------------------------------------------------------------------


async def test_a_code_is_good_only_at_the_number_of_ours_that_sent_it(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    (card,) = await team.asked()
    words = f"YES {team.code('ana', card)}"

    await team.core.door.inbox.add(elsewhere(PHONES["ana"], words))
    await team.works()
    assert await team.states() == ["pending"]

    assert "Approved" in await team.texts("ana", words)


async def test_a_customers_code_is_good_only_in_the_thread_that_is_parked(
    start: Start, ends: Ends, clock: Clock
) -> None:
    team = await team_of(start, ends, clock, **CONFIRMS)
    (card,) = await team.asked()
    words = f"YES {team.code_at(ALICE, card)}"

    await team.core.door.inbox.add(replace(elsewhere(ALICE, words), own_account=True))
    assert await team.states() == ["pending"]
    await team.core.receives(ALICE, words)

    assert await team.states() == ["approved"]


def elsewhere(number: str, words: str) -> Any:
    """A text to another number of ours, which nobody configured."""
    other = "+15557779999"
    event = text(number, words, f"to another number: {words}")
    return replace(event, thread=ThreadRef("sms", other, number), own_account=False)


# --- brute force -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_ten_thousand_random_codes_decide_nothing(start: Start, ends: Ends, clock: Clock) -> None:
    team = await team_of(start, ends, clock)
    cards = [(await team.asked(number=f"+1555000100{n}"))[0] for n in range(3)]
    right = {team.code("ana", card) for card in cards}
    chance = random.Random(7)
    tried = [f"{chance.randrange(10**6):06d}" for _ in range(10_000 - len(right))]
    tried = [*tried[:5_000], *right, *tried[5_000:]]

    for begin in range(0, len(tried), 100):
        await asyncio.gather(
            *(
                team.core.receives(PHONES["ana"], f"YES {code}", f"guess {begin} {n}")
                for n, code in enumerate(tried[begin : begin + 100])
            )
        )
    await team.works()

    assert await team.states() == ["pending"] * 3
    assert await misses(team.core) == 5
    said = ends.sms.told(PHONES["ana"])
    assert [LOCKED in one for one in said] == [False] * 4 + [True]
    assert len([one for one in ends.alerts() if "wrong codes" in one]) == 1
    assert "Approved" in await team.texts("ben", f"YES {team.code('ben', cards[0])}")
    assert (await team.clicks("cleo", cards[1])).result == "decided"
    clock.passes(LASTS)
    assert "Approved" in await team.texts("ana", f"YES {team.code('ana', cards[2])}")
