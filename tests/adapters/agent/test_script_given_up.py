"""A turn that somebody gave up, and what of it still comes: it must never pass for the next customer's answer."""

import pytest

from gateway.errors import SessionGone
from gateway.events import AgentStatus, MessageReceived
from gateway.exchange import NotTaken
from gateway.history import Post
from gateway.speaker import post_text
from tests.adapters.agent.script import (
    ANSWERS,
    AWAITING,
    IDLE,
    PROCESSING,
    connects,
    platform,
    posted,
    reply,
    request,
    says,
    takes,
    takes_answer,
    tells,
    user,
)
from tests.adapters.agent.test_script_turns import GIVEN_UP, LATE, REPLY
from tests.helpers.core import ALICE, text

STOPPED = Post(
    text="Where is it?", key="turn-2", alike=0, first_try=True, abandoned=True, doubtful=("Something else", 0)
)


async def test_a_session_where_a_stopped_post_may_still_arrive_is_left() -> None:
    async with platform([*connects(), *tells(user("Hello."), reply("Hi.", "m-9"))]) as far:
        with pytest.raises(SessionGone):
            await posted(far, STOPPED)

    assert far.posts() == []


async def test_a_session_where_a_stopped_post_stands_is_gone_on_with() -> None:
    async with platform([*connects(), *tells(user("Something else"), reply("late", "m-0")), *takes(), *ANSWERS]) as far:
        assert await posted(far, STOPPED) == REPLY


async def test_the_same_words_of_an_earlier_turn_are_not_the_stopped_post() -> None:
    again = Post(
        text="Where is it?", key="turn-3", alike=0, first_try=True, abandoned=True, doubtful=("Something else", 1)
    )
    async with platform([*connects(), *tells(user("Something else"), reply("late", "m-0"))]) as far:
        with pytest.raises(SessionGone):
            await posted(far, again)


async def test_a_request_of_a_turn_that_was_given_up_is_withdrawn_and_nobodys() -> None:
    late = [says(request("a-0")), AWAITING, *takes_answer("a-0"), PROCESSING, LATE, IDLE]
    async with platform([*connects(), *takes(), *late, *ANSWERS]) as far:
        assert await posted(far, GIVEN_UP) == REPLY

    (denied,) = [frame["content"]["value"] for frame in far.got if "parent_message_id" in frame]
    assert denied["tool_call_approval"]["deny"].startswith("UNANSWERED:")


async def test_a_session_that_takes_no_answer_to_what_it_still_asks_is_left() -> None:
    parked = [*connects(AgentStatus.AWAITING_APPROVAL), *tells(user("Something else"), request("a-9"))]
    async with platform([*parked, *takes_answer("a-9", error="this request has expired")]) as far:
        with pytest.raises(SessionGone):
            await posted(far)


def test_a_post_ends_without_white_space_that_a_platform_might_trim() -> None:
    event: MessageReceived = text(ALICE, "Where is it? \n\n")

    assert post_text(event).endswith("Where is it?")


async def test_a_refusal_that_is_said_twice_is_not_the_next_posts() -> None:
    error = {"type": "error", "session_id": "s1", "request_type": "post_message", "error": "too long"}
    refused = {"type": "post_message", "session_id": "s1", "success": False, "error": "too long"}
    twice = [*connects(), *takes()[:1], error, refused, *takes(), *ANSWERS]
    async with platform(twice) as far:
        assert isinstance(await posted(far), NotTaken)
        assert await posted(far) == REPLY
