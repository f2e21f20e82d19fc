"""The door to pydantic-ai: text around tools, several stops, an interrupted history; and that it is imported late."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.runtime import Approved, Finished, Paused, Run, RunEvent, Runtime, Said
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition

REFUND = "Please refund order A-1001, $40."


def definition(approval: Approval) -> AgentDefinition:
    parameters = {"order_id": Parameter(), "amount": Parameter(type="number"), "reason": Parameter(required=False)}
    return AgentDefinition(
        name="shop", tools=(ToolDefinition(name="issue_refund", approval=approval, parameters=parameters),)
    )


class Toolbox:
    def __init__(self, *, must_ask: bool = False) -> None:
        self._must_ask = must_ask
        self.ran: list[dict[str, Any]] = []

    async def must_ask(self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any]) -> bool:
        return self._must_ask

    async def run(self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
        self.ran.append(dict(given))
        return dict(given)


async def all_of(events: AsyncIterator[RunEvent]) -> list[RunEvent]:
    return [event async for event in events]


def text(events: list[RunEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Said))


@pytest.mark.parametrize(
    ("approval", "floor", "asks"),
    [
        (Approval.AUTO_RUN, True, False),
        (Approval.REQUIRES_APPROVAL, False, True),
        (Approval.LET_AGENT_DECIDE, False, True),  # the model did not say, and the tool writes
        (Approval.LET_AGENT_DECIDE, True, True),
    ],
)
async def test_a_call_asks_when_its_definition_or_its_floor_says_so(
    approval: Approval, floor: bool, asks: bool
) -> None:
    tools = Toolbox(must_ask=floor)
    run = Runtime().run(definition(approval), tools, None)

    events = await all_of(run.start([REFUND]))

    assert isinstance(events[-1], Paused if asks else Finished)
    assert len(tools.ran) == (0 if asks else 1)


async def test_a_run_goes_on_elsewhere_from_its_history() -> None:
    shop = definition(Approval.REQUIRES_APPROVAL)
    first = Runtime().run(shop, Toolbox(), None)
    paused = (await all_of(first.start([REFUND])))[-1]
    assert isinstance(paused, Paused)

    tools = Toolbox()
    second = Runtime().run(shop, tools, first.history)
    changed = {**paused.calls[0].arguments, "amount": 30}
    events = await all_of(second.resume({paused.calls[0].tool_call_id: Approved(changed)}))

    assert text(events) == "I refunded $30 for order A-1001."
    assert [call["amount"] for call in tools.ran] == [30]


async def test_a_new_message_is_taken_on_a_history_with_an_open_call() -> None:
    shop = definition(Approval.REQUIRES_APPROVAL)
    run: Run = Runtime().run(shop, Toolbox(), None)
    await all_of(run.start([REFUND]))

    events = await all_of(Runtime().run(shop, Toolbox(), run.history).start(["Hello"]))

    assert "Hello" in text(events)


async def test_a_run_that_is_left_half_way_keeps_what_was_said_to_it() -> None:
    shop = definition(Approval.AUTO_RUN)
    run = Runtime().run(shop, Toolbox(), None)
    events = run.start(["My name is Alice and I live in Boston."])
    await anext(events)
    await events.aclose()

    told = await all_of(Runtime().run(shop, Toolbox(), run.history).start(["What did I just tell you about myself?"]))

    assert "Alice" in text(told)


async def test_a_run_that_stopped_to_ask_used_as_much_as_one_that_did_not() -> None:
    whole = await all_of(Runtime().run(definition(Approval.AUTO_RUN), Toolbox(), None).start([REFUND]))

    shop = definition(Approval.REQUIRES_APPROVAL)
    first = Runtime().run(shop, Toolbox(), None)
    paused = (await all_of(first.start([REFUND])))[-1]
    assert isinstance(paused, Paused)
    [call] = paused.calls
    rest = Runtime().run(shop, Toolbox(), first.history).resume({call.tool_call_id: Approved(call.arguments)})

    assert (await all_of(rest))[-1] == whole[-1]
    assert isinstance(whole[-1], Finished)
    assert whole[-1].input_tokens > 0


async def test_a_turn_does_not_count_what_the_one_before_it_used() -> None:
    shop = definition(Approval.AUTO_RUN)
    alone = (await all_of(Runtime().run(shop, Toolbox(), None).start(["Hello"])))[-1]
    run = Runtime().run(shop, Toolbox(), None)
    await all_of(run.start([REFUND]))

    second = (await all_of(Runtime().run(shop, Toolbox(), run.history).start(["Hello"])))[-1]

    assert isinstance(alone, Finished)
    assert isinstance(second, Finished)
    assert second.output_tokens == alone.output_tokens > 0


def test_nothing_imports_pydantic_ai_before_the_first_turn() -> None:
    check = (
        "import sys; import adapters.agent.client, adapters.agent.server.app; sys.exit('pydantic_ai' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
