"""Asks for a refund and goes, as a process that dies would."""

from telling import REFUND, request, run, tell, turn
from vectorshift import Agent


async def main() -> None:
    session = await Agent.fetch(name="support").create_session()
    await session.connect()
    asked = request(await turn(session, REFUND))
    tell(session_id=session.session_id, message_id=asked.message_id)


run(main())
