import pytest
from sqlalchemy import func, select, text

from adapters.agent.server.definitions import load
from adapters.agent.server.samples import ORDERS
from adapters.agent.server.store import Store
from adapters.agent.server.tables import handoffs, refunds
from adapters.agent.server.tool_definitions import Parameter, ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed, people, shop
from tests.adapters.agent.world import AGENTS
from tests.helpers.far_model import Conversation, FarModel

SUPPORT = load(AGENTS)["support"]


@pytest.fixture
def call(store: Store) -> Call:
    return Call(store.database, SUPPORT, "s1", "c1")


def test_the_sample_orders_are_the_five_of_the_page() -> None:
    assert list(ORDERS) == ["A-1001", "A-1002", "A-1003", "A-1004", "A-1005"]


async def test_a_call_that_is_tried_twice_changes_things_once(call: Call) -> None:
    for _ in range(2):
        await shop.issue_refund(call, {"order_id": "A-1001", "amount": 40, "reason": "torn"})
        await people.human_handoff(call, {"reason": "wants one", "summary": "torn kite"})

    async with call.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(refunds)) == 1
        assert await db.scalar(select(func.count()).select_from(handoffs)) == 1


@pytest.mark.parametrize(("order_id", "amount"), [("A-9999", 40), ("A-1001", 0), ("A-1001", -5)])
async def test_a_refund_that_makes_no_sense_is_not_made(call: Call, order_id: str, amount: float) -> None:
    with pytest.raises(ToolFailed):
        await shop.issue_refund(call, {"order_id": order_id, "amount": amount})

    async with call.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(refunds)) == 0


async def test_an_address_is_new_until_it_is_the_known_one(call: Call) -> None:
    assert await shop.asks_about_new_address(call, {"address": "5 Main St"})
    await shop.update_address(call, {"address": "5 Main St"})

    assert not await shop.asks_about_new_address(call, {"address": "5 main st."})
    assert await shop.asks_about_new_address(call, {"address": "6 Main St"})
    assert await shop.asks_about_new_address(Call(call.database, SUPPORT, "s2", "c1"), {"address": "5 Main St"})


def tool(**parameters: Parameter) -> ToolDefinition:
    return ToolDefinition(name="issue_refund", parameters=parameters)


async def test_a_definition_that_leaves_an_input_out_is_told_to_the_model(
    call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ToolFailed, match="amount is missing"):
        await Toolbox().run(tool(order_id=Parameter()), call, {"order_id": "A-1001"})

    assert "tool issue_refund of agent support failed: no amount" in caplog.text


async def test_an_input_that_is_declared_otherwise_is_taken_as_the_function_wants_it(call: Call) -> None:
    declared = tool(order_id=Parameter(), amount=Parameter())

    result = await Toolbox().run(declared, call, {"order_id": "A-1001", "amount": "$40"})

    assert result["amount"] == 40
    with pytest.raises(ToolFailed, match="amount must be a number"):
        await Toolbox().run(declared, call, {"order_id": "A-1001", "amount": "lots"})


async def test_a_tool_that_breaks_says_so_and_ends_no_turn(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async with store.database.writing() as db:
        await db.execute(text("CREATE TRIGGER no BEFORE INSERT ON agent_handoffs BEGIN SELECT RAISE(ABORT, 'no'); END"))
    model = FarModel([("human_handoff", {"reason": "wants one", "summary": "torn kite"})])
    parameters = {"reason": Parameter(), "summary": Parameter()}
    handoff = ToolDefinition(name="human_handoff", parameters=parameters)
    conversation = Conversation(store, model, handoff)

    await conversation.say("Hello")

    assert conversation.failure == ""
    assert "it broke (IntegrityError); whether it was done is not known" in model.came_back[0]
    assert "tool human_handoff of agent shop broke" in caplog.text
