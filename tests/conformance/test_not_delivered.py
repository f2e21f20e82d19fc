"""What a carrier did not deliver: the agent hears of it with the next message, once, and people see it."""

from functools import partial

import pytest

from gateway import dead, fate
from gateway.errors import SessionGone
from gateway.events import Delivery, DeliveryReported, UserPosted
from tests.helpers.agents import asks_first
from tests.helpers.core import ALICE, BOB, WORDS, Core, Ends, Start, seen
from tests.helpers.process import until

LANDLINE = "30006: the number is a landline; ask for another one"


async def lost(core: Core, words: str, *, why: str = LANDLINE, state: Delivery = Delivery.FAILED) -> None:
    """The carrier says that the newest text with these words did not arrive."""
    found = [row for row in await core.rows("outbox") if words in row["payload"] and row["provider_id"]]
    report = DeliveryReported(channel="sms", provider_id=found[-1]["provider_id"], state=state, error=why)
    await core.door.inbox.report(report)


async def _is_sent(core: Core) -> bool:
    return "sent" in await ends_of(core)


async def settled(core: Core) -> None:
    """All that goes out has gone, and the rows know it."""

    async def nothing_is_open() -> bool:
        return not {"queued", "sending", "unknown"} & set(await ends_of(core))

    await until(nothing_is_open, "an end")


async def ends_of(core: Core) -> list[str]:
    return [row["status"] for row in await core.rows("outbox")]


async def answered(core: Core, ends: Ends, words: str, number: str = ALICE) -> None:
    await core.receives(number, words)
    await seen(lambda: f"about {words}" in "\n".join(ends.sms.told(number)))
    await settled(core)


def posts(ends: Ends) -> list[list[str]]:
    """The lines that the agent got, a post each, without who is speaking."""
    entries = [entry for session in ends.agents.sessions.values() for entry in session.history]
    return [entry.text.split("\n")[1:] for entry in entries if isinstance(entry, UserPosted)]


async def test_the_agent_hears_once_of_a_reply_that_did_not_arrive(start: Start, ends: Ends) -> None:
    core = await start()
    await answered(core, ends, "kites")
    await answered(core, ends, "trains", BOB)
    await lost(core, "about kites")

    for words in ("boats", "cars"):
        await answered(core, ends, words)
    await answered(core, ends, "planes", BOB)

    (kites,) = [row for row in await core.rows("outbox") if "about kites" in row["payload"]]
    note = f"[Not delivered: your reply of {kites['created_at']:%d %b %H:%M} UTC (the number is a landline)]"
    assert posts(ends) == [["kites"], [note, "boats"], ["cars"], ["trains"], ["planes"]]


async def test_only_replies_are_told(start: Start, ends: Ends) -> None:
    core = await start()
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    await seen(lambda: WORDS.asked in ends.sms.told(ALICE))
    await settled(core)
    await lost(core, WORDS.asked)

    await core.receives(ALICE, "boats")
    await seen(lambda: WORDS.held in ends.sms.told(ALICE))
    await core.approves(card.id)
    await seen(lambda: "about boats" in ends.sms.told(ALICE))

    assert posts(ends) == [["refund"], ["boats"]]
    assert "refunded" in ends.sms.told(ALICE), "the parked turn went on undisturbed"


async def test_what_did_not_arrive_while_a_turn_is_parked_is_told_after_it(start: Start, ends: Ends) -> None:
    core = await start()
    await answered(core, ends, "kites")
    ends.agents.does(asks_first, on="refund")
    await core.receives(ALICE, "refund")
    (card,) = await seen(ends.slack.cards)
    await core.receives(ALICE, "boats")
    await seen(lambda: WORDS.held in ends.sms.told(ALICE))
    await settled(core)
    await lost(core, "about kites")

    await core.approves(card.id)
    await seen(lambda: "about boats" in ends.sms.told(ALICE))

    assert [len(lines) for lines in posts(ends)] == [1, 1, 2]


async def test_a_session_that_is_lost_with_the_message_does_not_lose_the_word(start: Start, ends: Ends) -> None:
    core = await start()
    await answered(core, ends, "kites")
    await lost(core, "about kites")
    ends.steps.fails("attaching", SessionGone("gone"))

    await answered(core, ends, "boats")

    last = posts(ends)[-1]
    assert last[0].startswith("[Not delivered: your reply of ")
    assert last[-1] == "boats"


async def test_a_part_of_a_long_reply_is_told_as_one(start: Start, ends: Ends) -> None:
    core = await start()
    await core.receives(ALICE, "kites\fand more")
    await seen(lambda: ends.sms.told(ALICE))
    await until(partial(_is_sent, core), "the first part's receipt")
    await lost(core, "about kites", state=Delivery.SENT)  # the part after it waits for that
    await seen(lambda: len(ends.sms.told(ALICE)) == 2)
    await settled(core)
    await lost(core, "and more")

    await core.receives(ALICE, "boats")
    await seen(lambda: "about boats" in ends.sms.told(ALICE))

    assert posts(ends)[1][0].startswith("[Not delivered: part of your reply of ")


async def test_a_phone_that_is_only_off_for_now_is_no_news(start: Start, ends: Ends) -> None:
    core = await start()
    await answered(core, ends, "kites")
    await lost(core, "about kites", state=Delivery.AGAIN)

    assert await ends_of(core) == ["queued"]
    await core.receives(ALICE, "boats")
    await seen(lambda: len(posts(ends)) == 2)

    assert posts(ends)[1] == ["boats"]


async def test_people_see_why_it_did_not_arrive_and_hear_of_it(start: Start, ends: Ends) -> None:
    core = await start()
    await answered(core, ends, "kites")
    await lost(core, "about kites")

    found = await core.store.read(lambda db: fate.of(db, 1))
    assert found is not None
    went = [step for step in found[1] if isinstance(step, fate.Went)]
    assert [(one.status, one.why) for one in went] == [("failed", LANDLINE)]
    await seen(lambda: [alert for alert in ends.alerts() if LANDLINE in alert])


@pytest.mark.parametrize("again", [False, True])
async def test_a_reply_that_was_sent_anew_is_told_only_when_it_fails_again(
    again: bool, start: Start, ends: Ends
) -> None:
    core = await start()
    await answered(core, ends, "kites")
    await lost(core, "about kites")
    await answered(core, ends, "boats")
    (failed,) = [row for row in await core.rows("outbox") if row["status"] == "failed"]
    letter = dead.LetterId("out", failed["id"])
    await core.store.write(lambda tx: dead.replay(tx, letter, who="ana", now=failed["created_at"]))
    await seen(lambda: ends.sms.told(ALICE).count("about kites") == 2)
    await settled(core)
    if again:
        await lost(core, "about kites")

    await answered(core, ends, "cars")

    assert len(posts(ends)[-1]) == 1 + again
