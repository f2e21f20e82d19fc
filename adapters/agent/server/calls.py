"""Tool calls and approvals: asked, answered once, executed at most once. The record of who approved what to run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent.frames import Frame
from adapters.agent.server import rows
from adapters.agent.server.rows import AnsweredCall, CallState, MadeCall
from adapters.agent.server.tables import calls, messages
from gateway.events import Answer, Confirm


@dataclass(frozen=True, slots=True)
class Answered:
    result: Literal["taken", "already", "unknown"]
    all_answered: bool = False


async def answer(db: AsyncConnection, session_id: str, request_id: str | None, given: Answer, at: datetime) -> Answered:
    """Answer once. Without a request id: the one open request, if there is exactly one."""
    row = await _asked(db, session_id, request_id)
    if row is None:
        return Answered("unknown")
    state = CallState.APPROVED if isinstance(given, Confirm) else CallState.DENIED
    values: dict[str, Any] = {"state": state, "answered_at": at}
    if isinstance(given, Confirm):
        values["final_arguments"] = {**row["arguments"], **given.arguments}  # `confirm` may name only some of them
    else:
        values["reason"] = given.reason
    changed = await db.execute(update(calls).filter_by(seq=row["seq"], state=CallState.PENDING).values(values))
    if not changed.rowcount:
        return Answered("already")
    await _show(db, row["request_id"], status=state)
    return Answered("taken", all_answered=not await has_pending(db, session_id))


async def _asked(db: AsyncConnection, session_id: str, request_id: str | None) -> Mapping[str, Any] | None:
    query = select(calls).filter_by(session_id=session_id)
    query = query.filter_by(request_id=request_id) if request_id else query.filter_by(state=CallState.PENDING)
    found = (await db.execute(query.limit(2))).all()
    return found[0]._asdict() if len(found) == 1 else None


async def has_pending(db: AsyncConnection, session_id: str) -> bool:
    query = select(func.count()).select_from(calls).filter_by(session_id=session_id, state=CallState.PENDING)
    return bool(await db.scalar(query))


async def answered_calls(db: AsyncConnection, session_id: str, batch: str) -> tuple[AnsweredCall, ...]:
    query = select(calls).filter_by(session_id=session_id, batch=batch).order_by(calls.c.seq)
    return tuple(
        AnsweredCall(
            tool_call_id=row["tool_call_id"],
            tool_name=row["tool_name"],
            arguments=row["final_arguments"] if row["state"] == CallState.APPROVED else None,
            reason=row["reason"],
        )
        for row in (await db.execute(query)).mappings()
    )


async def asked(db: AsyncConnection, session_id: str, request_id: str | None) -> MadeCall | None:
    """The open request that `answer` would answer."""
    row = await _asked(db, session_id, request_id)
    return _made(row) if row and row["state"] == CallState.PENDING else None


async def made(db: AsyncConnection, session_id: str, turn_id: str) -> Sequence[MadeCall]:
    """All that the turn asked for or ran, in order."""
    query = select(calls).filter_by(session_id=session_id, turn_id=turn_id).order_by(calls.c.seq)
    return [_made(row) for row in (await db.execute(query)).mappings()]


def _made(row: Mapping[str, Any] | RowMapping) -> MadeCall:
    return MadeCall(
        tool_call_id=row["tool_call_id"],
        tool_name=row["tool_name"],
        arguments=row["arguments"] if row["final_arguments"] is None else row["final_arguments"],
        state=CallState(row["state"]),
        result=row["result"],
        reason=row["reason"],
    )


async def expired(db: AsyncConnection, at: datetime) -> Sequence[tuple[str, str]]:
    """(session id, request id) of what nobody answered in time."""
    query = select(calls.c.session_id, calls.c.request_id).filter_by(state=CallState.PENDING)
    return [(row[0], row[1]) for row in await db.execute(query.where(calls.c.expires_at <= at))]


async def ask(
    db: AsyncConnection,
    *,
    session_id: str,
    turn_id: str,
    batch: str,
    request_id: str,
    content: Frame,
    expires_after: timedelta,
) -> None:
    await db.execute(
        insert(calls).values(
            session_id=session_id,
            turn_id=turn_id,
            batch=batch,
            request_id=request_id,
            tool_call_id=content["tool_call_id"],
            tool_name=content["tool_name"],
            arguments=content["input"],
            state=CallState.PENDING,
            created_at=rows.now(),
            expires_at=rows.now() + expires_after,
        )
    )


async def begin(db: AsyncConnection, session_id: str, turn_id: str, content: Frame, message_id: str) -> bool:
    """Note that the call runs from now on. False: it ran before, or may have; it must not run again."""
    key = {"session_id": session_id, "turn_id": turn_id, "tool_call_id": content["tool_call_id"]}
    running = {"state": CallState.EXECUTING, "message_id": message_id, "final_arguments": content["input"]}
    if await db.scalar(select(calls.c.seq).filter_by(**key)) is not None:
        begun = await db.execute(update(calls).filter_by(**key, state=CallState.APPROVED).values(running))
        return bool(begun.rowcount)
    asked = {"tool_name": content["tool_name"], "arguments": content["input"], "created_at": rows.now()}
    await db.execute(insert(calls).values(**key, **running, **asked))
    return True


async def finish(
    db: AsyncConnection, session_id: str, turn_id: str, tool_call_id: str, state: CallState, result: Any
) -> Frame:
    """The call's message, as it now reads."""
    key = {"session_id": session_id, "turn_id": turn_id, "tool_call_id": tool_call_id}
    await db.execute(update(calls).filter_by(**key).values(state=state, result=result))
    message_id = await db.scalar(select(calls.c.message_id).filter_by(**key))
    return await _show(db, str(message_id), status=state, result=result)


async def lose_running_calls(db: AsyncConnection, session_id: str, turn_id: str) -> Sequence[Frame]:
    query = select(calls.c.tool_call_id).filter_by(session_id=session_id, turn_id=turn_id, state=CallState.EXECUTING)
    lost = []
    for tool_call_id in (await db.scalars(query)).all():
        shown = await finish(db, session_id, turn_id, tool_call_id, CallState.UNKNOWN, None)
        lost.append(await _show(db, shown["id"], status="failed", result="the outcome is unknown"))
    return lost


async def can_go_on(db: AsyncConnection, session_id: str, batch: str | None) -> bool:
    """True when a parked turn has its answers and no call has begun since: it may be taken up again."""
    first = await db.scalar(select(func.min(calls.c.seq)).filter_by(session_id=session_id, batch=batch))
    if batch is None or first is None:
        return False
    since = select(calls.c.state).filter_by(session_id=session_id).where(calls.c.seq >= first)
    states = (await db.scalars(since)).all()
    return bool(states) and set(states) <= {CallState.APPROVED, CallState.DENIED}


async def _show(db: AsyncConnection, message_id: str, **changes: Any) -> Frame:
    row = (await db.execute(select(messages).filter_by(id=message_id))).mappings().one()
    content = {**row["content"], **{name: value for name, value in changes.items() if value is not None}}
    await db.execute(update(messages).filter_by(id=message_id).values(content=content))
    return rows.message({**row, "content": content})
