"""What a customer writes while a colleague decides: kept in order, and given to the agent as the route says."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.events import MediaRef, MessageReceived, ThreadRef, lane_events
from tests.helpers.agents import Call
from tests.helpers.approvers import OPS, Team, policy
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, WORDS, Ends, Start, text

FIVE = ["one", "two", "three", "four", "five"]
ROUTE = 'channel = "sms"\nagent = "support"\n'
BATCH = policy().replace(ROUTE, 'channel = "*"\nagent = "support"\nheld = "batch"\n')
TEAM, CHANNEL = "T0TEAM", "C0SHOP"


@pytest.fixture
async def one_by_one(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


@pytest.fixture
async def batch(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=BATCH), ends, clock)


async def write(team: Team, *words: str) -> None:
    for one in words:
        await team.core.receives(ALICE, one)
    await team.works()


async def test_five_texts_sent_while_parked_come_one_by_one_after_the_decision(one_by_one: Team) -> None:
    team = one_by_one
    (card,) = await team.asked()
    await write(team, *FIVE)
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.held]

    await team.clicks("ana", card)
    await team.works()

    assert team.ends.agents.posts()[1:] == FIVE
    assert team.ends.sms.told(ALICE)[2:] == ["ran", *(f"about {words}" for words in FIVE)]


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (["requester"], WORDS.held_for_requester),
        (["requester", OPS], WORDS.held),
    ],
)
async def test_who_is_the_only_one_asked_hears_of_no_colleague(
    start: Start, ends: Ends, clock: Clock, ask: list[str], told: str
) -> None:
    team = Team(await start(at_work=False, policy=policy(ask=ask, approvers=["requester", "ana"])), ends, clock)
    await team.asked(seen_by="ana")
    await write(team, "one", "two")

    assert [said for said in ends.sms.told(ALICE) if "I have your message" in said] == [told]


async def test_five_texts_sent_while_parked_come_as_one_where_the_route_says_so(batch: Team) -> None:
    team = batch
    (card,) = await team.asked()
    await write(team, *FIVE)
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.held]

    await team.clicks("ana", card)
    await team.works()

    together = "\n\n".join(FIVE)
    assert team.ends.agents.posts()[1:] == [together]
    assert team.ends.sms.told(ALICE)[2:] == ["ran", f"about {together}"]
    assert await team.core.statuses() == ["done", "done", *["joined"] * 4]


async def test_a_text_after_the_decision_is_a_message_of_its_own_again(batch: Team) -> None:
    team = batch
    (card,) = await team.asked()
    await write(team, "one", "two")
    await team.clicks("ana", card)
    await team.works()

    await write(team, "three")

    assert team.ends.agents.posts()[1:] == ["one\n\ntwo", "three"]


@pytest.mark.parametrize("place", ["posting", "hearing Replied"])
async def test_a_crash_after_they_were_joined_loses_and_doubles_nothing(batch: Team, start: Start, place: str) -> None:
    team = batch
    (card,) = await team.asked()
    await write(team, *FIVE)
    await team.clicks("ana", card)
    await team.core.drain(control=True)
    halt = team.ends.steps.stops_one_at(place)
    drain = asyncio.create_task(team.core.drain())
    await halt.next()
    drain.cancel()
    await asyncio.gather(drain, return_exceptions=True)
    halt.open()

    after = team.over(await start(at_work=False, policy=BATCH))
    await after.works()

    assert team.ends.agents.posts()[1:] == ["\n\n".join(FIVE)]
    assert team.ends.sms.told(ALICE)[-1] == "about " + "\n\n".join(FIVE)
    assert await after.core.statuses() == ["done", "done", *["joined"] * 4]


async def test_what_was_joined_stands_once_in_the_record_for_a_new_session(batch: Team) -> None:
    team = batch
    (card,) = await team.asked()
    await write(team, "one", "two")
    await team.clicks("ana", card)
    await team.works()
    team.ends.agents.sessions.clear()

    await write(team, "three")

    (session,) = team.ends.agents.sessions.values()
    (first,) = [entry.text for entry in session.history if hasattr(entry, "text") and "<transcript" in entry.text]
    assert first.count("two") == 2, "in the customer's words, and in the agent's answer to them"


def in_slack(user: str, words: str, name: str, *media: MediaRef) -> Any:
    event = text(user, words, name)
    who = replace(event.sender, channel="slack", account=TEAM)
    return replace(event, thread=ThreadRef("slack", TEAM, CHANNEL), sender=who, media=media)


async def test_the_words_of_two_people_in_a_thread_are_not_joined(batch: Team) -> None:
    team, photo = batch, MediaRef(where="photo", mime_type="image/png")
    await parked_in_slack(team)

    for number, (user, words) in enumerate(
        [("U0MAX", "one"), ("U0MAX", "two"), ("U0EVE", "three"), ("U0MAX", "four"), ("U0MAX", "")]
    ):
        await team.core.door.inbox.add(in_slack(user, words, f"m{number}", *([] if words else [photo])))
    await team.works()
    (row,) = await team.core.rows("approvals")
    await team.clicks("ana", await team.sees(row["id"]))
    await team.works()

    assert team.ends.agents.posts()[1:] == ["one\n\ntwo", "three", "four\n[attached: image/png]"]
    first_of_last = (await team.core.rows("inbox"))[4]
    event = lane_events.validate_json(first_of_last["payload"])
    assert isinstance(event, MessageReceived)
    assert (event.text, event.media) == ("four", (photo,))


async def parked_in_slack(team: Team) -> None:
    team.asks(Call())
    await team.core.door.inbox.add(in_slack("U0MAX", "refund", "m"))
    await team.works()
