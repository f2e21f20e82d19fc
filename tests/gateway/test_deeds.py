"""What the agent used for a reply, as one quiet line."""

from gateway.deeds import Deeds
from gateway.events import AgentEvent, Delta, Searched, ToolUsed


def line(*events: AgentEvent) -> str:
    deeds = Deeds()
    for event in events:
        deeds.hear(event)
    return deeds.line()


def test_a_tool_is_named_once_and_sources_after_it() -> None:
    order, search = ToolUsed(name="lookup_order"), Searched(sources=("example.org", "example.com"))

    assert line(order, order, search, search) == "Used lookup_order · Sources: example.org, example.com"
    assert line(search) == "Sources: example.org, example.com"
    assert line(Delta(message_id="m1", text="x"), Searched(sources=())) == ""


def test_however_many_there_are_it_is_a_line() -> None:
    many = [ToolUsed(name="n" * 200 + str(number)) for number in range(7)]

    assert line(*many).endswith(", 2 more")
    assert len(line(*many)) < 350
    assert len(line(*(Searched(sources=(f"{number}.example",)) for number in range(10_000)))) < 200
