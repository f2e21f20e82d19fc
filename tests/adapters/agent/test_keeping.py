"""What is kept at hand is bounded, and what is made again when it is needed again."""

from pydantic_ai.models.function import FunctionModel

from adapters.agent.server import offline
from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.keeping import MOST, keep
from adapters.agent.server.runtime import Runtime
from tests.adapters.agent.test_runtime import Runner


def test_what_was_used_longest_ago_makes_room() -> None:
    kept: dict[int, str] = {}
    for number in range(MOST):
        keep(kept, number, "old")
    keep(kept, 0, "new")  # now the newest

    keep(kept, MOST, "one more")

    assert len(kept) == MOST
    assert 1 not in kept
    assert kept[0] == "new"


def test_a_server_with_thousands_of_agents_keeps_those_that_are_used() -> None:
    made: list[str] = []

    def model_for(definition: AgentDefinition) -> FunctionModel:
        made.append(definition.name)
        return offline.model()

    runtime, tools = Runtime(model_for), Runner(Database("sqlite:///unused.db"))
    often = AgentDefinition(name="often")
    for number in range(MOST + 10):
        runtime.run(AgentDefinition(name=f"agent-{number}"), tools, None)
        runtime.run(often, tools, None)
    runtime.run(AgentDefinition(name="agent-0"), tools, None)

    assert made.count("often") == 1
    assert made.count("agent-0") == 2
