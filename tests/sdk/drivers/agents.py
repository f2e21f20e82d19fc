"""Agent.new, fetch, save, list, delete, run and add_tool, of a conversational agent."""

from telling import REFUND, answered, reply, run, tell, turn
from vectorshift import Agent
from vectorshift.agent import AgentType, ToolInput
from vectorshift.agent.extra_tools import CustomTool
from vectorshift.agent.object import ConversationalRunActionRequiredError, LlmInfo, MemoryConfig
from vectorshift.events import SessionEvent, SessionEventType
from vectorshift.request import NotFoundError


async def main() -> None:
    order_id = ToolInput(type="dynamic", description="The number of the order.")
    made = Agent.new(
        name="Desk of Ann & Co.",
        llm_info=LlmInfo(provider="offline", model_id="", api_key="sk-not-for-the-server"),
        agent_type=AgentType.CONVERSATIONAL,
        instructions="Keep [[this]] as it is.",
        memory_config=MemoryConfig(enable_session_memory=False),
        tools=[CustomTool(tool_type="lookup_order", inputs={"order_id": order_id})],
    )
    made.add_tool(
        CustomTool(tool_type="issue_refund", approval_config="requires_approval", inputs={"reason": "policy 7"})
    )
    made.add_tool.google_search(tool_name="google", tool_description="Searches the web", query="kites", num_results=3)
    saved = made.save(deploy=True, bump="minor", description="with a refund")
    first = await Agent.afetch(name=made.name)
    await first.asave()
    again = Agent.fetch(id=made.id)
    listed = [agent.name for agent in Agent.list(verbose=True)]
    page = [agent.name for agent in await Agent.alist(limit=1, offset=1)]
    ran = await again.run("Where is order A-1001?")
    kept = await again.run("My name is Alice and I live in Boston.", keep_alive=True)
    forgot = await again.run("What did I just tell you about myself?", session_id=kept.session_id)
    try:
        await again.run(REFUND)
        parked = ""
    except ConversationalRunActionRequiredError as error:
        parked = error.session_id
    session = await again.resume_session(parked)
    await session.connect()
    [asked] = [message for message in await session.get_messages() if message.raw["content"].get("status") == "pending"]
    event = SessionEvent(type=SessionEventType.APPROVAL_REQUEST, session_id=parked, message_id=asked.id)
    refunded = await answered(session, event, approved=True, confirm={"amount": 25, "reason": "by hand"})
    [called] = [message for message in await session.get_messages() if message.content_type == "tool_call"]
    orphan = await again.create_session()
    await orphan.connect()
    again.delete()
    orphaned = await turn(orphan, "Are you there?")
    gone = ""
    try:
        Agent.fetch(id=made.id)
    except NotFoundError as error:
        gone = error.error_message
    await session.disconnect()
    await orphan.disconnect()
    tell(
        saved=saved,
        instructions=again.instructions,
        api_key=again.llm_info.api_key,
        memory=again.memory_config.enable_session_memory,
        tools={tool.name: [tool.tool_type, tool.approval_config, tool.inputs] for tool in again.tools},
        same_ids=[tool.id for tool in first.tools] == [tool.id for tool in again.tools],
        listed=listed,
        page=page,
        ran=[ran.status, ran.final_message],
        forgot=forgot.final_message,
        parked=parked,
        request=asked.raw["content"],
        refunded=[reply(refunded), called.raw["content"]["input"]],
        gone=gone,
        orphaned=[event.error for event in orphaned if event.error],
    )


run(main())
