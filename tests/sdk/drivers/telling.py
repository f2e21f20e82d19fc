"""What the drivers share. They run in .venv-sdk and know nothing of this project but the address of its server."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from vectorshift.events import ParticipantStatus, SessionEvent, SessionEventType
from vectorshift.request import async_request_client
from vectorshift.session import Session

REFUND = "Please refund order A-1001, $40."


def tell(**facts: Any) -> None:
    """The last line a driver prints."""
    print(json.dumps(facts, default=str))


def run(main: Coroutine[Any, Any, None]) -> None:
    async def closed() -> None:
        try:
            await main
        finally:
            await async_request_client.close()

    asyncio.run(closed())


async def turn(session: Session, text: str, **more: Any) -> list[SessionEvent]:
    """Post and listen as the public guide does, to the end of the turn or to where it waits for an approval."""
    events = session.listen()
    listening = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await session.send(text, **more)
    return await _rest(events, [await listening])


async def answered(session: Session, request: SessionEvent, **answer: Any) -> list[SessionEvent]:
    events = session.listen()
    listening = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await session.respond(request, **answer)
    return await _rest(events, [await listening])


async def _rest(events: Any, seen: list[SessionEvent]) -> list[SessionEvent]:
    while not _is_over(seen):
        seen.append(await anext(events))
    await events.aclose()
    return seen


def _is_over(seen: list[SessionEvent]) -> bool:
    began = any(event.participant_status == ParticipantStatus.PROCESSING for event in seen)
    ends = {ParticipantStatus.IDLE, ParticipantStatus.AWAITING_APPROVAL}
    return began and seen[-1].participant_status in ends


def kinds(events: list[SessionEvent]) -> list[str]:
    """In order; a run of deltas counts once."""
    named: list[str] = []
    for event in events:
        kind = event.type.value
        if event.participant_status:
            kind = event.participant_status.value
        elif event.type == SessionEventType.TOOL_CALL:
            kind = f"tool_call {event.data.get('status')}"
        if kind != "message_delta" or named[-1:] != ["message_delta"]:
            named.append(kind)
    return named


def reply(events: list[SessionEvent]) -> str:
    return "".join(event.text or "" for event in events if event.is_complete)


def request(events: list[SessionEvent]) -> SessionEvent:
    return next(event for event in events if event.type == SessionEventType.APPROVAL_REQUEST)
