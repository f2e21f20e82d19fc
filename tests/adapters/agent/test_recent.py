"""A long conversation: the model is given the newest turns, whole, and is told that there were more."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    repair_messages,
)

from adapters.agent.server.app import ServerSettings
from adapters.agent.server.limits import Limits
from adapters.agent.server.recent import LEFT_OUT, newest
from gateway.events import Confirm
from tests.adapters.agent.modelled import Talking, talking_through
from tests.adapters.agent.stores import refunds_made
from tests.adapters.agent.world import asked, failure, reply, rest_of_turn, say
from tests.helpers.openai_stand_in import Calls, Refuses, Says, StandIn

REFUND = Calls((("issue_refund", '{"order_id": "A-1001", "amount": 40, "reason": "torn"}'),))
LOOKUP = Calls((("lookup_order", '{"order_id": "A-1001"}'),))

Bounded = Callable[[Limits], Talking]


@pytest.fixture
def bounded(endpoint: StandIn, sqlite_settings: ServerSettings) -> Bounded:
    return lambda limits: talking_through(endpoint, sqlite_settings.model_copy(update={"limits": limits}))


def heard(endpoint: StandIn, at: int = -1) -> list[str]:
    """What the model was given of what people said."""
    return [text for role, text in endpoint.told(at) if role == "user"]


def told_of_a_cut(endpoint: StandIn, at: int = -1) -> int:
    return sum(text.count(LEFT_OUT) for role, text in endpoint.told(at) if role == "system")


# --- with a model ------------------------------------------------------------------------------------------


async def test_a_model_hears_the_newest_turns_and_once_that_there_were_earlier_ones(
    bounded: Bounded, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("Yes.",)) for _ in range(5)]

    async with bounded(Limits(history_turns=3))() as line:
        for said in ("one", "two", "three", "four", "five"):
            await say(line, said)

    assert heard(endpoint, 2) == ["one", "two", "three"]
    assert told_of_a_cut(endpoint, 2) == 0
    assert heard(endpoint) == ["three", "four", "five"]
    assert told_of_a_cut(endpoint, 3) == told_of_a_cut(endpoint) == 1


async def test_a_long_turn_goes_before_many_short_ones(bounded: Bounded, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Yes.",)) for _ in range(4)]

    async with bounded(Limits(history_chars=2_000))() as line:
        for said in ("one" * 600, "two", "three", "four" * 100):
            await say(line, said, name=said[:9])

    assert heard(endpoint) == ["two", "three", "four" * 100]
    assert told_of_a_cut(endpoint) == 1


async def test_a_call_that_waited_for_a_person_is_not_forgotten(
    bounded: Bounded, endpoint: StandIn, sqlite_settings: ServerSettings
) -> None:
    endpoint.script = [LOOKUP, Says(("It is torn.",)), REFUND, Says(("Refunded.",))]

    async with bounded(Limits(history_turns=1))() as line:
        await say(line, "Where is it?")
        request = asked(await say(line, "Refund it."))
        await line.answer(request.message_id, Confirm(arguments=request.arguments or {}))
        events = await rest_of_turn(line)

    assert reply(events) == "Refunded."
    assert await refunds_made(sqlite_settings) == 1
    assert heard(endpoint) == ["Refund it."]
    last = endpoint.asked[-1]["messages"]
    called = [call["id"] for one in last for call in one.get("tool_calls") or ()]
    assert [one["tool_call_id"] for one in last if one["role"] == "tool"] == called != []


async def test_people_whose_turns_all_failed_do_not_fill_the_history(bounded: Bounded, endpoint: StandIn) -> None:
    endpoint.script = [*[Refuses(401) for _ in range(6)], Says(("Yes.",))]

    async with bounded(Limits(history_turns=3))() as line:
        for n in range(6):
            assert failure(await say(line, f"message {n}"))
        await say(line, "message 6")

    assert "\n".join(heard(endpoint)).split() == ["message", "4", "message", "5", "message", "6"]
    assert told_of_a_cut(endpoint) == 1


async def test_an_agent_without_memory_hears_of_no_cut(bounded: Bounded, endpoint: StandIn, tmp_path: Any) -> None:
    (tmp_path / "forgetful.toml").write_text('name = "forgetful"\n[memory]\nsession = false\n')
    endpoint.script = [Says(("Yes.",)) for _ in range(3)]

    async with bounded(Limits(history_turns=1))("forgetful", agents=tmp_path) as line:
        for said in ("one", "two", "three"):
            await say(line, said)

    assert heard(endpoint) == ["three"]
    assert told_of_a_cut(endpoint) == 0


# --- the rule ----------------------------------------------------------------------------------------------


def user(text: str, *files: BinaryContent) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart([text, *files] if files else text)])


def agent(text: str) -> ModelResponse:
    return ModelResponse(parts=[TextPart(text)])


def call(name: str) -> ModelResponse:
    return ModelResponse(parts=[ToolCallPart("find", {"name": name}, tool_call_id=name)])


def result(name: str, content: str = "found") -> ModelRequest:
    return ModelRequest(parts=[ToolReturnPart("find", content, tool_call_id=name)])


def prompts(messages: list[ModelMessage]) -> list[str]:
    found = [part.content for one in messages for part in one.parts if isinstance(part, UserPromptPart)]
    return [content if isinstance(content, str) else str(content[0]) for content in found]


def test_what_fits_is_left_as_it_is() -> None:
    history = [user("one"), call("c1"), result("c1"), agent("yes"), user("two")]

    assert newest(history, Limits()) == history


def test_a_cut_falls_between_turns_also_where_a_turn_had_no_reply() -> None:
    unanswered = repair_messages([user("one"), call("c1"), user("two")])
    history = [*unanswered, agent("yes"), user("three")]
    assert len(unanswered) == 3  # the second prompt stands behind the call's made-up result

    kept = newest(history, Limits(history_turns=2))

    assert prompts(kept) == ["two", "three"]
    assert [type(part) for part in kept[0].parts] == [SystemPromptPart, UserPromptPart]


def test_a_picture_counts_by_its_bytes_and_not_as_so_many_words() -> None:
    picture = BinaryContent(data=b"x" * 400_000, media_type="image/png")
    history = [user("one", picture), agent("yes"), user("two", picture), agent("yes"), user("three")]

    assert prompts(newest(history, Limits(history_chars=10_000))) == ["one", "two", "three"]
    assert prompts(newest(history, Limits(history_file_bytes=500_000))) == ["two", "three"]


def test_the_turn_that_runs_is_never_cut_and_its_oldest_results_are_shortened() -> None:
    said = "please " * 1_000
    results = [result(f"c{n}", "x" * 9_000) for n in range(3)]
    history = [user("before"), agent("yes"), user(said)]
    for n in range(3):
        history += [call(f"c{n}"), results[n]]

    kept = newest(history, Limits(history_chars=21_000))

    assert prompts(kept) == [said]
    told = [part.content for one in kept for part in one.parts if isinstance(part, ToolReturnPart)]
    assert [len(text) < 2_100 for text in told] == [True, True, False]
    assert told[0].endswith("[cut here: 7000 more characters are left out]")
    assert newest(kept, Limits(history_chars=21_000)) == kept


turns = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 800), st.booleans(), st.booleans()), min_size=1, max_size=12
)


@given(turns, st.integers(1, 5), st.integers(2_000, 6_000), st.booleans())
def test_whatever_was_said_calls_and_results_stay_together(
    said: list[tuple[int, int, bool, bool]], most: int, chars: int, parked: bool
) -> None:
    history: list[ModelMessage] = []
    for n, (calls, length, broke_off, had_reply) in enumerate(said):
        history.append(user(f"{n} " + "x" * length))
        for at in range(calls):
            history += [call(f"{n}-{at}"), result(f"{n}-{at}", "y" * length)]
        history += [call(f"{n}-broken")] if broke_off else [agent("yes")] if had_reply else []
    history = repair_messages(history, repair_last_response=not parked)
    limits = Limits(history_turns=most, history_chars=chars)

    kept = newest(history, limits)

    assert repair_messages(kept, repair_last_response=not parked) == kept
    assert prompts(kept) == prompts(history)[-len(prompts(kept)) :]
    assert 1 <= len(prompts(kept)) <= most
    assert [part for one in kept for part in one.parts][-1] == [part for one in history for part in one.parts][-1]
    told = [part.content for one in kept for part in one.parts if isinstance(part, SystemPromptPart)]
    assert told == ([LEFT_OUT] if len(prompts(kept)) < len(prompts(history)) else [])
    assert _without_times(newest(kept, limits)) == _without_times(kept)


def _without_times(messages: list[ModelMessage]) -> list[Any]:
    return [
        replace(part, timestamp=None) if hasattr(part, "timestamp") else part for one in messages for part in one.parts
    ]
