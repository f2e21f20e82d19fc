"""Another process takes a session up by its id, finds the open request in the history and approves it."""

import sys

from telling import answered, kinds, reply, run, tell
from vectorshift import Agent
from vectorshift.events import SessionEvent, SessionEventType
from vectorshift.session import SessionError


async def main() -> None:
    session_id = sys.argv[1]
    session = await Agent.fetch(name="support").resume_session(session_id)
    try:
        await session.connect()
    except SessionError as error:
        await session.disconnect()
        tell(error=str(error))
        return
    before = await session.get_messages()
    [open_request] = [message for message in before if message.raw["content"].get("status") == "pending"]
    asked = SessionEvent(type=SessionEventType.APPROVAL_REQUEST, session_id=session_id, message_id=open_request.id)
    rest = await answered(session, asked, approved=True)
    after = await session.get_messages()
    await session.disconnect()
    tell(request_id=open_request.id, rest=kinds(rest), reply=reply(rest), last=after[-1].text)


run(main())
