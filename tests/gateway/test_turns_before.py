"""What a turn knows of the turns before it in its session: their words, their messages, and how the last one ended."""

from collections.abc import AsyncIterator

import pytest

from gateway.store import turns
from gateway.store.tables import TurnRow
from gateway.store.turns import Before
from tests.helpers.agents import AgentTurn, asks_first
from tests.helpers.clock import Clock
from tests.helpers.core import ALICE, BOB, Core, Ends, opened
from tests.helpers.meddling import spoil


async def fails(turn: AgentTurn) -> None:
    turn.fails("no model")


@pytest.fixture
async def ends(clock: Clock) -> AsyncIterator[Ends]:
    made = Ends(clock)
    made.agents.does(asks_first, on="refund")
    made.agents.does(fails, on="fail")
    yield made
    await made.aclose()


@pytest.fixture
async def core(database_url: str, ends: Ends, clock: Clock) -> AsyncIterator[Core]:
    async with opened(database_url, ends, clock) as made:
        yield made
        await ends.aclose()


async def says(core: Core, words: str, name: str = "", number: str = ALICE) -> None:
    await core.receives(number, words, name)
    await core.drain(await core.conversation(number))


async def before_last(core: Core) -> Before:
    """What the newest turn knows."""
    newest = TurnRow(**(await core.rows("turns"))[-1])
    return await core.store.read(lambda db: turns.before(db, newest))


async def test_the_first_turn_of_a_session_knows_nothing(core: Core) -> None:
    await says(core, "kites", number=BOB)
    await says(core, "kites")

    assert await before_last(core) == Before(alike=0, known=frozenset(), abandoned=False)


async def test_a_turn_knows_the_replies_before_it_and_how_often_its_words_were_said(core: Core) -> None:
    for n in range(3):
        await says(core, "kites", f"e{n}")

    replies = [row["reply_message_id"] for row in await core.rows("turns")]
    assert None not in replies
    assert await before_last(core) == Before(alike=2, known=frozenset(replies[:2]), abandoned=False)


async def test_a_request_is_known_once_it_is_dealt_with(core: Core) -> None:
    await says(core, "refund me")
    assert (await before_last(core)).known == frozenset()

    (approval,) = await core.rows("approvals")
    await core.approves(approval["id"])
    await core.drain()

    assert (await before_last(core)).known == {approval["request_message_id"]}


async def test_a_request_of_an_earlier_turn_is_known_whatever_became_of_it(core: Core) -> None:
    await says(core, "refund me")
    await spoil(core.store, "UPDATE conversations SET parked_turn_id = NULL")
    await spoil(core.store, "UPDATE turns SET state = 'done'")

    await says(core, "kites")

    (approval,) = await core.rows("approvals")
    assert approval["request_message_id"] in (await before_last(core)).known


async def test_a_failure_is_known_by_its_message_too(core: Core) -> None:
    await says(core, "fail")
    await says(core, "kites")

    before = await before_last(core)
    assert before.known == {(await core.rows("turns"))[0]["reply_message_id"]}
    assert before.abandoned


@pytest.mark.parametrize(("state", "abandoned"), [("done", False), ("failed", True), ("interrupted", True)])
async def test_a_turn_knows_whether_the_one_before_was_given_up(core: Core, state: str, abandoned: bool) -> None:
    await says(core, "kites")
    await spoil(core.store, "UPDATE turns SET state = :as", **{"as": state})
    await says(core, "more kites")

    assert (await before_last(core)).abandoned is abandoned
