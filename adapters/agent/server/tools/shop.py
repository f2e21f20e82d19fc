"""The tools of the shop that ships. What they change is in the server's own tables, once for each call."""

import re
from datetime import UTC, datetime

from sqlalchemy import insert, select, update

from adapters.agent.server.samples import ORDERS
from adapters.agent.server.tables import addresses, refunds
from adapters.agent.server.tools.call import Arguments, Call, Result, ToolFailed


async def lookup_order(call: Call, arguments: Arguments) -> Result:
    order = ORDERS.get(str(arguments["order_id"]).upper())
    if order is None:
        raise ToolFailed(f"there is no order {arguments['order_id']}", for_log="no such order")
    return {"order_id": order.id, "item": order.item, "total": order.total, "status": order.status}


async def issue_refund(call: Call, arguments: Arguments) -> Result:
    order = ORDERS.get(str(arguments["order_id"]).upper())
    amount = arguments["amount"]
    if order is None:
        raise ToolFailed(f"there is no order {arguments['order_id']}", for_log="no such order")
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


async def asks_about_new_address(call: Call, arguments: Arguments) -> str:
    async with call.database.reading() as db:
        known = await db.scalar(select(addresses.c.address).filter_by(session_id=call.session_id))
    is_known = known is not None and _words(known) == _words(str(arguments.get("address", "")))
    return "" if is_known else "the address is new"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
