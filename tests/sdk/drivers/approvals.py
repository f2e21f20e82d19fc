"""The public guide: approve, reject with a reason, change the arguments. Argument: approve | reject | override."""

import sys

from telling import REFUND, answered, kinds, reply, request, run, tell, turn
from vectorshift import Agent

ANSWERS = {
    "approve": {"approved": True},
    "reject": {"approved": False, "deny_reason": "the goods are still on their way"},
    "override": {"approved": True, "confirm": {"amount": 25}},
}


async def main() -> None:
    agent = Agent.fetch(name="support")
    async with await agent.create_session() as session:
        parked = await turn(session, REFUND)
        asked = request(parked)
        rest = await answered(session, asked, **ANSWERS[sys.argv[1]])
        again = await anext_error(session, asked)
    tell(parked=kinds(parked), input=asked.data["input"], rest=kinds(rest), reply=reply(rest), again=again)


async def anext_error(session: object, asked: object) -> str:
    """What a second answer to the same request is told."""
    import asyncio

    events = session.listen()
    listening = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await session.respond(asked, approved=True)
    return str((await listening).error)


run(main())
