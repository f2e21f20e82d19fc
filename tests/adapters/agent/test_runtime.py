"""The door to pydantic-ai: text around tools, several stops, an interrupted history; and that it is imported late."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.runtime import Approved, Finished, Paused, Run, RunEvent, Runtime, Said
from adapters.agent.server.store import Store
from adapters.agent.server.tool_definitions import Approval, Parameter, ToolDefinition
from adapters.agent.server.tools import Call, Toolbox

REFUND = "Please refund order A-1001, $40."


def definition(approval: Approval) -> AgentDefinition:
    parameters = {"order_id": Parameter(), "amount": Parameter(type="number"), "reason": Parameter(required=False)}
    return AgentDefinition(
        name="shop", tools=(ToolDefinition(name="issue_refund", approval=approval, parameters=parameters),)
    )


class Runner:
    """Shows what would run, and runs nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.ran: list[dict[str, Any]] = []

    def call(self, tool_call_id: str) -> Call:
        return Call(self._database, definition(Approval.AUTO_RUN), "s1", tool_call_id)

    async def run(
        self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any], toolbox: Toolbox
    ) -> dict[str, Any]:
        self.ran.append(dict(given))
        return dict(given)


@pytest.fixture
def tools(store: Store) -> Runner:
    return Runner(store.database)


async def all_of(events: AsyncIterator[RunEvent]) -> list[RunEvent]:
    return [event async for event in events]


def text(events: list[RunEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Said))


@pytest.mark.parametrize(
    ("approval", "asks"),
    [
        (Approval.AUTO_RUN, False),
        (Approval.REQUIRES_APPROVAL, True),
        (Approval.LET_AGENT_DECIDE, True),  # the model did not say, and the tool writes
    ],
)
async def test_a_call_asks_when_its_definition_says_so(tools: Runner, approval: Approval, asks: bool) -> None:
    run = Runtime().run(definition(approval), tools, None)

    events = await all_of(run.start([REFUND]))

    assert isinstance(events[-1], Paused if asks else Finished)
    assert len(tools.ran) == (0 if asks else 1)


async def test_a_run_goes_on_elsewhere_from_its_history(tools: Runner) -> None:
    shop = definition(Approval.REQUIRES_APPROVAL)
    first = Runtime().run(shop, tools, None)
    paused = (await all_of(first.start([REFUND])))[-1]
    assert isinstance(paused, Paused)

    second = Runtime().run(shop, tools, first.history)
    changed = {**paused.calls[0].arguments, "amount": 30}
    events = await all_of(second.resume({paused.calls[0].tool_call_id: Approved(changed)}))

    assert text(events) == "I refunded $30 for order A-1001."
    assert [call["amount"] for call in tools.ran] == [30]


async def test_a_new_message_is_taken_on_a_history_with_an_open_call(tools: Runner) -> None:
    shop = definition(Approval.REQUIRES_APPROVAL)
    run: Run = Runtime().run(shop, tools, None)
    await all_of(run.start([REFUND]))

    events = await all_of(Runtime().run(shop, tools, run.history).start(["Hello"]))

    assert "Hello" in text(events)


async def test_a_run_that_is_left_half_way_keeps_what_was_said_to_it(tools: Runner) -> None:
    shop = definition(Approval.AUTO_RUN)
    run = Runtime().run(shop, tools, None)
    events = run.start(["My name is Alice and I live in Boston."])
    await anext(events)
    await events.aclose()

    told = await all_of(Runtime().run(shop, tools, run.history).start(["What did I just tell you about myself?"]))

    assert "Alice" in text(told)


async def test_a_run_that_stopped_to_ask_used_as_much_as_one_that_did_not(tools: Runner) -> None:
    whole = await all_of(Runtime().run(definition(Approval.AUTO_RUN), tools, None).start([REFUND]))

    shop = definition(Approval.REQUIRES_APPROVAL)
    first = Runtime().run(shop, tools, None)
    paused = (await all_of(first.start([REFUND])))[-1]
    assert isinstance(paused, Paused)
    [call] = paused.calls
    rest = Runtime().run(shop, tools, first.history).resume({call.tool_call_id: Approved(call.arguments)})

    assert (await all_of(rest))[-1] == whole[-1]
    assert isinstance(whole[-1], Finished)
    assert whole[-1].input_tokens > 0


async def test_a_turn_does_not_count_what_the_one_before_it_used(tools: Runner) -> None:
    shop = definition(Approval.AUTO_RUN)
    alone = (await all_of(Runtime().run(shop, tools, None).start(["Hello"])))[-1]
    run = Runtime().run(shop, tools, None)
    await all_of(run.start([REFUND]))

    second = (await all_of(Runtime().run(shop, tools, run.history).start(["Hello"])))[-1]

    assert isinstance(alone, Finished)
    assert isinstance(second, Finished)
    assert second.output_tokens == alone.output_tokens > 0


def test_nothing_imports_pydantic_ai_before_the_first_turn() -> None:
    check = (
        "import sys; import adapters.agent.client, adapters.agent.server.app; sys.exit('pydantic_ai' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
