"""Every sentence of docs/offline-agent.md, said to the real server, with and without the line about the speaker."""

from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.client import connect

from adapters.agent import frames
from adapters.agent.client import AgentClient, AgentSettings
from adapters.agent.server import phrases
from gateway.errors import AgentRefused
from gateway.events import Confirm, Deny
from gateway.ports import AgentLine
from tests.adapters.agent.world import asked, asked_all, failure, reply, rest_of_turn, say, streamed

HEADER = '<sender channel="sms" address="+15550001111" proof="carrier"/>\n'


@pytest.fixture(params=["", HEADER], ids=["plain", "with the speaker's line"])
def header(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def line(client: AgentClient) -> AsyncIterator[AgentLine]:
    async with client.attach(await client.open_session("support")) as line:
        yield line


async def test_it_remembers_a_name_and_a_city(line: AgentLine, header: str) -> None:
    await say(line, header + "My name is Alice and I live in Boston.")

    answer = reply(await say(line, header + "What did I just tell you about myself?"))

    assert "Alice" in answer
    assert "Boston" in answer


async def test_it_remembers_nothing_of_another_session(line: AgentLine, client: AgentClient) -> None:
    await say(line, "My name is Alice and I live in Boston.")

    async with client.attach(await client.open_session("support")) as other:
        answer = reply(await say(other, "What did I just tell you about myself?"))

    assert "Alice" not in answer


async def test_it_looks_an_order_up(line: AgentLine, header: str) -> None:
    answer = reply(await say(line, header + "Where is order A-1001?"))

    assert "A-1001" in answer
    assert "delivered" in answer


async def test_an_order_nobody_knows_is_said_to_be_unknown(line: AgentLine) -> None:
    assert "no order A-9999" in reply(await say(line, "where is ORDER a-9999"))


async def test_a_refund_asks_and_names_what_was_paid_back(line: AgentLine, header: str) -> None:
    request = asked(await say(line, header + "Please refund order A-1001, $40."))
    assert request.tool_name == "issue_refund"
    assert request.arguments
    assert (request.arguments["order_id"], request.arguments["amount"]) == ("A-1001", 40)

    await line.answer(request.message_id, Confirm())

    assert reply(await rest_of_turn(line)) == "I refunded $40 for order A-1001."


async def test_an_approved_refund_names_the_amount_really_refunded(line: AgentLine) -> None:
    request = asked(await say(line, "Please refund order A-1001, $40."))

    await line.answer(request.message_id, Confirm(arguments={"amount": 25.5}))

    assert reply(await rest_of_turn(line)) == "I refunded $25.50 for order A-1001."


async def test_an_edit_that_cannot_be_is_refused_and_the_request_stays_open(line: AgentLine) -> None:
    request = asked(await say(line, "Please refund order A-1001, $40."))

    with pytest.raises(AgentRefused, match="amount must be a number; the request stays open"):
        await line.answer(request.message_id, Confirm(arguments={"amount": "lots"}))

    await line.answer(request.message_id, Confirm(arguments={"amount": 20}))

    assert reply(await rest_of_turn(line)) == "I refunded $20 for order A-1001."


async def test_a_denied_refund_gives_the_reason(line: AgentLine, header: str) -> None:
    request = asked(await say(line, header + "Please refund order A-1001, $40."))

    await line.answer(request.message_id, Deny(reason="The kite was used"))

    answer = reply(await rest_of_turn(line))
    assert "The kite was used" in answer
    assert "not approved" in answer


async def test_an_unanswered_refund_says_that_nobody_could_decide(line: AgentLine) -> None:
    request = asked(await say(line, "Please refund order A-1001, $40."))

    await line.answer(request.message_id, Deny(reason="UNANSWERED: nobody was there"))

    answer = reply(await rest_of_turn(line))
    assert "nobody could decide" in answer
    assert "UNANSWERED" not in answer


async def test_an_empty_message_is_asked_about(line: AgentLine) -> None:
    assert reply(await say(line, "")) == "There was nothing in your message. What can I do for you?"


async def test_a_refund_denied_without_a_reason_names_none(line: AgentLine) -> None:
    request = asked(await say(line, "Please refund order A-1001, $40."))

    await line.answer(request.message_id, Deny(reason="Denied without a reason."))

    assert reply(await rest_of_turn(line)) == "I am sorry: the refund was not approved."


async def test_two_refunds_in_one_sentence_are_two_requests(line: AgentLine) -> None:
    first, second = asked_all(await say(line, "Please refund order A-1001, $40 and order A-1002, $10."))
    assert first.arguments
    assert second.arguments
    assert (first.arguments["amount"], second.arguments["amount"]) == (40, 10)

    await line.answer(second.message_id, Deny(reason="No"))
    await line.answer(first.message_id, Confirm())

    answer = reply(await rest_of_turn(line))
    assert "$40 for order A-1001" in answer
    assert "not approved" in answer


async def test_a_new_address_is_asked_about_and_the_same_one_is_not(line: AgentLine, header: str) -> None:
    request = asked(await say(line, header + "Change my address to 5 Main St."))
    assert request.arguments == {"address": "5 Main St"}
    await line.answer(request.message_id, Confirm())
    assert "5 Main St" in reply(await rest_of_turn(line))

    again = await say(line, header + "Change my address to 5 main st.", name="again")

    assert asked_all(again) == []
    assert "5 main st" in reply(again)


async def test_questions_are_answered_from_the_documents(line: AgentLine, header: str) -> None:
    assert "30 days" in reply(await say(line, header + "What is your refund policy?"))


async def test_what_is_in_no_document_is_not_known(line: AgentLine) -> None:
    assert "do not know" in reply(await say(line, "What is your policy on unicorns?"))


async def test_it_thinks_and_then_answers(line: AgentLine, header: str) -> None:
    assert "thought" in reply(await say(line, header + "Think about it first."))


async def test_it_searches_and_then_answers(line: AgentLine, header: str) -> None:
    assert "kites" in reply(await say(line, header + "Search the web for kites."))


async def test_it_fails_when_asked_to_and_is_well_again(line: AgentLine, header: str) -> None:
    events = await say(line, header + "Please fail.")
    assert failure(events)
    assert reply(events) == ""

    assert "Hello" in reply(await say(line, "Hello"))


async def test_it_counts_slowly(line: AgentLine, header: str) -> None:
    events = await say(line, header + "Count slowly to 20.")

    assert len(reply(events).split()) == 20
    assert reply(events).endswith("nineteen twenty")


async def test_it_hands_over_to_a_person(line: AgentLine, header: str) -> None:
    assert "colleague" in reply(await say(line, header + "I want to talk to a person."))


async def test_anything_else_is_repeated_in_a_sentence(line: AgentLine, header: str) -> None:
    events = await say(line, header + "Do pelicans dream?")

    assert reply(events) == 'You asked: "Do pelicans dream?"'
    assert streamed(events) == reply(events)


@pytest.mark.parametrize(
    ("mime_type", "data", "expected"),
    [("text/plain", b"Dear shop, hello.", "Dear shop, hello."), ("image/png", b"\x89PNG\xff", "only read text")],
)
async def test_it_repeats_the_text_of_a_text_file(
    url: str, client: AgentClient, mime_type: str, data: bytes, expected: str
) -> None:
    session_id = await client.open_session("support")
    file = frames.file_content(data, name="letter", mime_type=mime_type)
    async with client.attach(session_id) as line:
        settings = AgentSettings(url=url)
        async with connect(settings.socket_url, additional_headers={"Authorization": "Bearer key-1"}) as socket:
            await socket.send(frames.encode(frames.connect_session(session_id)))
            post = frames.post_messages(session_id, [HEADER + "What is in the attached file?", file])
            await socket.send(frames.encode(post))

            assert expected in reply(await rest_of_turn(line))
            assert "raw_bytes" not in str(await line.history())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEADER + "Hi", "Hi"),
        ("<sender/>\nHi", "Hi"),
        ("Hi\n" + HEADER, "Hi\n" + HEADER),
        (HEADER + HEADER + "Hi", HEADER + "Hi"),
        ('<sender name="a>b"/>\nHi', "Hi"),
    ],
)
def test_only_the_first_line_can_be_the_gateways(text: str, expected: str) -> None:
    assert phrases.unheaded(text) == expected
