"""The Python tools an agent definition may name. What they change is in the server's own tables, once for each call."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update

from adapters.agent.server.database import Database
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.samples import ORDERS
from adapters.agent.server.tables import addresses, handoffs, refunds

Arguments = Mapping[str, Any]
Result = dict[str, Any]


class ToolFailed(Exception):
    """The tool could not do it; its text is for the model."""


@dataclass(frozen=True, slots=True)
class Call:
    """Where a tool is called from. `tool_call_id` is unique in the session and the same whenever this call is tried."""

    database: Database
    definition: AgentDefinition
    session_id: str
    tool_call_id: str


async def lookup_order(call: Call, arguments: Arguments) -> Result:
    order = ORDERS.get(str(arguments["order_id"]).upper())
    if order is None:
        raise ToolFailed(f"there is no order {arguments['order_id']}")
    return {"order_id": order.id, "item": order.item, "total": order.total, "status": order.status}


async def issue_refund(call: Call, arguments: Arguments) -> Result:
    order = ORDERS.get(str(arguments["order_id"]).upper())
    amount = arguments["amount"]
    if order is None:
        raise ToolFailed(f"there is no order {arguments['order_id']}")
    if amount <= 0:
        raise ToolFailed("only an amount above zero can be paid back")
    key = {"session_id": call.session_id, "tool_call_id": call.tool_call_id}
    async with call.database.writing() as db:
        if await db.scalar(select(refunds.c.order_id).filter_by(**key)) is None:
            row = {
                **key,
                "created_at": datetime.now(UTC),
                "order_id": order.id,
                "amount": f"{amount:.2f}",
                "reason": str(arguments.get("reason", "")),
            }
            await db.execute(insert(refunds).values(row))
    return {"order_id": order.id, "amount": amount, "status": "refunded"}


async def update_address(call: Call, arguments: Arguments) -> Result:
    address = str(arguments["address"])
    async with call.database.writing() as db:
        changed = await db.execute(update(addresses).filter_by(session_id=call.session_id).values(address=address))
        if not changed.rowcount:
            await db.execute(insert(addresses).values(session_id=call.session_id, address=address))
    return {"address": address, "status": "updated"}


async def address_is_new(call: Call, arguments: Arguments) -> bool:
    async with call.database.reading() as db:
        known = await db.scalar(select(addresses.c.address).filter_by(session_id=call.session_id))
    return known is None or _words(known) != _words(str(arguments["address"]))


async def search_knowledge(call: Call, arguments: Arguments) -> Result:
    wanted = _words(str(arguments["query"])) - COMMON
    ranked = [
        (len(wanted & _words(document.title)) * 3 + len(wanted & _words(document.text)), document)
        for document in call.definition.knowledge.documents
    ]
    found = sorted((pair for pair in ranked if pair[0] >= 3), key=lambda pair: -pair[0])
    return {"documents": [{"title": document.title, "text": document.text} for _, document in found[:3]]}


async def human_handoff(call: Call, arguments: Arguments) -> Result:
    key = {"session_id": call.session_id, "tool_call_id": call.tool_call_id}
    said = {word: str(arguments.get(word, "")) for word in ("reason", "summary")}
    async with call.database.writing() as db:
        if await db.scalar(select(handoffs.c.reason).filter_by(**key)) is None:
            urgency = str(arguments.get("urgency") or "normal")[:20]
            await db.execute(insert(handoffs).values(**key, **said, urgency=urgency, created_at=datetime.now(UTC)))
    return {"status": "a colleague was notified; tell the customer so"}


@dataclass(frozen=True, slots=True)
class Function:
    """`must_ask` is the floor the model cannot lower: a call it is true of always asks for approval."""

    run: Callable[[Call, Arguments], Awaitable[Result]]
    writes: bool = False
    must_ask: Callable[[Call, Arguments], Awaitable[bool]] | None = None


FUNCTIONS: dict[str, Function] = {
    "lookup_order": Function(lookup_order),
    "issue_refund": Function(issue_refund, writes=True),
    "update_address": Function(update_address, writes=True, must_ask=address_is_new),
    "search_knowledge": Function(search_knowledge),
    "human_handoff": Function(human_handoff),
}

COMMON_WORDS = """a about an and any are can do does for how i in is it me my of on our policy policies please tell
the there to us what when you your"""
COMMON = set(COMMON_WORDS.split())


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in re.findall(r"\w+", text.lower())}
