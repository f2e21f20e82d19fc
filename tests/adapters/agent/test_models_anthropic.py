"""Models over the Messages API: what is said in another form there, beside test_models and test_model_failures.

The embedded server and Anthropic's own client, and a stand-in of the endpoint.
"""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.model_settings import ANTHROPIC, is_installed
from gateway.events import Confirm, Delta, Deny, Replied
from tests.adapters.agent.modelled import KEY, Talking, on_model
from tests.adapters.agent.stores import refunds_made
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import asked_all, failure, reply, rest_of_turn, say, serving, streamed
from tests.helpers.anthropic_stand_in import anthropic_stand_in
from tests.helpers.openai_stand_in import Answer, Calls, Raw, Refuses, Says, StandIn

pytestmark = pytest.mark.skipif(not is_installed(ANTHROPIC), reason="the extra 'anthropic' is not installed")

REFUND = Calls((("issue_refund", '{"order_id": "A-1001", "amount": 40, "reason": "torn"}'),))
BROKE = "anthropic could not be reached, or the line to it broke"
UNREADABLE = "anthropic sent an answer that broke off or cannot be read"
NOTHING = "anthropic gave nothing of kite-1 that can be used"


@pytest.fixture
async def endpoint() -> AsyncIterator[StandIn]:
    async with anthropic_stand_in() as stand_in:
        yield stand_in


# --- what it is for ----------------------------------------------------------------------------------------


async def test_the_first_word_is_shown_while_the_model_still_speaks(talking: Talking, endpoint: StandIn) -> None:
    goes_on = asyncio.Event()
    endpoint.script = [Says(("Hello", " Alice."), gate=goes_on)]

    async with talking() as line:
        await line.post("Hello", client_message_id="c1")
        events = line.events()
        while not isinstance(first := await anext(events), Delta):
            pass
        assert first.text == "Hello"
        goes_on.set()
        while not isinstance(last := await anext(events), Replied):
            pass

    assert last.text == "Hello Alice."
    assert last.tokens == 10


async def test_the_endpoint_gets_the_key_the_model_and_what_was_said_so_far(
    talking: Talking, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("Hello Alice.",)), Says(("Alice.",))]

    async with talking() as line:
        await say(line, "I am Alice.")
        await say(line, "Who am I?")

    assert endpoint.keys == [KEY, KEY]
    assert (endpoint.asked[0]["model"], endpoint.asked[0]["stream"]) == ("kite-1", True)
    assert {"lookup_order", "issue_refund"} <= {tool["name"] for tool in endpoint.asked[0]["tools"]}
    assert endpoint.told(0)[0][1].startswith("You answer the customers of a small shop")
    said = [("user", "I am Alice."), ("assistant", "Hello Alice."), ("user", "Who am I?")]
    assert [told for told in endpoint.told(1) if told[0] != "system"] == said


async def test_a_tool_runs_and_the_model_goes_on_with_its_result(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Calls((("lookup_order", '{"order_id": "A-1001"}'),)), Says(("It was", " delivered."))]

    async with talking() as line:
        seen = await say(line, "Where is order A-1001?")

    assert reply(seen) == streamed(seen) == "It was delivered."
    assert "a box kite" in dict(endpoint.told())["tool"]


async def test_two_refunds_in_one_breath_are_two_requests_and_each_has_its_own_answer(
    talking: Talking, endpoint: StandIn, sqlite_settings: ServerSettings
) -> None:
    both = Calls((*REFUND.calls, ("issue_refund", '{"order_id": "A-1002", "amount": 5}')))
    endpoint.script = [both, Says(("Done.",))]

    async with talking() as line:
        first, second = asked_all(await say(line, "Refund both."))
        await line.answer(first.message_id, Confirm())
        await line.answer(second.message_id, Deny(reason="too late"))
        assert reply(await rest_of_turn(line)) == "Done."

    results = [text for who, text in endpoint.told() if who == "tool"]
    assert "refunded" in results[0]
    assert "too late" in results[1]
    assert await refunds_made(sqlite_settings) == 1


async def test_a_model_hears_that_its_arguments_cannot_be_read(talking: Talking, endpoint: StandIn) -> None:
    mended = Calls((("lookup_order", '{"order_id": "A-1001"}'),))
    endpoint.script = [Calls((("lookup_order", '{"order_id'),)), mended, Says(("It was delivered.",))]

    async with talking() as line:
        assert reply(await say(line, "Where is order A-1001?")) == "It was delivered."

    assert "Invalid JSON" in dict(endpoint.told(1))["tool"]


# --- an endpoint that refuses ------------------------------------------------------------------------------

PERMANENT = [
    (Refuses(401), "anthropic answered 401: it refuses MODEL__API_KEY, or does not let it use kite-1"),
    (Refuses(429, retry_after="40"), "anthropic answered 429: too many requests; it asks to wait 40 s"),
]


@pytest.mark.parametrize(("refusal", "words"), PERMANENT)
async def test_a_refusal_ends_the_turn_at_once_and_says_what_it_means(
    refusal: Refuses, words: str, talking: Talking, endpoint: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    endpoint.script = [refusal, Says(("Hello again.",))]

    async with talking() as line:
        assert failure(await say(line, "Hello")) == f"ModelFailed: {words}"
        assert len(endpoint.asked) == 1
        assert reply(await say(line, "Hello?")) == "Hello again."

    assert words in caplog.text
    assert "s3cret" not in caplog.text


async def test_what_passes_is_tried_again_and_given_up_after_two_more(talking: Talking, endpoint: StandIn) -> None:
    overloaded = Refuses(529, retry_after="0.01")
    endpoint.script = [overloaded, overloaded, Says(("Hello.",)), *[overloaded] * 4]

    async with talking() as line:
        assert reply(await say(line, "Hello")) == "Hello."
        assert failure(await say(line, "Hello?")) == "ModelFailed: anthropic answered 529: it failed"

    assert len(endpoint.asked) == 6


async def test_an_endpoint_that_is_not_there_ends_the_turn(talking: Talking) -> None:
    async with talking(base_url="http://127.0.0.1:1") as line:
        assert failure(await say(line, "Hello")) == f"ModelFailed: {BROKE}"


# --- an endpoint that breaks -------------------------------------------------------------------------------

OVERLOADED = '{"type": "error", "error": {"type": "overloaded_error", "message": "s3cret"}}'
GARBAGE = [
    (Raw("event: message_start\ndata: {s3cret\n\n"), UNREADABLE),
    (Raw('event: message_start\ndata: {"s3cret": 1}\n\n'), UNREADABLE),
    (Raw(f"event: error\ndata: {OVERLOADED}\n\n"), "anthropic answered 529: it failed"),
    (Raw(""), NOTHING),
    (Raw("<html>s3cret</html>", "text/html"), NOTHING),
]


@pytest.mark.parametrize(("answer", "words"), GARBAGE)
async def test_garbage_ends_the_turn_and_not_the_session(
    answer: Answer, words: str, talking: Talking, endpoint: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    endpoint.script = [answer, Says(("Hello.",))]

    async with talking() as line:
        assert failure(await say(line, "Hello")) == f"ModelFailed: {words}"
        assert reply(await say(line, "Hello?")) == "Hello."

    assert "s3cret" not in caplog.text


@pytest.mark.parametrize(("then", "words"), [("cut", BROKE), ("stop", UNREADABLE)])
async def test_half_an_answer_is_never_the_reply(then: str, words: str, talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Your refund", " is"), then=then), Says(("Hello.",))]

    async with talking() as line:
        seen = await say(line, "Please refund order A-1001, $40.")

        assert (reply(seen), streamed(seen)) == ("", "Your refund is")
        assert failure(seen) == f"ModelFailed: {words}"
        assert len(endpoint.asked) == 1  # people saw the words: they are not said twice
        assert reply(await say(line, "Hello")) == "Hello."


async def test_half_a_call_is_never_made(talking: Talking, endpoint: StandIn) -> None:
    half = Calls((("issue_refund", '{"order_id": "A-1001", "amount": 4}'),), then="stop")
    endpoint.script = [half, Says(("Hello.",))]

    async with talking() as line:
        seen = await say(line, "Please refund order A-1001, $40.")

        assert (asked_all(seen), failure(seen)) == ([], f"ModelFailed: {UNREADABLE}")
        assert reply(await say(line, "Hello")) == "Hello."


@pytest.mark.parametrize("then", ["silence", "breathes"])
async def test_a_model_that_never_begins_is_given_up(then: str, talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says((), then=then)] * 3

    async with talking(timeout=0.3) as line:
        assert failure(await say(line, "Hello")) == "ModelFailed: anthropic sent no token for 0.3 s"


@pytest.mark.long
async def test_a_model_that_falls_silent_is_given_up(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Well",), then="silence")]

    async with talking(timeout=3) as line:
        seen = await say(line, "Hello")

    assert streamed(seen) == "Well"
    assert failure(seen) == "ModelFailed: anthropic could not be reached in time, or fell silent"


@pytest.mark.long
async def test_a_model_that_never_ends_is_given_up(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Well",), then="breathes")]

    async with talking(longest_answer=3) as line:
        seen = await say(line, "Hello")

    assert streamed(seen) == "Well"
    assert failure(seen) == "ModelFailed: anthropic did not come to an end within 3 s"


async def test_a_turn_that_is_stopped_hangs_up_on_the_endpoint(
    sqlite_settings: ServerSettings, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("Well",), then="silence")]

    async with serving(on_model(sqlite_settings, endpoint)) as url, wired(url) as wire:
        session_id = await wire.session()
        await wire.send(frames.post_message(session_id, "Tell me all about kites."))
        while (await wire.next())["type"] != "message_delta":
            pass
        await wire.send(frames.terminate_session(session_id))
        await endpoint.left.wait()
