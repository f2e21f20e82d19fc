"""What time does to a request: people are reminded, more are asked, and what happens when nobody decides."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.helpers.rows import rows
from tests.helpers.town import POLICY, Town, Under

REFUND = "Please refund order A-1001, $40."


def policy(words: str) -> str:
    return POLICY.replace('"24h"', f'"24h"\n{words}')


async def states(town: Town) -> list[str]:
    return [row["state"] for row in await rows(town.store, "approvals")]


async def shows(town: Town, words: str) -> dict[str, Any]:
    return (await town.until(lambda: [one for one in town.cards() if words in json.dumps(one["blocks"])], words))[0]  # type: ignore[no-any-return]


def reminders(town: Town) -> list[dict[str, Any]]:
    posts = town.sandbox.state()["channels"]["C0OPS"]
    return [post for post in posts if post["text"].startswith("Reminder: issue_refund")]


async def test_people_are_reminded_below_the_card_and_the_card_says_so(under: Under) -> None:
    async with under(policy('remind_after = ["15m"]')) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        town.clock.passes(timedelta(minutes=16))

        (note,) = await town.until(lambda: reminders(town), "a reminder")
        assert note["thread_ts"] == card["ts"]
        assert "<" not in note["text"], "it mentions nobody"
        await town.ana.approves(await shows(town, "Reminded "))
        await town.card_says("Approved by ana")
        assert len(town.cards()) == 1


async def test_in_quiet_hours_a_reminder_waits(under: Under) -> None:
    now = datetime.now(UTC)
    quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=3):%H:%M} UTC"
    async with under(policy(f'remind_after = ["15m"]\nquiet_hours = "{quiet}"')) as town:
        await town.alice.texts(REFUND)
        await town.card()
        first = await due(town)

        town.clock.passes(timedelta(minutes=16))
        async with asyncio.timeout(20):
            while (later := await due(town)) == first:
                await town.sandbox.changed(town.sandbox.state()["version"], 0.1)
        assert later > first
        assert reminders(town) == []

        town.clock.passes(timedelta(hours=3))
        await town.until(lambda: reminders(town), "a reminder")


async def test_after_a_while_more_people_are_asked_and_may_decide(under: Under) -> None:
    more = POLICY.replace("[approvals.default]", '[people.max]\nsms = "+15550002222"\n\n[approvals.default]')
    words = '"24h"\nescalate_after = "2h"\nescalate_to = ["sms:max"]'
    async with under(more.replace('"24h"', words)) as town:
        await town.alice.texts(REFUND)
        await town.card()

        town.clock.passes(timedelta(hours=2, minutes=1))
        code = await town.bob.is_asked()
        await shows(town, "more people may decide")
        await town.bob.texts(f"YES {code}")

        await town.card_says("Approved by max")
        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_a_request_that_is_held_stays_open_after_its_time(under: Under) -> None:
    async with under(policy('on_unanswered = "hold"')) as town:
        await town.alice.texts(REFUND)
        card = await town.card()

        town.clock.passes(timedelta(hours=25))

        held = await shows(town, "it is held open")
        assert held["ts"] == card["ts"]
        assert await states(town) == ["pending"]
        await town.until(lambda: [text for text in town.alerts() if "it stays open" in text], "an alert")
        await town.ana.approves(held)
        assert "A-1001" in (await town.alice.gets(2))[1]


async def test_when_nobody_decides_a_person_may_take_the_conversation(under: Under) -> None:
    async with under(policy('on_unanswered = "handoff"')) as town:
        await town.alice.texts(REFUND)
        await town.card()

        town.clock.passes(timedelta(hours=25))

        assert "takes over" in await town.alice.reads("colleague takes over")
        await town.card_says("Not decided")
        await town.until(lambda: [text for text in town.alerts() if "would have said" in text], "what the agent said")
        assert not [text for text in town.alice.got() if "nobody" in text.lower() and "sorry" in text.lower()]


async def due(town: Town) -> datetime:
    (timer,) = [row for row in await rows(town.store, "timers") if row["kind"].startswith("remind")]
    at: datetime = timer["due"]
    return at
