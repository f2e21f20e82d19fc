"""What the SDK makes of this server's refusals. Arguments: the id of somebody else's agent and session."""

import sys

from telling import run, tell
from vectorshift import Agent
from vectorshift.agent import AgentType
from vectorshift.agent.object import LlmInfo
from vectorshift.request import VectorshiftApiError
from vectorshift.session import Session, SessionError


async def main() -> None:
    told: dict[str, object] = {}

    def told_of(name: str, deed: object) -> None:
        try:
            deed()
        except VectorshiftApiError as error:
            told[name] = [type(error).__name__, error.status_code, error.error_message]

    agent = Agent(id=sys.argv[1], name="x", llm_info=LlmInfo(provider="offline", model_id=""))
    told_of("fetch", lambda: Agent.fetch(id=sys.argv[1]))
    told_of("save", agent.save)
    told_of("delete", agent.delete)
    told_of("run", lambda: agent.run(inputs={}))
    told_of("file", lambda: Agent.fetch(name="support").delete())
    told_of("name", lambda: Agent.new(name="support", llm_info=agent.llm_info, agent_type=AgentType.CONVERSATIONAL))
    for name, session in {
        "session": Session(session_id=sys.argv[2]),
        "open": Session(owner_type="agent", owner_id=sys.argv[1]),
    }.items():
        try:
            await session.connect()
        except SessionError as error:
            told[name] = str(error)
        finally:
            await session.disconnect()
    tell(**told)


run(main())
