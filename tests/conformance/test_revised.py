"""What people write anew or take back before its turn begins is never posted as it was; afterwards nothing changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.events import Identity, Proof
from tests.helpers.approvers import Team, policy, with_token
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, WORDS, Core, Ends, Start, text

BATCH = policy().replace('agent = "support"\n', 'agent = "support"\nheld = "batch"\n')


@pytest.fixture
async def team(start: Start, ends: Ends, clock: Clock) -> Team:
    return Team(await start(at_work=False, policy=policy()), ends, clock)


def now_says(words: str, name: str = "one", *, version: str = "2", by: str = ALICE) -> Any:
    """The message `name` as it is after an edit."""
    message = replace(text(ALICE, words, name), version=version)
    return replace(message, sender=replace(message.sender, address=by))


async def held(team: Team, *names: str) -> Any:
    """A card that waits, and messages behind it."""
    (card,) = await team.asked()
    for name in names:
        await team.core.receives(ALICE, f"old {name}", name)
    await team.works()
    return card


async def test_an_edit_of_a_held_message_is_what_the_agent_gets(team: Team) -> None:
    card = await held(team, "one", "two")

    assert await team.core.door.inbox.edited(now_says("new one"))

    await team.clicks("ana", card)
    await team.works()
    assert team.ends.agents.posts()[1:] == ["new one", "old two"]
    assert [row["what"] for row in await team.core.rows("audit")].count("message edited") == 1


async def test_a_held_message_that_was_taken_back_is_posted_to_nobody_and_answered_with_nothing(team: Team) -> None:
    card = await held(team, "one", "two")

    assert await team.core.door.inbox.withdrawn(now_says("old one"))
    assert not await team.core.door.inbox.withdrawn(now_says("old one")), "twice is once"

    await team.clicks("ana", card)
    await team.works()
    assert team.ends.agents.posts()[1:] == ["old two"]
    assert team.ends.sms.told(ALICE) == [WORDS.asked, WORDS.held, "ran", "about old two"]
    assert await team.core.statuses() == ["done", "withdrawn", "done"]


async def test_what_was_taken_back_is_shown_to_no_approver(team: Team) -> None:
    card = await held(team, "one", "two")

    await team.core.door.inbox.withdrawn(now_says("old one"))

    found = await team.core.door.approvals.whole(card.id, with_token("ana"), via="api")
    assert found.approval is not None
    said = [one.text for one in found.approval.recent]
    assert "old two" in said
    assert "old one" not in said


@pytest.mark.parametrize(
    "edit",
    [
        now_says("new one", by=BOB),
        now_says("new one", "never seen"),
        now_says("new one", version="1"),
        now_says("now"),
    ],
)
async def test_not_every_edit_counts(team: Team, edit: Any) -> None:
    await held(team, "one")
    assert await team.core.door.inbox.edited(now_says("now"))

    assert not await team.core.door.inbox.edited(edit)


async def test_edits_that_come_in_the_wrong_order_leave_the_last_one(team: Team) -> None:
    card = await held(team, "one")

    assert await team.core.door.inbox.edited(now_says("third", version="1700000000.000300"))
    assert not await team.core.door.inbox.edited(now_says("second", version="1700000000.000200"))

    await team.clicks("ana", card)
    await team.works()
    assert team.ends.agents.posts()[1:] == ["third"]


@pytest.mark.parametrize("place", ["opening", "opened"])
@pytest.mark.parametrize("taken_back", [False, True])
async def test_whoever_has_read_the_old_words_does_not_post_them(team: Team, place: str, taken_back: bool) -> None:
    halt = team.ends.steps.stops_one_at(place)
    await team.core.receives(ALICE, "old one", "one")
    drain = asyncio.create_task(team.core.drain())
    await halt.next()

    inbox, message = team.core.door.inbox, now_says("new one")
    assert await (inbox.withdrawn(message) if taken_back else inbox.edited(message))
    halt.open()
    await drain
    await team.works()

    assert team.ends.agents.posts() == ([] if taken_back else ["new one"])
    assert team.ends.sms.told(ALICE) == ([] if taken_back else ["about new one"])


@pytest.mark.parametrize("place", ["attaching", "posting", "posted", "hearing Replied"])
async def test_of_a_message_whose_turn_has_begun_nothing_changes(team: Team, place: str) -> None:
    halt = team.ends.steps.stops_one_at(place)
    await team.core.receives(ALICE, "old one", "one")
    drain = asyncio.create_task(team.core.drain())
    await halt.next()

    assert not await team.core.door.inbox.edited(now_says("new one"))
    assert not await team.core.door.inbox.withdrawn(now_says("new one"))
    halt.open()
    await drain
    await team.works()

    assert team.ends.agents.posts() == ["old one"]
    assert team.ends.sms.told(ALICE) == ["about old one"]
    assert not await team.core.door.inbox.edited(now_says("new one"))


async def test_an_edit_and_the_beginning_of_its_turn_at_the_same_moment_agree(team: Team, start: Start) -> None:
    door: Core = await start(at_work=False, policy=policy())
    expected = []
    for n in range(8):
        await team.core.receives(ALICE, f"old {n}", f"m{n}")

        async def edits(n: int = n) -> bool:
            await asyncio.sleep(n % 4 * 0.002)
            return await door.door.inbox.edited(now_says(f"new {n}", f"m{n}"))

        taken, _ = await asyncio.gather(edits(), team.core.drain())
        await team.works()
        expected.append(f"{'new' if taken else 'old'} {n}")

    assert team.ends.agents.posts() == expected


async def test_a_turn_that_runs_is_not_disturbed_by_an_edit_behind_it(team: Team) -> None:
    halt = team.ends.steps.stops_one_at("posted")
    await team.core.receives(ALICE, "slow", "zero")
    drain = asyncio.create_task(team.core.drain())
    await halt.next()
    await team.core.receives(ALICE, "old one", "one")

    assert await team.core.door.inbox.edited(now_says("new one"))
    halt.open()
    await drain
    await team.works()

    assert team.ends.agents.posts() == ["slow", "new one"]
    assert team.ends.steps.passed.count("opened") == 1
    assert [row["tries"] for row in await team.core.rows("turns")] == [1, 1]


async def test_what_was_joined_is_not_taken_apart(start: Start, ends: Ends, clock: Clock) -> None:
    team = Team(await start(at_work=False, policy=BATCH), ends, clock)
    card = await held(team, "one", "two")
    await team.clicks("ana", card)
    await team.core.drain(control=True)
    clock.passes(timedelta(days=31))  # so that a session is opened between the joining and the beginning
    halt = ends.steps.stops_one_at("opening")
    drain = asyncio.create_task(team.core.drain())
    await halt.next()

    assert not await team.core.door.inbox.edited(now_says("new one"))
    assert not await team.core.door.inbox.withdrawn(now_says("old two", "two"))
    halt.open()
    await drain

    assert ends.agents.posts()[1:] == ["old one\n\nold two"]


async def test_a_message_that_no_route_took_is_left_as_it_is(team: Team) -> None:
    stranger = Identity(channel="email", address="x@y.example", proof=Proof.NONE)
    message = replace(now_says("old"), thread=replace(now_says("old").thread, channel="email"), sender=stranger)
    await team.core.door.inbox.add(message)

    assert not await team.core.door.inbox.edited(replace(message, text="new", version="3"))
    assert [row["status"] for row in await team.core.rows("inbox")] == ["unrouted"]
