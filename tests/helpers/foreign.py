"""What somebody else does in a session of ours: another client of the platform, or the platform itself."""

import asyncio
from typing import Any

from gateway.events import AgentStatus, ApprovalAsked, Deny
from tests.helpers.agents import Agents, Session


def session_of(agents: Agents) -> Session:
    return list(agents.sessions.values())[-1]


def asks_also(agents: Agents, **arguments: Any) -> str:
    """The parked turn asks for one thing more; its id."""
    session = session_of(agents)
    name = session.new_id()
    session.history.append(
        ApprovalAsked(
            message_id=name,
            tool_call_id=f"call-{name}",
            tool_id="issue_refund",
            tool_name="issue_refund",
            arguments=arguments,
        )
    )
    session._answers[name] = asyncio.get_running_loop().create_future()
    return name


def forgets(agents: Agents) -> None:
    """The session is as if it had never asked, and waits for nothing."""
    session = session_of(agents)
    session.history = [entry for entry in session.history if not isinstance(entry, ApprovalAsked)]
    session.status = AgentStatus.IDLE


def denies(agents: Agents) -> None:
    """Somebody denies, at the platform, all that the session asks for."""
    session = session_of(agents)
    for entry in list(session.history):
        if isinstance(entry, ApprovalAsked) and entry.open:
            session.answered(entry.message_id, Deny(reason="not from there"))
