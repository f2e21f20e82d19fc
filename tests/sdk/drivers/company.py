"""Two clients on one session; posts in a row; a session that was terminated and is taken up again."""

import asyncio

from telling import kinds, reply, run, tell, turn
from vectorshift import Agent
from vectorshift.session import Session


async def main() -> None:
    agent = await Agent.afetch(name="support")
    async with await agent.create_session() as one:
        other = Session(session_id=one.session_id)
        await other.connect()
        watching = asyncio.ensure_future(_watched(other))
        await asyncio.sleep(0)
        said = await turn(one, "Count slowly to 3.")
        watched = await watching

        watching = asyncio.ensure_future(_watched(other, turns=2))
        await asyncio.sleep(0)
        await one.send("My name is Alice and I live in Boston.")
        await one.send_many(["What did I just tell you about myself?", "Thank you."])
        in_a_row = await watching

        await one.send("Count slowly to 200.")
        async for event in other.listen():
            if event.delta:
                break
        await one.terminate()
        await other.disconnect()
    again = await agent.resume_session(one.session_id)
    await again.connect()
    back = await turn(again, "Where is order A-1001?")
    history = await again.get_messages()
    await again.disconnect()
    tell(
        said=reply(said),
        watched=kinds(watched),
        in_a_row=[event.text for event in in_a_row if event.is_complete],
        back=reply(back),
        history=[message.text for message in history],
    )


async def _watched(session: Session, turns: int = 1) -> list:
    seen = []
    async for event in session.listen():
        seen.append(event)
        turns -= event.is_turn_end
        if not turns:
            break
    return seen


run(main())
