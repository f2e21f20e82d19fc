"""At a server with a key of its own, with the key that the environment gives."""

from telling import run, tell
from vectorshift import Agent
from vectorshift.request import AuthenticationError
from vectorshift.session import Session, SessionError


async def main() -> None:
    rest = socket = ""
    try:
        Agent.list()
    except AuthenticationError as error:
        rest = error.error_message
    session = Session(owner_type="agent", owner_id="support")
    try:
        await session.connect()
    except SessionError as error:
        socket = str(error)
    finally:
        await session.disconnect()
    tell(rest=rest, socket=socket)


run(main())
