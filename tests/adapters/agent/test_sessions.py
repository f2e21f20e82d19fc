"""The client and the embedded server together, over real sockets, on each database."""

from collections.abc import AsyncIterator

import pytest

from adapters.agent.client import AgentClient
from adapters.agent.server.app import ServerSettings
from gateway.attachments import MAX_FILE, POST_BYTES
from gateway.errors import AgentRefused, SessionGone
from gateway.events import AgentStatus, ApprovalAsked, Confirm, Deny, Replied, UserPosted
from gateway.history import Post, after_post
from gateway.inbox import MAX_TEXT
from gateway.ports import Blob
from tests.adapters.agent.world import (
    AWAITING,
    IDLE,
    PROCESSING,
    asked,
    asked_all,
    client_of,
    reply,
    rest_of_turn,
    say,
    serving,
    streamed,
)

REFUND = "Please refund order A-1001, $40."


@pytest.fixture
async def url(settings: ServerSettings) -> AsyncIterator[str]:
    async with serving(settings) as base:
        yield base


async def test_a_plain_turn_goes_from_processing_to_idle_with_one_reply(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        assert line.status is AgentStatus.IDLE

        events = await say(line, "Hello")

    assert events[0] == PROCESSING
    assert events[-1] == IDLE
    assert isinstance(events[-2], Replied)
    assert streamed(events) == events[-2].text


async def test_a_reply_says_what_it_used_also_in_the_history(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        [replied] = [event for event in await say(line, "Hello") if isinstance(event, Replied)]

        assert replied.tokens > 0
        assert (await line.history())[-1] == replied


async def test_a_gated_turn_asks_before_it_says_that_it_waits(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        events = await say(line, REFUND)

        assert events[-1] == AWAITING
        assert isinstance(events[-2], ApprovalAsked)
        assert reply(events) == ""


async def test_a_session_is_resumed_by_its_id_from_another_client(url: str) -> None:
    async with client_of(url) as first:
        session_id = await first.open_session("support")
        async with first.attach(session_id) as line:
            request = asked(await say(line, REFUND))

    async with client_of(url) as second, second.attach(session_id) as line:
        assert line.status is AgentStatus.AWAITING_APPROVAL
        assert request in await line.history()
        await line.answer(request.message_id, Confirm(arguments={"amount": 30}))
        assert "$30" in reply(await rest_of_turn(line))

        posted, again, replied = await line.history()
    assert isinstance(posted, UserPosted)
    assert isinstance(again, ApprovalAsked)
    assert not again.open
    assert isinstance(replied, Replied)


async def test_a_session_of_another_key_does_not_exist(url: str, client: AgentClient) -> None:
    session_id = await client.open_session("support")

    async with client_of(url, key="key-2") as other:
        with pytest.raises(SessionGone):
            async with other.attach(session_id):
                pass


async def test_an_unknown_agent_is_refused(client: AgentClient) -> None:
    with pytest.raises(AgentRefused, match="unknown agent"):
        await client.open_session("nobody")


async def test_the_check_is_glad_when_the_server_is_there(client: AgentClient) -> None:
    [finding] = await client.check()

    assert finding.ok


async def test_a_message_posted_twice_under_one_name_is_one_turn(client: AgentClient) -> None:
    session_id = await client.open_session("support")
    async with client.attach(session_id) as line:
        await say(line, "Hello", name="c1")

        await line.post("Hello", client_message_id="c1")
        after = await say(line, "Goodbye", name="c2")

        assert "Goodbye" in reply(after)
        said = [entry.text for entry in await line.history() if isinstance(entry, UserPosted)]
    assert said == ["Hello", "Goodbye"]


async def test_a_message_posted_while_it_is_parked_waits_for_the_decision(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        request = asked(await say(line, REFUND))

        await line.post("Hello", client_message_id="c2")
        await line.answer(request.message_id, Confirm())

        assert "$40" in reply(await rest_of_turn(line))
        assert "Hello" in reply(await rest_of_turn(line))


async def test_messages_posted_while_it_works_are_answered_in_order(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        for name in ("one", "two", "three"):
            await line.post(name, client_message_id=name)

        replies = [reply(await rest_of_turn(line)) for _ in range(3)]

    assert [name in said for name, said in zip(("one", "two", "three"), replies, strict=True)] == [True] * 3


async def test_only_the_first_answer_to_a_request_counts(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        request = asked(await say(line, REFUND))

        await line.answer(request.message_id, Deny(reason="No"))
        await line.answer(request.message_id, Confirm())

        assert "not approved" in reply(await rest_of_turn(line))
        await line.answer(request.message_id, Confirm())
        assert "Hello" in reply(await say(line, "Hello"))


async def test_an_answer_to_a_request_nobody_made_is_refused(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        with pytest.raises(AgentRefused):
            await line.answer("message_none", Confirm())


async def test_two_requests_wait_until_both_are_answered(client: AgentClient) -> None:
    async with client.attach(await client.open_session("support")) as line:
        first, second = asked_all(await say(line, "Please refund order A-1001, $40 and order A-1002, $10."))

        await line.answer(first.message_id, Confirm())
        assert await anext(line.events()) == AWAITING
        await line.answer(second.message_id, Confirm())

        assert "$10" in reply(await rest_of_turn(line))


async def test_two_clients_of_a_session_see_the_same_turn(client: AgentClient) -> None:
    session_id = await client.open_session("support")
    async with client.attach(session_id) as one, client.attach(session_id) as other:
        seen = await say(one, "Hello")

        assert await rest_of_turn(other) == seen


async def test_a_turn_goes_on_without_anybody_listening(client: AgentClient) -> None:
    session_id = await client.open_session("support")
    async with client.attach(session_id) as line:
        await line.post("Count slowly to 3.", client_message_id="c1")

    async with client.attach(session_id) as line:
        if line.status is not AgentStatus.IDLE:
            while await anext(line.events()) != IDLE:
                pass
        history = await line.history()

    assert isinstance(history[-1], Replied)
    assert history[-1].text == "one two three"


async def test_words_and_files_posted_twice_under_one_name_are_one_turn(client: AgentClient) -> None:
    session_id = await client.open_session("support")
    files = [Blob(b"Three kites.", "text/plain", "kites.txt"), Blob(b"\xff\x00", "", "noise")]
    question = "What is in the attached file?"
    async with client.attach(session_id) as line:
        for _ in range(2):
            await line.post(question, client_message_id="c1", files=files)
        first = await rest_of_turn(line)
        await say(line, "Goodbye", name="c2")
        entries = await line.history()

    assert reply(first) == "The file says: Three kites."
    posts = [(entry.text, entry.is_file) for entry in entries if isinstance(entry, UserPosted)]
    assert posts == [(question, False), ("", True), ("", True), ("Goodbye", False)]
    since = after_post(entries, Post(text=question, key="c1", alike=0, first_try=False))
    assert since is not None
    assert [entry.text for entry in since if isinstance(entry, Replied)] == ["The file says: Three kites."]


async def test_the_largest_files_fit_beside_the_longest_words(client: AgentClient) -> None:
    words = "\N{KITE}" * MAX_TEXT
    room = (POST_BYTES - 4 * MAX_TEXT) * 3 // 4
    files = [Blob(b"x" * MAX_FILE, "text/plain", "a.txt"), Blob(b"x" * (room - MAX_FILE), "text/plain", "b.txt")]
    async with client.attach(await client.open_session("support")) as line:
        await line.post(words, client_message_id="c1", files=files)

        assert reply(await rest_of_turn(line))
