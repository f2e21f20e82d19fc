"""Sessions, posts and messages: what clients were told is here first. Calls and approvals are in `calls.py`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Content, Frame
from adapters.agent.server import rows
from adapters.agent.server.calls import answered_calls, has_pending, lose_running_calls
from adapters.agent.server.database import Database
from adapters.agent.server.rows import SessionRow, Turn, new_id
from adapters.agent.server.tables import messages, posts, sessions
from gateway.events import AgentStatus


async def add_message(
    db: AsyncConnection, session_id: str, sender: Frame, content: Content, *, id: str = "", parent: str | None = None
) -> Frame:
    row: dict[str, Any] = {
        "id": id or new_id("message"),
        "session_id": session_id,
        "sender": sender,
        "content": content,
        "parent_message_id": parent,
        "created_at": rows.now(),
    }
    await db.execute(insert(messages).values(row))
    return rows.message(row)


def agent_sender(agent: str) -> Frame:
    return {"object_id": agent, "object_type": "agent"}


class Store:
    def __init__(self, database: Database) -> None:
        self.database = database

    async def open_session(self, tenant: str, agent: str) -> str:
        session_id = new_id("session")
        row = {"id": session_id, "tenant": tenant, "agent": agent, "status": AgentStatus.IDLE}
        async with self.database.writing() as db:
            await db.execute(insert(sessions).values(**row, created_at=rows.now()))
        return session_id

    async def session(self, session_id: str, tenant: str) -> SessionRow | None:
        """None also for a session of somebody else. What is kept and not begun yet counts as processing."""
        query = select(sessions.c.agent, sessions.c.status).filter_by(id=session_id, tenant=tenant)
        async with self.database.reading() as db:
            row = (await db.execute(query)).one_or_none()
            if row is None:
                return None
            status = AgentStatus(row.status)
            waits = status is AgentStatus.IDLE and await _has_waiting(db, session_id)
            answered = status is AgentStatus.AWAITING_APPROVAL and not await has_pending(db, session_id)
        return SessionRow(session_id, row.agent, AgentStatus.PROCESSING if waits or answered else status)

    async def messages(self, session_id: str) -> Sequence[Frame]:
        query = select(messages).filter_by(session_id=session_id).order_by(messages.c.seq)
        async with self.database.reading() as db:
            return [rows.message(row._asdict()) for row in await db.execute(query)]

    async def post(
        self, session_id: str, tenant: str, contents: Sequence[Content], client_message_id: str | None
    ) -> Sequence[str]:
        """Keep one post (one turn) and give its message ids. The same `client_message_id` again changes nothing."""
        async with self.database.writing() as db:
            await _locked(db, session_id)
            if client_message_id is not None:
                query = select(posts.c.message_ids)
                known = await db.scalar(query.filter_by(session_id=session_id, client_message_id=client_message_id))
                if known is not None:
                    return list(known)
            return await self._keep(db, session_id, tenant, contents, client_message_id)

    async def _keep(
        self,
        db: AsyncConnection,
        session_id: str,
        tenant: str,
        contents: Sequence[Content],
        client_message_id: str | None,
    ) -> Sequence[str]:
        sender = {"user_id": tenant[:16]}
        kept = [await add_message(db, session_id, sender, rows.without_bytes(content)) for content in contents]
        ids = [message["id"] for message in kept]
        row = {"id": new_id("post"), "session_id": session_id, "client_message_id": client_message_id}
        await db.execute(insert(posts).values(**row, state="waiting", contents=list(contents), message_ids=ids))
        return ids

    async def claim(self, session_id: str) -> Turn | None:
        """Take the session's next piece of work for this server; None when there is none, or another one has it."""
        async with self.database.writing() as db:
            row = await _locked(db, session_id)
            match row and row["status"]:
                case AgentStatus.IDLE if row:
                    return await self._claim_post(db, row)
                case AgentStatus.AWAITING_APPROVAL if row and not await has_pending(db, session_id):
                    return await self._claim_answered(db, row)
        return None

    async def _claim_post(self, db: AsyncConnection, row: Mapping[str, Any]) -> Turn | None:
        post = (await db.execute(_waiting(row["id"]))).mappings().one_or_none()
        if post is None:
            return None
        await db.execute(update(posts).filter_by(seq=post["seq"]).values(state="taken"))
        turn = Turn(
            session_id=row["id"],
            agent=row["agent"],
            id=new_id("message"),
            index=0,
            text="",
            history=row["history"],
            contents=tuple(post["contents"] or ()),
        )
        await self._begin(db, turn)
        return turn

    async def _claim_answered(self, db: AsyncConnection, row: Mapping[str, Any]) -> Turn:
        turn = Turn(
            session_id=row["id"],
            agent=row["agent"],
            id=row["turn_id"],
            index=row["turn_index"],
            text=row["turn_text"],
            history=row["history"],
            answered=await answered_calls(db, row["id"], row["batch"]),
        )
        await self._begin(db, turn)
        return turn

    async def _begin(self, db: AsyncConnection, turn: Turn) -> None:
        started = {"turn_id": turn.id, "turn_index": turn.index, "turn_text": turn.text}
        await db.execute(
            update(sessions)
            .filter_by(id=turn.session_id)
            .values(**started, status=AgentStatus.PROCESSING, owner=self.database.server_id)
        )

    async def say(self, turn: Turn, content: Frame) -> Frame:
        """Keep a message of the agent that does not end the turn, such as a thought."""
        async with self.database.writing() as db:
            return await add_message(db, turn.session_id, agent_sender(turn.agent), content)

    async def complete(self, turn: Turn, text: str, history: bytes | None) -> Frame | None:
        """The turn's reply and its end. None: the turn was taken from us, and nothing was written."""
        async with self.database.writing() as db:
            if not await end_turn(db, turn.session_id, turn.id, history):
                return None
            return await add_message(db, turn.session_id, agent_sender(turn.agent), frames.complete(text), id=turn.id)

    async def fail(self, turn: Turn, error: str, history: bytes | None) -> Sequence[Frame]:
        """The turn's end without a reply: what to show, the `error_message` last. Empty: it was taken from us."""
        async with self.database.writing() as db:
            if not await end_turn(db, turn.session_id, turn.id, history):
                return []
            return await write_failure(db, turn.session_id, turn.agent, turn.id, error)

    async def drop_waiting(self, session_id: str) -> None:
        async with self.database.writing() as db:
            waiting = update(posts).filter_by(session_id=session_id, state="waiting")
            await db.execute(waiting.values(state="done", contents=None))


async def write_failure(db: AsyncConnection, session_id: str, agent: str, turn_id: str, error: str) -> Sequence[Frame]:
    """Calls that had begun have an unknown outcome from now on; the error says so."""
    lost = await lose_running_calls(db, session_id, turn_id)
    if lost:
        names = ", ".join(sorted({shown["content"]["tool_name"] for shown in lost}))
        error = f"{error}; the outcome of {names} is unknown"
    failed = await add_message(db, session_id, agent_sender(agent), frames.error_message(error), id=turn_id)
    return [*lost, failed]


async def end_turn(db: AsyncConnection, session_id: str, turn_id: str, history: bytes | None) -> bool:
    ended = await db.execute(
        update(sessions)
        .filter_by(id=session_id, turn_id=turn_id, status=AgentStatus.PROCESSING)
        .values(status=AgentStatus.IDLE, owner=None, turn_id=None, turn_index=0, turn_text="", batch=None)
    )
    if not ended.rowcount:
        return False
    if history is not None:
        await db.execute(update(sessions).filter_by(id=session_id).values(history=history))
    taken = update(posts).filter_by(session_id=session_id, state="taken")
    await db.execute(taken.values(state="done", contents=None))
    return True


async def _locked(db: AsyncConnection, session_id: str) -> Mapping[str, Any] | None:
    """The session's row, ours until the transaction ends; SQLite has but one writer anyway."""
    row = (await db.execute(select(sessions).filter_by(id=session_id).with_for_update())).one_or_none()
    return row._asdict() if row else None


def _waiting(session_id: str) -> Select[Any]:
    return select(posts).filter_by(session_id=session_id, state="waiting").order_by(posts.c.seq).limit(1)


async def _has_waiting(db: AsyncConnection, session_id: str) -> bool:
    return (await db.execute(_waiting(session_id))).first() is not None
