"""What pumped texts may cost: segments of a day, for a sender and a route, and countries that are written to at all."""

from datetime import timedelta
from typing import Any

import pytest

from gateway import fate
from gateway.events import Consent, UserPosted
from gateway.ports import Added
from tests.helpers.agents import asks_first
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, POLICY, WORDS, Core, Ends, Start, seen
from tests.helpers.process import until

DAY = timedelta(days=1)
CARL = "+15550003333"


def policy(**words: Any) -> str:
    """The route of texts with these words."""
    written = "\n".join(f"{word} = {value!r}".replace("'", '"') for word, value in words.items())
    return POLICY.replace('agent = "support"', f'agent = "support"\n{written}', 1)


def alerts(ends: Ends, words: str) -> list[str]:
    return [alert for alert in ends.alerts() if words in alert]


@pytest.fixture(autouse=True)
def _at_noon(clock: Clock) -> None:
    """So that no test runs over midnight, when counting begins anew."""
    noon = clock().replace(hour=12, minute=0, second=0)
    clock.passes((noon if noon > clock() else noon + DAY) - clock())


@pytest.fixture(autouse=True)
def _three_segments_each(ends: Ends) -> None:
    ends.sms.segments = 3


async def handled(core: Core, *statuses: str) -> None:
    """The messages so far ended so."""

    async def so() -> bool:
        return tuple(await core.statuses()) == statuses

    await until(so, f"{statuses}")


async def answered(core: Core, ends: Ends, number: str, words: str) -> None:
    await core.receives(number, words)
    await seen(lambda: f"about {words}" in ends.sms.told(number))
    await settled(core)


async def settled(core: Core, clock: Clock | None = None) -> None:
    """`clock`: a part of a reply waits until the one before was handed on."""

    async def nothing_is_open() -> bool:
        if clock is not None:
            clock.passes(timedelta(seconds=5))
        return not {"queued", "sending", "unknown"} & {row["status"] for row in await core.rows("outbox")}

    await until(nothing_is_open, "an end")


# --- a day's segments ---------------------------------------------------------------------------------------


async def test_a_sender_over_their_segments_is_told_once_and_not_answered(start: Start, ends: Ends) -> None:
    core = await start(policy=policy(sender_segments_per_day=6))
    for words in ("one", "two"):
        await answered(core, ends, ALICE, words)
    for words in ("three", "four"):
        await core.receives(ALICE, words)
    await handled(core, "done", "done", "capped", "capped")
    await answered(core, ends, BOB, "boats")
    await settled(core)

    assert ends.sms.told(ALICE) == ["about one", "about two", WORDS.capped]
    assert sorted(ends.agents.posts()) == ["boats", "one", "two"]
    assert len(alerts(ends, "sender_segments_per_day")) == 1
    assert ALICE not in "".join(ends.alerts())


async def test_a_route_over_its_segments_sends_nothing_more_not_even_that_it_does_not(
    start: Start, ends: Ends, clock: Clock
) -> None:
    core = await start(policy=policy(segments_per_day=6))
    await answered(core, ends, ALICE, "one")
    await answered(core, ends, BOB, "two")
    await core.receives(CARL, "three")
    await handled(core, "done", "done", "capped")
    await seen(lambda: alerts(ends, "segments_per_day"))

    assert ends.sms.told(CARL) == []
    assert len(alerts(ends, "segments_per_day")) == 1

    clock.passes(DAY)
    await answered(core, ends, CARL, "four")


async def test_a_reply_that_would_go_out_over_the_cap_is_not_sent(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(policy=policy(segments_per_day=4))
    await core.receives(ALICE, "one\ftwo\fthree")
    await handled(core, "done")
    await settled(core, clock)

    assert ends.sms.told(ALICE) == ["about one", "two"], "the one that reaches the cap is the last"
    found = await core.store.read(lambda db: fate.of(db, 1))
    assert found is not None
    last = [step for step in found[1] if isinstance(step, fate.Went)][-1]
    assert last.status == "failed"
    assert "segments_per_day" in last.why
    await seen(lambda: alerts(ends, "segments_per_day"))
    assert len(alerts(ends, "segments_per_day")) == 1
    assert alerts(ends, "was not sent:") == []


async def test_the_agent_hears_that_it_was_not_sent(start: Start, ends: Ends, clock: Clock) -> None:
    core = await start(policy=policy(sender_segments_per_day=2))
    await core.receives(ALICE, "one\ftwo")
    await handled(core, "done")
    await settled(core, clock)
    clock.passes(DAY)

    await answered(core, ends, ALICE, "three")

    (_, last) = [entry.text for session in ends.agents.sessions.values() for entry in session.history if _posted(entry)]
    assert "[Not delivered: part of your reply of " in last


async def test_requests_to_approvers_and_alerts_are_under_no_cap(start: Start, ends: Ends) -> None:
    texted = policy(segments_per_day=3).replace('"slack:C0OPS"', '"slack:C0OPS", "sms:+15559990000"')
    core = await start(policy=texted.replace('slack = "U0ANA"', 'slack = "U0ANA"\nsms = "+15559990000"'))
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")

    await seen(lambda: len(ends.sms.cards()) == 1)
    await settled(core)

    routes = {row["kind"]: row["route"] for row in await core.rows("outbox")}
    assert routes == {"ask": None, "say": "sms/*/support"}


async def test_without_words_nothing_is_counted_out(start: Start, ends: Ends) -> None:
    core = await start()
    for number in range(6):
        await answered(core, ends, ALICE, f"text {number}")

    assert "capped" not in await core.statuses()


# --- countries ----------------------------------------------------------------------------------------------


async def test_who_writes_from_a_country_that_is_not_listed_wakes_no_agent_and_is_sent_nothing(
    start: Start, ends: Ends
) -> None:
    core = await start(policy=policy(countries=["US", "CA"]))
    added = [await core.receives(BOB, f"text {number}", country="JM") for number in range(3)]
    added.append(await core.receives(CARL, "who knows", country=""))
    await answered_from(core, ends, "US")

    assert added == [Added.NO_ROUTE] * 4
    assert (ends.sms.told(BOB), ends.sms.told(CARL), ends.agents.posts()) == ([], [], ["kites"])
    assert [row["status"] for row in await core.rows("inbox")] == ["unrouted"] * 4 + ["done"]
    assert [row["thread_key"] for row in await core.rows("conversations")] == [ALICE]
    await seen(lambda: len(alerts(ends, "countries")) == 2)
    assert len(alerts(ends, "in JM wrote")) == 1
    assert BOB not in "".join(ends.alerts())


async def answered_from(core: Core, ends: Ends, country: str) -> None:
    await core.receives(ALICE, "kites", country=country)
    await seen(lambda: "about kites" in ends.sms.told(ALICE))
    await settled(core)


async def test_the_same_text_twice_is_kept_and_told_once(start: Start, ends: Ends) -> None:
    core = await start(policy=policy(countries=["US"]))

    added = [await core.receives(BOB, "hello", "m1", country="JM") for _ in range(2)]

    assert added == [Added.NO_ROUTE, Added.DUPLICATE]
    assert len(await core.rows("inbox")) == 1


async def test_somebody_there_who_asks_for_help_is_sent_nothing_and_whose_stop_is_kept(
    start: Start, ends: Ends
) -> None:
    core = await start(policy=policy(countries=["US"]))

    await core.receives(BOB, "HELP", country="JM", consent=Consent(state="help", source="keyword"))
    await core.receives(BOB, "STOP", country="JM", consent=Consent(state="out", source="keyword"))
    await settled(core)

    assert ends.sms.told(BOB) == []
    assert [row["state"] for row in await core.rows("consents")] == ["out"]


async def test_what_has_no_number_is_in_no_country_and_answered(start: Start, ends: Ends) -> None:
    core = await start(policy=policy(countries=["US"]))

    await core.receives(ALICE, "kites")

    await seen(lambda: "about kites" in ends.sms.told(ALICE))


def _posted(entry: Any) -> bool:
    return isinstance(entry, UserPosted)
