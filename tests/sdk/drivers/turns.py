"""The public guide: stream a turn, watch the tools, be remembered, read the history."""

from telling import kinds, reply, run, tell, turn
from vectorshift import Agent


async def main() -> None:
    agent = Agent.fetch(name="support")
    async with await agent.create_session() as session:
        told = await turn(session, "My name is Alice and I live in Boston.")
        tool = await turn(session, "Where is order A-1001?")
        thought = await turn(session, "Think about it first.")
        searched = await turn(session, "Search the web for kites.")
        recalled = await turn(session, "What did I just tell you about myself?")
        failed = await turn(session, "Please fail.")
        attached = await turn(session, "What is in the attached file?", files=[b"three kites and a line"])
        history = await session.get_messages()
    tell(
        streamed="".join(event.delta or "" for event in told),
        reply=reply(told),
        plain=kinds(told),
        tool=kinds(tool),
        tool_names=[event.tool_name for event in tool if event.tool_name],
        thought=kinds(thought),
        searched=kinds(searched),
        recalled=reply(recalled),
        failed=kinds(failed),
        errors=[event.error for event in failed if event.error],
        attached=reply(attached),
        history=[(message.sender.role, message.content_type, message.text) for message in history],
    )


run(main())
