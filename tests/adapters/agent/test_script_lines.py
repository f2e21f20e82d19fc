"""Lines that are kept after a turn: the next turn finds its line open, and nothing of the turn before on it."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from adapters.agent import frames
from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import AgentStatus, Replied
from gateway.exchange import NotTaken
from gateway.history import Post
from tests.adapters.agent.script import (
    ANSWERS,
    DROPS,
    IDLE,
    PROCESSING,
    Far,
    Gets,
    Step,
    Waits,
    connects,
    platform,
    posted,
    reply,
    says,
    takes,
    tells,
    user,
)
from tests.helpers.process import until

FIRST = Replied(message_id="m-1", text="On its way.")
SECOND = Replied(message_id="m-2", text="Tomorrow.")
WHEN = Post(text="When?", key="turn-2", alike=0, first_try=True, known=frozenset({"m-1"}))
ANSWERS_WHEN: list[Step] = [*takes("When?"), PROCESSING, says(reply("Tomorrow.", "m-2")), IDLE]


def connects_to(session_id: str) -> list[Step]:
    return [Gets("connect_session", {"session_id": session_id}), frames.connect_ack(session_id)]


async def comes(look: Callable[[], Any]) -> None:
    """It is the far end that notices first."""

    async def now() -> Any:
        return look()

    await until(now, "it", within_s=5)


async def closed(far: Far, left: int = 0) -> None:
    await comes(lambda: far.open_ones <= left)


def own_tasks() -> set[str]:
    names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() if task.get_coro()}  # type: ignore[union-attr]
    return names & {"Line.read", "_ping", "Pool._linger"}


async def test_the_next_turn_finds_the_line_open() -> None:
    async with platform([*connects(), *takes(), *ANSWERS, *ANSWERS_WHEN]) as far:
        assert await posted(far) == FIRST
        assert await posted(far, WHEN) == SECOND

    assert far.types() == ["connect_session", "post_message", "post_message"]


@pytest.mark.parametrize("late", [[says(reply())], [IDLE, says(reply()), IDLE], [says(reply("x", "m-1"))]])
async def test_what_comes_twice_of_the_turn_before_is_not_the_next_turns(late: list[Step]) -> None:
    before = asyncio.Event()
    twice = [one for one in late if one is not IDLE]
    again = [*takes("When?"), *late, PROCESSING, *twice, says(reply("Tomorrow.", "m-2")), IDLE]
    async with platform([*connects(), *takes(), *ANSWERS, *late, Waits(before), *again]) as far:
        assert await posted(far) == FIRST
        before.set()
        assert await posted(far, WHEN) == SECOND


async def test_a_turn_is_over_with_its_reply_though_the_idle_is_late() -> None:
    first = [*takes(), PROCESSING, says(reply())]
    second = [*takes("When?"), IDLE, PROCESSING, says(reply("Tomorrow.", "m-2")), IDLE]
    async with platform([*connects(), *first, *second]) as far:
        assert await posted(far) == FIRST
        assert await posted(far, WHEN) == SECOND


async def test_a_session_that_was_posted_to_is_asked_anew_until_it_says_that_it_is_free() -> None:
    async with platform([*connects(), *takes()], connects(AgentStatus.PROCESSING)) as far:
        async with far.client.attach("s1") as line:
            await line.post("Where is it?", client_message_id="c")
        async with far.client.attach("s1") as line:
            assert line.status is AgentStatus.PROCESSING


async def test_a_post_that_was_refused_leaves_the_session_free() -> None:
    async with platform([*connects(), *takes(error="too long"), *ANSWERS_WHEN]) as far:
        assert isinstance(await posted(far), NotTaken)
        assert await posted(far, WHEN) == SECOND


async def test_a_session_that_ends_while_its_line_is_kept_is_gone() -> None:
    gone: list[Step] = [Gets("post_message"), frames.post_ack("post_message", "s1", error="unknown session")]
    async with platform([*connects(), *takes(), *ANSWERS, *gone]) as far:
        assert await posted(far) == FIRST
        with pytest.raises(SessionGone):
            await posted(far, WHEN)


async def test_what_somebody_else_does_in_the_session_meanwhile_ends_first() -> None:
    kept, noticed = asyncio.Event(), asyncio.Event()
    theirs = [Waits(kept), PROCESSING, frames.pong("s1")]
    rest = [Waits(noticed), *tells(user("theirs", "u-9")), says(reply("theirs", "m-9")), IDLE]
    async with platform([*connects(), *takes(), *ANSWERS, *theirs, *rest, *ANSWERS_WHEN]) as far:
        assert await posted(far) == FIRST
        kept.set()
        await comes(lambda: far.client._lines._idle["s1"].line.status is AgentStatus.PROCESSING)
        noticed.set()
        assert await posted(far, WHEN) == SECOND


async def test_a_line_nobody_uses_is_closed_after_a_while() -> None:
    async with platform([*connects(), *takes(), *ANSWERS], [*connects(), *ANSWERS_WHEN], linger_s=0.05) as far:
        assert await posted(far) == FIRST
        await closed(far)
        assert own_tasks() == set()

        assert await posted(far, WHEN) == SECOND


async def test_a_line_that_is_used_does_not_grow_old() -> None:
    slowly = asyncio.Event()
    async with platform([*connects(), *takes(), *ANSWERS, Gets("post_message"), Waits(slowly), *ANSWERS_WHEN[1:]],
                        linger_s=0.4) as far:  # fmt: skip
        assert await posted(far) == FIRST
        asyncio.get_running_loop().call_later(0.6, slowly.set)
        assert await posted(far, WHEN) == SECOND


async def test_a_kept_line_that_dies_is_dropped_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway")
    caplog.set_level(logging.INFO, "adapters")
    async with platform([*connects(), *takes(), *ANSWERS, DROPS], [*connects(), *ANSWERS_WHEN]) as far:
        assert await posted(far) == FIRST
        await comes(lambda: not own_tasks())
        assert await posted(far, WHEN) == SECOND

    assert caplog.records == []
    assert far.paused_s == [], "the customer has not waited for it"


async def test_a_kept_line_that_dies_under_the_next_post_is_replaced() -> None:
    lost = [*connects(), *takes(), *ANSWERS, Gets("post_message"), DROPS]
    async with platform(lost, [*connects(), *tells(user(), reply()), *ANSWERS_WHEN]) as far:
        assert await posted(far) == FIRST
        assert await posted(far, WHEN) == SECOND


async def test_nothing_is_left_when_the_client_is_closed() -> None:
    async with platform([*connects(), *takes(), *ANSWERS]) as far:
        assert await posted(far) == FIRST
        assert far.open_ones == 1
        await far.client.aclose()
        await closed(far)

    assert own_tasks() == set()


async def test_a_line_in_use_is_closed_when_it_comes_back_to_a_closed_client() -> None:
    async with platform([*connects()]) as far:
        async with far.client.attach("s1"):
            await far.client.aclose()
            assert far.open_ones == 1
        await closed(far)


async def test_a_line_on_which_something_went_wrong_is_not_kept() -> None:
    refusing: list[Step] = [Gets("post_message"), frames.post_ack("post_message", "s1", error="no")]
    async with platform([*connects(), *refusing], [*connects()]) as far:
        with pytest.raises(AgentRefused):
            async with far.client.attach("s1") as line:
                await line.post("x", client_message_id="c")
        await closed(far)
        async with far.client.attach("s1"):
            pass


async def test_a_line_whose_user_was_cancelled_is_not_kept() -> None:
    async with platform([*connects()]) as far:

        async def listens() -> None:
            async with far.client.attach("s1") as line:
                await anext(line.events())

        listening = asyncio.create_task(listens())
        await comes(lambda: far.got)
        listening.cancel()
        await asyncio.wait([listening])
        await closed(far)


async def test_two_who_use_a_session_at_once_have_a_line_each_and_one_is_kept() -> None:
    async with platform([*connects()], [*connects()]) as far:
        async with far.client.attach("s1"), far.client.attach("s1"):
            assert far.open_ones == 2
        await closed(far, left=1)


async def test_when_all_lines_are_open_the_one_idle_longest_goes() -> None:
    async with platform(connects_to("s1"), connects_to("s2"), connects_to("s3"), most=2) as far:
        for name in ("s1", "s2", "s3"):
            async with far.client.attach(name):
                pass
        await closed(far, left=2)
        async with far.client.attach("s2"), far.client.attach("s3"):
            assert far.sockets == 3


async def test_when_all_lines_are_in_use_the_next_one_waits_for_a_while() -> None:
    async with platform(connects_to("s1"), connects_to("s2"), most=1, reply_within_s=0.5) as far:
        async with far.client.attach("s1"):
            with pytest.raises(AgentUnavailable, match="too many"):
                async with far.client.attach("s2"):
                    pass
        async with far.client.attach("s2"):
            pass


async def test_a_line_that_comes_back_makes_room_for_who_waits() -> None:
    async with platform(connects_to("s1"), connects_to("s2"), most=1) as far:

        async def uses() -> None:
            async with far.client.attach("s2"):
                pass

        async with far.client.attach("s1"):
            waiting = asyncio.create_task(uses())
            await asyncio.sleep(0)
        await asyncio.wait_for(waiting, 5)


async def test_a_session_that_cannot_be_attached_takes_no_place() -> None:
    gone: list[Step] = [Gets("connect_session"), frames.connect_ack("s1", error="suspended")]
    async with platform(gone, gone, connects_to("s2"), most=1) as far:
        for _ in range(2):
            with pytest.raises(AgentRefused):
                async with far.client.attach("s1"):
                    pass
        async with far.client.attach("s2"):
            pass
