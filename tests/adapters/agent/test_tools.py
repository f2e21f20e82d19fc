from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from adapters.agent.server import tools
from adapters.agent.server.database import Database
from adapters.agent.server.definitions import load
from adapters.agent.server.samples import ORDERS
from adapters.agent.server.tables import handoffs, refunds
from adapters.agent.server.tools import Call, ToolFailed
from tests.adapters.agent.world import AGENTS

SUPPORT = load(AGENTS)["support"]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'agent.db'}")
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def call(database: Database) -> Call:
    return Call(database, SUPPORT, "s1", "c1")


def test_the_sample_orders_are_the_five_of_the_page() -> None:
    assert list(ORDERS) == ["A-1001", "A-1002", "A-1003", "A-1004", "A-1005"]


async def test_a_call_that_is_tried_twice_changes_things_once(call: Call) -> None:
    for _ in range(2):
        await tools.issue_refund(call, {"order_id": "A-1001", "amount": 40, "reason": "torn"})
        await tools.human_handoff(call, {"reason": "wants one", "summary": "torn kite"})

    async with call.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(refunds)) == 1
        assert await db.scalar(select(func.count()).select_from(handoffs)) == 1


@pytest.mark.parametrize(("order_id", "amount"), [("A-9999", 40), ("A-1001", 0), ("A-1001", -5)])
async def test_a_refund_that_makes_no_sense_is_not_made(call: Call, order_id: str, amount: float) -> None:
    with pytest.raises(ToolFailed):
        await tools.issue_refund(call, {"order_id": order_id, "amount": amount})

    async with call.database.reading() as db:
        assert await db.scalar(select(func.count()).select_from(refunds)) == 0


async def test_an_address_is_new_until_it_is_the_known_one(call: Call) -> None:
    assert await tools.address_is_new(call, {"address": "5 Main St"})
    await tools.update_address(call, {"address": "5 Main St"})

    assert not await tools.address_is_new(call, {"address": "5 main st."})
    assert await tools.address_is_new(call, {"address": "6 Main St"})
    assert await tools.address_is_new(Call(call.database, SUPPORT, "s2", "c1"), {"address": "5 Main St"})


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("What is your refund policy?", "Refund and return policy"),
        ("Can I return it?", "Refund and return policy"),
        ("How much is shipping?", "Shipping"),
        ("Is there a warranty?", "Warranty"),
        ("What is your policy on unicorns?", None),
    ],
)
async def test_a_question_finds_its_document(call: Call, query: str, title: str | None) -> None:
    documents = (await tools.search_knowledge(call, {"query": query}))["documents"]

    assert (documents[0]["title"] if documents else None) == title
