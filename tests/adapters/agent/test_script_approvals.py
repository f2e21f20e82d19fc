"""Requests and their answers against a script of frames: each is answered once, whatever becomes of the line."""

import pytest

from adapters.agent import frames
from adapters.agent.reading import NO_ID
from gateway.errors import AgentRefused, SessionGone
from gateway.events import AgentStatus, Confirm, Deny, Replied, TurnFailed
from gateway.history import Post
from gateway.listening import Asked
from tests.adapters.agent.script import (
    ANSWERS,
    AWAITING,
    DROPS,
    HURRIED,
    IDLE,
    POST,
    PROCESSING,
    Gets,
    agent,
    answered,
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
UNANSWERABLE = TurnFailed(message_id="", error=NO_ID, unanswerable=True)
PARKED = connects(AgentStatus.AWAITING_APPROVAL)
YES = ("a-1", Confirm(arguments={"amount": 40}))
NO = ("a-2", Deny(reason="too much"))


async def test_a_gated_turn_asks_and_then_says_that_it_waits() -> None:
    script = [*connects(), *takes(), PROCESSING, delta("Let me"), says(request("a-1")), says(request("a-2")), AWAITING]
    async with platform(script) as far:
        assert await posted(far) == Asked((asked("a-1"), asked("a-2")))


async def test_a_request_without_a_message_id_ends_the_turn_since_nobody_can_answer_it() -> None:
    nameless = {**request(), "id": None}
    async with platform([*connects(), *takes(), PROCESSING, says(request("a-1")), says(nameless), AWAITING]) as far:
        assert await posted(far) == UNANSWERABLE


async def test_a_request_without_a_message_id_ends_the_turn_from_the_history_too() -> None:
    nameless = {word: value for word, value in request().items() if word != "id"}
    lost = [*connects(), *takes(), PROCESSING, DROPS]
    async with platform(lost, [*PARKED, *tells(user(), nameless)]) as far:
        assert await posted(far) == UNANSWERABLE


async def test_a_request_without_a_message_id_that_somebody_else_answered_ends_nothing() -> None:
    nameless = {**request(state="approved"), "id": None}
    lost = [*connects(), *takes(), PROCESSING, DROPS]
    async with platform(lost, [*connects(), *tells(user(), nameless, reply())]) as far:
        assert await posted(far) == REPLY


async def test_a_request_without_the_id_of_its_call_is_answered_under_its_own() -> None:
    bare = request(tool_call_id=None)
    async with platform([*connects(), *takes(), PROCESSING, says(bare), AWAITING]) as far:
        assert await posted(far) == Asked((asked("a-1", tool_call_id=""),))
    async with platform([*PARKED, *tells(user(), bare), *takes_answer("a-1"), *ANSWERS]) as far:
        assert await answered(far, YES) == REPLY


async def test_every_request_is_answered_under_its_own_id() -> None:
    both = [*takes_answer("a-1"), AWAITING, *takes_answer("a-2")]
    call = says(agent(frames.tool_call("c-a-1", "tool_1", "issue_refund", "completed", {}), "m-2"))
    async with platform(
        [*PARKED, *tells(user(), request("a-1"), request("a-2")), *both, PROCESSING, call, *ANSWERS[1:]]
    ) as far:
        assert await answered(far, YES, NO) == REPLY

    first, second = (frame["content"] for frame in far.got if "parent_message_id" in frame)
    assert first == {"type_string": "response_message", "value": {"tool_call_approval": {"confirm": {"amount": 40}}}}
    assert second["value"] == {"tool_call_approval": {"deny": "too much"}}


async def test_an_awaiting_that_comes_again_until_all_are_answered_asks_nothing_new() -> None:
    two = (user(), request("a-1"), request("a-2"))
    noise = [AWAITING, AWAITING]
    async with platform([*PARKED, *tells(*two), *takes_answer("a-1"), *takes_answer("a-2"), *noise, *ANSWERS]) as far:
        assert await answered(far, YES, NO) == REPLY


async def test_a_turn_may_ask_again_after_the_answer() -> None:
    async with platform(
        [*PARKED, *tells(user(), request("a-1")), *takes_answer(), PROCESSING, says(request("a-3")), AWAITING]
    ) as far:
        assert await answered(far, YES) == Asked((asked("a-3"),))


async def test_a_request_that_was_applied_long_ago_is_not_asked_once_more() -> None:
    what = Post(text=POST.text, key="turn-1", alike=0, first_try=False, known=frozenset({"a-0"}))
    stale = [
        PROCESSING,
        says(request("a-0")),
        AWAITING,
        *tells(user(), request("a-0", "approved"), request("a-1", "approved")),
    ]
    async with platform(
        [*PARKED, *tells(user(), request("a-0"), request("a-1")), *takes_answer(), *stale, *ANSWERS]
    ) as far:
        assert await answered(far, YES, what=what) == REPLY


@pytest.mark.parametrize("error", ["already answered", "This request was Already Answered by somebody."])
async def test_a_line_lost_before_the_answer_is_acknowledged_answers_again(error: str) -> None:
    lost = [*PARKED, *tells(user(), request("a-1")), Gets("post_message"), DROPS]
    still_open = [*PARKED, *tells(user(), request("a-1")), *takes_answer(error=error), *ANSWERS]
    async with platform(lost, still_open) as far:
        assert await answered(far, YES) == REPLY


async def test_a_line_lost_after_the_answer_finds_the_reply_in_the_history() -> None:
    lost = [*PARKED, *tells(user(), request("a-1")), *takes_answer(), PROCESSING, DROPS]
    async with platform(lost, [*connects(), *tells(user(), request("a-1", "approved"), reply())]) as far:
        assert await answered(far, YES) == REPLY


async def test_a_line_lost_while_the_tool_runs_goes_on_listening() -> None:
    lost = [*PARKED, *tells(user(), request("a-1")), *takes_answer(), PROCESSING, DROPS]
    running = [*connects(AgentStatus.PROCESSING), *tells(user(), request("a-1", "approved"))]
    async with platform(lost, [*running, *takes_answer(error="already answered"), *ANSWERS[1:]]) as far:
        assert await answered(far, YES) == REPLY


async def test_a_turn_that_parked_again_meanwhile_shows_what_it_asks_now() -> None:
    lost = [*PARKED, *tells(user(), request("a-1")), *takes_answer(), PROCESSING, DROPS]
    async with platform(lost, [*PARKED, *tells(user(), request("a-1", "approved"), request("a-3"))]) as far:
        assert await answered(far, YES) == Asked((asked("a-3"),))


@pytest.mark.parametrize("error", ["unknown request", "no", ""])
async def test_a_platform_that_refuses_an_answer_is_heard(error: str) -> None:
    refusal = {"type": "post_message", "session_id": "s1", "success": False, "error": error}
    refusing = [*PARKED, *tells(user(), request("a-1")), Gets("post_message"), refusal]
    async with platform(refusing) as far:
        with pytest.raises(AgentRefused):
            await answered(far, YES)


async def test_an_answer_to_a_session_that_has_ended_is_of_no_use() -> None:
    gone = [Gets("post_message"), frames.post_ack("post_message", "s1", error="Session not found.")]
    async with platform([*PARKED, *tells(user(), request("a-1")), *gone]) as far:
        with pytest.raises(SessionGone):
            await answered(far, YES)


async def test_a_reply_after_the_answer_that_stands_in_the_history_alone_is_found() -> None:
    done = tells(user(), request("a-1", "approved"), reply())
    async with platform([*PARKED, *tells(user(), request("a-1")), *takes_answer(), PROCESSING, *done]) as far:
        assert await answered(far, YES, patience=HURRIED) == REPLY


async def test_a_fast_answer_reads_the_awaiting_of_its_own_request_afterwards() -> None:
    late = [AWAITING, PROCESSING, says(reply()), IDLE]
    async with platform([*connects(), *tells(user(), request("a-1")), *takes_answer(), *late]) as far:
        assert await answered(far, YES) == REPLY
