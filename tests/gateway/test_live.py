"""A reply that takes long is shown while it is written, in the place where its end will be."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.errors import AgentUnavailable, TryLater, WillNeverArrive
from gateway.events import Say
from gateway.live import MAX_SHOWN, Growth
from tests.helpers.agents import Act, AgentTurn
from tests.helpers.board import Board
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, WORDS, Core, Ends, opened, seen

FIRST = f"{ALICE}/1"  # the handle of the first message that is shown


@pytest.fixture
async def ends(clock: Clock) -> AsyncIterator[Ends]:
    made = Ends(clock)

    async def pause(seconds: float) -> None:
        await made.steps.at(f"pause {seconds}")

    made.growth = Growth(sleep=pause)
    yield made
    await made.aclose()


@pytest.fixture
def board(ends: Ends) -> Board:
    board = Board(ends.steps)
    ends.live["sms"] = board
    return board


@pytest.fixture
async def core(database_url: str, ends: Ends, clock: Clock, board: Board) -> AsyncIterator[Core]:
    async with opened(database_url, ends, clock) as made:
        yield made
        await ends.aclose()


def writes(board: Board, *pieces: str, ends_with: str = "") -> Act:
    """Writes piece by piece, waiting each time until it is seen, and replies."""

    async def act(turn: AgentTurn) -> None:
        for at, piece in enumerate(pieces, 1):
            turn.streams(piece, under="m-long")
            await seen(lambda at=at: board.shown and len(board.texts()[0]) >= at)  # type: ignore[misc]
        turn.replies(ends_with or "".join(pieces))

    return act


async def says(core: Core, words: str, number: str = ALICE) -> None:
    """Somebody writes, and all that is due is done."""
    await core.receives(number, words)
    await core.drain(await core.conversation(number))
    await core.work.deliver(f"sms:{number}")


def heard(ends: Ends, number: str = ALICE) -> list[tuple[str, str]]:
    """What somebody was told, and what it took the place of."""
    messages = [one.message for one in ends.sms.taken]
    return [(one.text, one.replaces) for one in messages if isinstance(one, Say) and one.to.key == number]


async def test_a_customer_sees_the_reply_grow_and_its_end_in_the_same_place(
    core: Core, ends: Ends, board: Board
) -> None:
    ends.agents.does(writes(board, "On", " its", " way"), on="order")

    await says(core, "my order?")

    assert board.texts() == [["On", "On its", "On its way"]]
    assert board.asked_by == [ALICE]
    assert heard(ends) == [("On its way", FIRST)]
    assert [row["live_handle"] for row in await core.rows("turns")] == [None]


async def test_a_reply_that_is_there_within_a_second_is_simply_said(core: Core, ends: Ends, board: Board) -> None:
    ends.steps.stops_one_at("pause 1.0")

    async def act(turn: AgentTurn) -> None:
        turn.streams("On its way")
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert board.texts() == []
    assert heard(ends) == [("On its way", "")]


async def test_a_channel_that_cannot_show_it_is_left_alone(core: Core, ends: Ends, board: Board) -> None:
    ends.live = {}
    board.not_here = True

    async def act(turn: AgentTurn) -> None:
        turn.streams("On")
        await seen(lambda: "live opening" in ends.steps.passed)
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert heard(ends) == [("On its way", "")]


async def test_a_slow_channel_is_shown_the_newest_text_alone(core: Core, ends: Ends, board: Board) -> None:
    slow = ends.steps.stops_one_at("live growing")

    async def act(turn: AgentTurn) -> None:
        turn.streams("0", under="m-long")
        await seen(lambda: board.shown)
        turn.streams(" 1", under="m-long")
        await slow.next()
        for number in range(2, 500):
            turn.streams(f" {number}", under="m-long")
        await seen(lambda: ends.steps.passed.count("hearing Delta") == 500)
        slow.open()
        await seen(lambda: len(board.texts()[0]) == 3)
        turn.replies("done")

    ends.agents.does(act, on="count")
    await says(core, "count")

    assert board.texts()[0][2] == " ".join(str(number) for number in range(500))
    assert heard(ends) == [("done", FIRST)]


async def test_no_more_than_the_beginning_of_a_huge_reply_is_kept(core: Core, ends: Ends, board: Board) -> None:
    async def act(turn: AgentTurn) -> None:
        for _ in range(10):
            turn.streams("x" * 2_000, under="m-long")
        await seen(lambda: board.shown)
        turn.replies("x" * 20_000)

    ends.agents.does(act, on="huge")
    await says(core, "huge")

    assert max(len(text) for text in board.texts()[0]) == MAX_SHOWN
    assert heard(ends) == [("x" * 20_000, FIRST)]


async def test_another_message_of_the_same_turn_begins_anew_in_the_same_place(
    core: Core, ends: Ends, board: Board
) -> None:
    async def act(turn: AgentTurn) -> None:
        turn.streams("Let me look", under="m-1")
        await seen(lambda: board.texts() == [["Let me look"]])
        turn.streams("It is", under="m-2")
        await seen(lambda: board.texts() == [["Let me look", "It is"]])
        turn.replies("It is here")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert heard(ends) == [("It is here", FIRST)]


async def test_what_takes_longer_than_four_minutes_grows_no_more(
    core: Core, ends: Ends, board: Board, clock: Clock
) -> None:
    pause = ends.steps.stops_one_at("pause 1.2")

    async def act(turn: AgentTurn) -> None:
        turn.streams("On", under="m-long")
        await pause.next()
        clock.passes(timedelta(minutes=4))
        turn.streams(" its", under="m-long")
        pause.open()
        await seen(lambda: board.rested)
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert board.texts() == [["On"]]
    assert board.rested == [FIRST]
    assert heard(ends) == [("On its way", FIRST)]


async def test_a_turn_that_is_cut_off_leaves_nothing_that_seems_to_go_on(core: Core, ends: Ends, board: Board) -> None:
    async def act(turn: AgentTurn) -> None:
        await seen(lambda: board.at_work)
        turn.streams("On", under="m-long")
        await asyncio.Event().wait()

    ends.agents.does(act, on="order")
    await core.receives(ALICE, "my order?")
    doing = asyncio.create_task(core.drain())
    await seen(lambda: board.shown)

    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)

    assert board.rested == [FIRST]
    assert board.at_work == [(ALICE, True), (ALICE, False)]


async def test_an_answer_that_is_there_at_once_needs_no_status(core: Core, ends: Ends, board: Board) -> None:
    ends.steps.stops_one_at("pause 0.5")

    await says(core, "hello")

    assert board.at_work == []


# --- it cannot be shown ------------------------------------------------------------------------------------

REFUSALS = (WillNeverArrive("no"), TryLater("not now"), ValueError("a fault of ours"))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: type(one).__name__)
async def test_where_it_cannot_be_opened_the_reply_is_simply_said(
    core: Core, ends: Ends, board: Board, refusal: Exception
) -> None:
    ends.steps.fails("live opening", refusal)

    async def act(turn: AgentTurn) -> None:
        turn.streams("On")
        await seen(ends.steps.have_failed)
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert board.texts() == []
    assert heard(ends) == [("On its way", "")]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: type(one).__name__)
async def test_where_it_cannot_grow_the_reply_still_ends_it(
    core: Core, ends: Ends, board: Board, refusal: Exception
) -> None:
    ends.steps.fails("live growing", refusal)

    async def act(turn: AgentTurn) -> None:
        turn.streams("On", under="m-long")
        await seen(lambda: board.shown)
        turn.streams(" its", under="m-long")
        await seen(ends.steps.have_failed)
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert board.texts() == [["On"]]
    assert heard(ends) == [("On its way", FIRST)]


async def test_the_end_is_not_said_before_the_last_change_is_through(core: Core, ends: Ends, board: Board) -> None:
    slow = ends.steps.stops_one_at("live growing")

    async def act(turn: AgentTurn) -> None:
        turn.streams("On", under="m-long")
        await seen(lambda: board.shown)
        turn.streams(" its", under="m-long")
        await slow.next()
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await core.receives(ALICE, "my order?")
    draining = asyncio.create_task(core.drain())
    await seen(lambda: "hearing Replied" in ends.steps.passed)

    assert await core.rows("outbox") == []
    slow.open()
    await draining
    assert board.texts() == [["On", "On its"]]
    assert [row["kind"] for row in await core.rows("outbox")] == ["say"]


# --- other endings -----------------------------------------------------------------------------------------


async def test_after_a_failure_the_fixed_sentence_stands_there(core: Core, ends: Ends, board: Board) -> None:
    async def act(turn: AgentTurn) -> None:
        turn.streams("On")
        await seen(lambda: board.shown)
        turn.fails("the model fell over")

    ends.agents.does(act, on="order")
    await says(core, "my order?")

    assert heard(ends) == [(WORDS.failed, FIRST)]


async def test_when_the_agent_asks_after_some_words_the_customer_hears_that_and_the_reply_by_itself(
    core: Core, ends: Ends, board: Board
) -> None:
    async def act(turn: AgentTurn) -> None:
        turn.streams("I will refund")
        await seen(lambda: board.shown)
        await turn.asks()
        turn.replies("refunded")

    ends.agents.does(act, on="refund")
    await says(core, "refund me")
    assert heard(ends) == [(WORDS.asked, FIRST)]

    (approval,) = await core.rows("approvals")
    await core.approves(approval["id"])
    await core.drain()
    await core.work.deliver(f"sms:{ALICE}")

    assert heard(ends) == [(WORDS.asked, FIRST), ("refunded", "")]
    assert len(board.texts()) == 1


async def test_an_event_that_is_given_up_leaves_no_half_reply(
    core: Core, ends: Ends, board: Board, clock: Clock
) -> None:
    async def act(turn: AgentTurn) -> None:
        turn.streams("On")
        await seen(lambda: board.shown)
        ends.agents.away = True
        ends.agents.drop_lines()

    ends.agents.does(act, on="order")
    ends.steps.fails("reading", *[AgentUnavailable("gone", retry_after=1)] * 50)
    await core.receives(ALICE, "my order?")
    await core.drain()
    clock.passes(timedelta(hours=25))
    await core.drain()
    await core.work.deliver(f"sms:{ALICE}")

    assert heard(ends)[-1] == (WORDS.failed, FIRST)


# --- crashes -----------------------------------------------------------------------------------------------


async def test_after_a_crash_the_next_owner_ends_the_message_that_is_there(
    core: Core, database_url: str, ends: Ends, board: Board, clock: Clock
) -> None:
    stuck, gate = ends.steps.stops_one_at("live growing"), asyncio.Event()

    async def act(turn: AgentTurn) -> None:
        turn.streams("On", under="m-long")
        await seen(lambda: board.shown)
        turn.streams(" its", under="m-long")
        await gate.wait()
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await core.receives(ALICE, "my order?")
    dead = asyncio.create_task(core.drain())
    await stuck.next()

    async with opened(database_url, ends, clock) as other:
        taking_over = asyncio.create_task(other.drain())
        await seen(lambda: ends.steps.passed.count("attaching") == 2)
        gate.set()
        await taking_over
        await other.work.deliver(f"sms:{ALICE}")

        assert heard(ends) == [("On its way", FIRST)]
        assert len(board.texts()) == 1
    stuck.open()
    await dead


async def test_one_that_was_thought_dead_shows_nothing_more(
    core: Core, database_url: str, ends: Ends, board: Board, clock: Clock
) -> None:
    asleep = ends.steps.stops_one_at("pause 1.2")
    gate = asyncio.Event()

    async def act(turn: AgentTurn) -> None:
        turn.streams("On", under="m-long")
        await asleep.next()
        turn.streams(" its", under="m-long")
        await gate.wait()
        turn.streams(" way", under="m-long")
        turn.replies("On its way")

    ends.agents.does(act, on="order")
    await core.receives(ALICE, "my order?")
    thought_dead = asyncio.create_task(core.drain())
    await seen(lambda: ends.steps.passed.count("hearing Delta") == 2)
    assert await core.interrupt()  # it has another owner now

    asleep.open()
    gate.set()
    await seen(lambda: ends.steps.passed.count("hearing Delta") == 3)
    await thought_dead

    assert board.texts() == [["On"]]
    assert heard(ends) == []


async def test_two_customers_are_shown_their_own_replies(core: Core, ends: Ends, board: Board) -> None:
    async def act(turn: AgentTurn) -> None:
        turn.streams(turn.words)
        await seen(lambda: any(turn.words in text for texts in board.texts() for text in texts))
        turn.replies(turn.words)

    ends.agents.does(act, on="about")
    await asyncio.gather(says(core, "about kites"), says(core, "about tails", BOB))

    assert heard(ends) == [("about kites", next(name for name in board.shown if name.startswith(ALICE)))]
    assert heard(ends, BOB) == [("about tails", next(name for name in board.shown if name.startswith(BOB)))]
