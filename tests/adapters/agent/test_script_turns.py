"""A turn of ours against a script of frames: the order of the protocol, and what a turn makes of each."""

from typing import Any

import pytest

from adapters.agent import frames
from gateway.errors import SessionGone
from gateway.events import AgentStatus, Replied, TurnFailed
from gateway.exchange import NotTaken
from gateway.history import Post
from gateway.listening import Asked, Patience
from tests.adapters.agent.script import (
    ANSWERS,
    AWAITING,
    HURRIED,
    IDLE,
    POST,
    PROCESSING,
    Gets,
    Step,
    agent,
    asked,
    connects,
    delta,
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

REPLY = Replied(message_id="m-1", text="On its way.")
AGAIN = Post(text="Where is it?", key="turn-2", alike=0, first_try=True, known=frozenset({"m-0", "a-0"}))
GIVEN_UP = Post(text="Where is it?", key="turn-2", alike=0, first_try=True, abandoned=True)
LATE = says(reply("late", "m-0"))


async def test_a_plain_turn_is_one_post_and_one_reply() -> None:
    async with platform([*connects(), *takes(), *ANSWERS]) as far:
        assert await posted(far) == REPLY

    assert far.types() == ["connect_session", "post_message"]
    assert far.got[1]["client_message_id"] == "turn-1"


@pytest.mark.parametrize(
    "between",
    [
        [],
        [says(agent(frames.thinking("hm")))],
        [says(agent(frames.search_message("kites", [])))],
        [says(agent(frames.tool_call("c-1", "t", "lookup", "in_progress", {})))],
        [says(agent(frames.tool_result("c-1", "lookup", "found")))],
        [says(agent({"type": "agent_task", "value": "a part"}))],
        [says(agent({"type": "data_type_message", "value": "half", "status": "Streaming"}))],
        [
            says(agent({"type": "data_type_message", "value": "half", "status": "streaming"})),
            delta("On"),
            delta(" its"),
        ],
        [says({**reply("what a user wrote", "u-9"), "sender": {"user_id": "key"}})],
        [frames.pong("s1"), {"type": "something_new", "session_id": "s1", "value": [1]}],
        [says(agent({"type": "something_new", "value": {}}))],
        [{"type": "participant_status", "session_id": "s1", "message": {"status": "Typing"}}],
        [{"type": "disconnect_session", "session_id": "s1", "success": True}],
        [frames.error("nobody asked for this", session_id="s1")],
    ],
    ids=lambda between: between[0]["type"] if between else "nothing",
)
async def test_nothing_but_the_complete_is_the_reply(between: list[Step]) -> None:
    async with platform([*connects(), *takes(), PROCESSING, *between, says(reply()), IDLE]) as far:
        assert await posted(far) == REPLY


async def test_a_status_of_the_turn_before_is_no_end() -> None:
    async with platform([*connects(), *takes(), IDLE, AWAITING, IDLE, *ANSWERS]) as far:
        assert await posted(far) == REPLY


async def test_frames_that_come_with_the_acknowledgement_are_read_in_order() -> None:
    takes_late = [Gets("post_message"), *ANSWERS, frames.post_ack("post_message", "s1")]
    async with platform([*connects(), *takes_late]) as far:
        assert await posted(far) == REPLY


@pytest.mark.parametrize("how_often", [2, 5])
async def test_frames_that_come_twice_count_once(how_often: int) -> None:
    twice = [frame for frame in (PROCESSING, says(request("a-1")), AWAITING) for _ in range(how_often)]
    async with platform([*connects(), *takes(), *twice]) as far:
        assert await posted(far) == Asked((asked("a-1"),))


@pytest.mark.parametrize(
    "stale", [[LATE], [says(request("a-0")), AWAITING, *tells(user())], [IDLE, LATE, *tells(user())]]
)
async def test_what_earlier_turns_said_is_not_heard_once_more(stale: list[Step]) -> None:
    async with platform([*connects(), *takes(), PROCESSING, *stale, *ANSWERS[1:]]) as far:
        assert await posted(far, AGAIN) == REPLY


async def test_what_earlier_turns_said_is_not_read_once_more_from_the_history() -> None:
    script = [*connects(), *takes(), PROCESSING, *tells(user(), reply("old", "m-0")), *tells(user(), reply())]
    async with platform(script) as far:
        assert await posted(far, AGAIN, HURRIED) == REPLY


async def test_a_frame_of_another_session_is_not_ours() -> None:
    foreign = frames.message_notification("s2", reply("for somebody else", "m-9"))
    async with platform([*connects(), *takes(), PROCESSING, foreign, *ANSWERS[1:]]) as far:
        assert await posted(far) == REPLY


async def test_an_agent_that_goes_idle_without_a_word_has_failed() -> None:
    async with platform([*connects(), *takes(), PROCESSING, IDLE, *tells(user()), *tells(user())]) as far:
        outcome = await posted(far, POST, HURRIED)

    assert isinstance(outcome, TurnFailed)
    assert "without a reply" in outcome.error


async def test_a_failed_turn_says_why_in_the_log_alone() -> None:
    async with platform(
        [*connects(), *takes(), PROCESSING, says(agent(frames.error_message("no model"))), IDLE]
    ) as far:
        assert await posted(far) == TurnFailed(message_id="m-1", error="no model")


async def test_a_connection_to_renew_ends_the_turn() -> None:
    content = {"type": "reauthorization_request", "integration_name": "Gmail"}
    async with platform([*connects(), *takes(), PROCESSING, says(agent(content, "m-7"))]) as far:
        outcome = await posted(far)

    assert isinstance(outcome, TurnFailed)
    assert outcome.reauthorize
    assert "Gmail" in outcome.error


async def test_a_post_the_platform_refuses_is_not_in_the_session() -> None:
    async with platform([*connects(), *takes(error="too long")]) as far:
        outcome = await posted(far)

    assert isinstance(outcome, NotTaken)
    assert "too long" in outcome.error


# --- a turn that somebody gave up --------------------------------------------------------------------------


@pytest.mark.parametrize("now", [AgentStatus.PROCESSING, None])
async def test_a_late_reply_to_a_turn_that_was_given_up_is_nobodys(now: AgentStatus | None) -> None:
    before = [*connects(now), *tells(user("Something else"))]
    async with platform([*before, LATE, IDLE, *takes(), *ANSWERS]) as far:
        assert await posted(far, GIVEN_UP) == REPLY


async def test_a_late_reply_that_comes_after_our_post_is_nobodys() -> None:
    async with platform([*connects(), *takes(), LATE, IDLE, *ANSWERS]) as far:
        assert await posted(far, GIVEN_UP) == REPLY


async def test_a_session_that_is_free_again_is_posted_to_at_once() -> None:
    free = tells(user("Something else"), reply("said", "m-0"))
    async with platform([*connects(None), *free, *takes(), *ANSWERS]) as far:
        assert await posted(far, GIVEN_UP) == REPLY


async def test_a_session_that_stays_busy_is_left() -> None:
    async with platform([*connects(AgentStatus.PROCESSING), *tells(user("Something else"))]) as far:
        with pytest.raises(SessionGone):
            await posted(far, POST, HURRIED)


async def test_what_nobody_remembers_asking_is_answered_before_the_post() -> None:
    parked = [*connects(AgentStatus.AWAITING_APPROVAL), *tells(user("Something else"), request("a-9"))]
    async with platform([*parked, *takes_answer("a-9"), PROCESSING, LATE, IDLE, *takes(), *ANSWERS]) as far:
        assert await posted(far) == REPLY

    (denied,) = [frame["content"]["value"] for frame in far.got if "parent_message_id" in frame]
    assert denied["tool_call_approval"]["deny"].startswith("UNANSWERED:")


# --- a platform that loses frames --------------------------------------------------------------------------


@pytest.mark.parametrize("heard", [[], [PROCESSING], [PROCESSING, delta("On")]])
async def test_a_reply_that_stands_in_the_history_alone_is_found(heard: list[Step]) -> None:
    async with platform([*connects(), *takes(), *heard, *tells(user()), *tells(user(), reply())]) as far:
        assert await posted(far, POST, HURRIED) == REPLY


async def test_a_reply_that_comes_to_the_history_after_the_idle_is_found() -> None:
    async with platform([*connects(), *takes(), PROCESSING, IDLE, *tells(user()), *tells(user(), reply())]) as far:
        assert await posted(far, POST, HURRIED) == REPLY


async def test_a_reply_lost_before_the_idle_is_found_at_once() -> None:
    async with platform([*connects(), *takes(), PROCESSING, IDLE, *tells(user(), reply())]) as far:
        assert await posted(far) == REPLY


async def test_a_request_that_stands_in_the_history_alone_is_found() -> None:
    async with platform([*connects(), *takes(), PROCESSING, AWAITING, *tells(user(), request("a-1"))]) as far:
        assert await posted(far) == Asked((asked("a-1"),))


async def test_a_request_whose_awaiting_was_lost_ends_the_turn_after_a_while() -> None:
    async with platform(
        [*connects(), *takes(), PROCESSING, says(request("a-1")), *tells(user(), request("a-1"))]
    ) as far:
        assert await posted(far, POST, HURRIED) == Asked((asked("a-1"),))


async def test_a_request_that_somebody_answered_elsewhere_is_not_shown() -> None:
    answered_there = tells(user(), request("a-1", "approved"))
    async with platform(
        [*connects(), *takes(), PROCESSING, says(request("a-1")), *answered_there, says(reply())]
    ) as far:
        assert await posted(far, POST, HURRIED) == REPLY


async def test_the_history_has_the_last_word_before_a_turn_is_given_up() -> None:
    async with platform([*connects(), *takes(), PROCESSING, *tells(user(), reply())]) as far:
        assert await posted(far, POST, Patience(turn_s=0.4)) == REPLY


async def test_a_turn_that_never_ends_is_given_up_under_the_name_it_spoke() -> None:
    async with platform([*connects(), *takes(), PROCESSING, delta("On", "m-5"), *tells(user())]) as far:
        outcome = await posted(far, POST, Patience(turn_s=0.4))

    assert outcome == TurnFailed(message_id="m-5", error="no reply within 0 s")


async def test_a_platform_whose_history_is_closed_still_answers() -> None:
    refused: list[Step] = [Gets("get_messages"), frames.error("not here", request_type="get_messages")]
    async with platform([*connects(), *takes(), PROCESSING, *refused, says(reply()), IDLE]) as far:
        assert await posted(far, POST, HURRIED) == REPLY


# --- what a request says -----------------------------------------------------------------------------------


async def test_a_request_without_arguments_has_them_from_the_history() -> None:
    bare = request("a-1", input=None)
    called = agent(frames.tool_call("c-a-1", "tool_1", "issue_refund", "pending", {"amount": 7}), "m-3")
    async with platform([*connects(), *takes(), PROCESSING, says(bare), AWAITING, *tells(user(), bare, called)]) as far:
        assert await posted(far) == Asked((asked("a-1", {"amount": 7}),))


@pytest.mark.parametrize("said", [None, "all of it", 7, "[1]"])
async def test_a_request_whose_arguments_nobody_says_has_none(said: object) -> None:
    bare = request("a-1", input=said)
    async with platform([*connects(), *takes(), PROCESSING, says(bare), AWAITING, *tells(user(), bare)]) as far:
        outcome = await posted(far)

    assert isinstance(outcome, Asked)
    assert [one.arguments for one in outcome.requests] == [None]


@pytest.mark.parametrize(
    ("content", "name"),
    [({"tool_name": None}, "tool_1"), ({"tool_name": "", "tool_id": None}, "c-a-1")],
)
async def test_a_tool_without_a_name_is_called_by_its_id(content: dict[str, Any], name: str) -> None:
    async with platform([*connects(), *takes(), PROCESSING, says(request("a-1", **content)), AWAITING]) as far:
        outcome = await posted(far)

    assert isinstance(outcome, Asked)
    assert [one.tool_name for one in outcome.requests] == [name]
