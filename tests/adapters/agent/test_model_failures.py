"""Endpoints of models that refuse, break, fall silent or talk garbage: the turn ends and says so."""

import logging
from datetime import UTC, datetime

import pytest

from adapters.agent import frames
from adapters.agent.server.app import ServerSettings
from adapters.agent.server.providers import asked_wait
from tests.adapters.agent.modelled import Talking, on_model
from tests.adapters.agent.wire import wired
from tests.adapters.agent.world import asked_all, client_of, failure, reply, say, serving, streamed
from tests.helpers.openai_stand_in import Answer, Calls, Raw, Refuses, Says, StandIn

# --- an endpoint that refuses ------------------------------------------------------------------------------

PERMANENT = [
    (Refuses(400), "openai answered 400: it refuses the request"),
    (Refuses(400, code="context_length_exceeded"), "openai answered 400: the conversation is too long for kite-1"),
    (Refuses(401), "openai answered 401: it refuses MODEL__API_KEY, or does not let it use kite-1"),
    (Refuses(403), "openai answered 403: it refuses MODEL__API_KEY, or does not let it use kite-1"),
    (Refuses(404), "openai answered 404: there is no model kite-1 there, or the base URL is wrong"),
    (Refuses(429, retry_after="40"), "openai answered 429: too many requests; it asks to wait 40 s"),
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


PASSING = [
    (Refuses(429, retry_after="0.01"), "openai answered 429: too many requests"),
    (
        Refuses(429, retry_after="0.01", code="insufficient_quota"),
        "openai answered 429: the account's credit is used up",
    ),
    (Refuses(500, retry_after="0.01"), "openai answered 500: it failed"),
    (Refuses(503, retry_after="0.01"), "openai answered 503: it failed"),
]


@pytest.mark.parametrize(("refusal", "words"), PASSING)
async def test_what_passes_is_tried_again(refusal: Refuses, words: str, talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [refusal, refusal, Says(("Hello.",))]

    async with talking() as line:
        assert reply(await say(line, "Hello")) == "Hello."


@pytest.mark.parametrize(("refusal", "words"), PASSING)
async def test_what_does_not_pass_is_given_up_after_two_more(
    refusal: Refuses, words: str, talking: Talking, endpoint: StandIn
) -> None:
    endpoint.script = [refusal] * 4

    async with talking() as line:
        assert failure(await say(line, "Hello")) == f"ModelFailed: {words}"

    assert len(endpoint.asked) == 3


async def test_an_endpoint_that_is_not_there_ends_the_turn(talking: Talking) -> None:
    async with talking(base_url="http://127.0.0.1:1/v1") as line:
        said = failure(await say(line, "Hello"))

    assert said == "ModelFailed: openai could not be reached, or the line to it broke"


# --- an endpoint that breaks -------------------------------------------------------------------------------

BROKE = "openai could not be reached, or the line to it broke"
UNREADABLE = "openai sent an answer that broke off or cannot be read"
NOTHING = "openai gave nothing of kite-1 that can be used"
GARBAGE = [
    (Raw("data: {s3cret\n\n"), UNREADABLE),
    (Raw('data: {"s3cret": 1}\n\n'), UNREADABLE),
    (Raw("data: []\n\n"), UNREADABLE),
    (Raw('data: "s3cret"\n\n'), UNREADABLE),
    (Raw('data: {"error": {"message": "s3cret", "code": 500}}\n\n'), "openai answered 500: it failed"),
    (Raw(""), NOTHING),
    (Raw("<html>s3cret</html>", "text/html"), NOTHING),
    (Says((), then="stop"), UNREADABLE),
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
        assert failure(await say(line, "Hello")) == "ModelFailed: openai sent no token for 0.3 s"


@pytest.mark.long
async def test_a_model_that_falls_silent_is_given_up(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Well",), then="silence")]

    async with talking(timeout=3) as line:
        seen = await say(line, "Hello")

    assert streamed(seen) == "Well"
    assert failure(seen) == "ModelFailed: openai could not be reached in time, or fell silent"


async def test_a_turn_that_is_stopped_hangs_up_on_the_endpoint(
    sqlite_settings: ServerSettings, endpoint: StandIn
) -> None:
    endpoint.script = [Says(("Well",), then="silence"), Says(("Hello.",))]

    async with serving(on_model(sqlite_settings, endpoint)) as url, wired(url) as wire:
        session_id = await wire.session()
        await wire.send(frames.post_message(session_id, "Tell me all about kites."))
        while (await wire.next())["type"] != "message_delta":
            pass
        await wire.send(frames.terminate_session(session_id))
        await endpoint.left.wait()

    settings = on_model(sqlite_settings, endpoint)
    async with serving(settings) as url, client_of(url) as client, client.attach(session_id) as line:
        assert reply(await say(line, "Hello")) == "Hello."


@pytest.mark.long
async def test_a_model_that_never_ends_is_given_up(talking: Talking, endpoint: StandIn) -> None:
    endpoint.script = [Says(("Well",), then="breathes")]

    async with talking(longest_answer=3) as line:
        seen = await say(line, "Hello")

    assert streamed(seen) == "Well"
    assert failure(seen) == "ModelFailed: openai did not come to an end within 3 s"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("soon", 0), ("0.5", 0.5), ("120", 120), ("Sat, 21 Nov 2026 12:01:30 GMT", 90), ("Sat, 21 Nov", 0)],
)
def test_retry_after_is_read_in_both_its_forms(header: str, seconds: float) -> None:
    assert asked_wait(header, datetime(2026, 11, 21, 12, tzinfo=UTC)) == seconds
