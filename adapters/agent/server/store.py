"""Sessions, posts and messages: what clients were told is here first. Calls and approvals are in `calls.py`."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Content, Frame
from adapters.agent.server import rows
from adapters.agent.server.calls import answered_calls, has_pending, lose_running_calls
from adapters.agent.server.database import Database
from adapters.agent.server.limits import Limits
from adapters.agent.server.refusals import Full
from adapters.agent.server.rows import News, PostState, SessionRow, Turn, new_id
from adapters.agent.server.tables import messages, posts, sessions
from gateway.errors import Unreadable
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


STANDING = tuple(sessions.c[name] for name in ("id", "agent", "status", "owner", "turn_id", "batch"))


class Store:
    def __init__(self, database: Database, limits: Limits | None = None) -> None:
        self.database = database
        self._limits = limits or Limits()

    async def open_session(self, tenant: str, agent: str) -> str:
        session_id = new_id("session")
        row = {"id": session_id, "tenant": tenant, "agent": agent, "status": AgentStatus.IDLE}
        async with self.database.writing() as db:
            await db.execute(insert(sessions).values(**row, created_at=rows.now()))
        return session_id

    async def session(self, session_id: str, tenant: str) -> SessionRow | None:
        """None also for a session of somebody else. What is kept and not begun yet counts as processing."""
        query = select(sessions.c.agent, sessions.c.status, _last(session_id).label("last"))
        async with self.database.reading() as db:
            row = (await db.execute(query.filter_by(id=session_id, tenant=tenant))).one_or_none()
            if row is None:
                return None
            return SessionRow(session_id, row.agent, await _shown_status(db, session_id, row.status), row.last)

    async def standing(self, session_ids: Collection[str]) -> Sequence[tuple[str, int, AgentStatus]]:
        """Of each session the place of its newest message, and its status."""
        if not session_ids:
            return []
        last = select(func.max(messages.c.seq)).where(messages.c.session_id == sessions.c.id).scalar_subquery()
        query = select(sessions.c.id, func.coalesce(last, 0), sessions.c.status).where(sessions.c.id.in_(session_ids))
        async with self.database.reading() as db:
            return [(row[0], row[1], AgentStatus(row[2])) for row in await db.execute(query)]

    async def news(self, session_id: str, after: int, *, without: Collection[str]) -> News:
        """What the agent said since, whichever server runs it, but for the messages `without`."""
        status = select(sessions.c.status).filter_by(id=session_id)
        since = select(messages).filter_by(session_id=session_id).where(messages.c.seq > after).order_by(messages.c.seq)
        async with self.database.reading() as db:
            # The status first: what ended the turn is then among the messages.
            shown = await _shown_status(db, session_id, str(await db.scalar(status)))
            found = [row._asdict() for row in await db.execute(since)]
        said = [rows.message(row) for row in found if "user_id" not in row["sender"] and row["id"] not in without]
        return News(said, found[-1]["seq"] if found else after, shown)

    async def post(
        self, session_id: str, tenant: str, contents: Sequence[Content], client_message_id: str | None
    ) -> Sequence[str]:
        """Keep one post (one turn) and give its message ids.

        The same `client_message_id` again changes nothing, but that a turn which was interrupted runs again.
        Raises `Full`.
        """
        async with self.database.writing() as db:
            if await _locked(db, session_id) is None:
                raise Unreadable("unknown session")  # it was erased under a line that is still open
            if client_message_id is not None:
                known = select(posts).filter_by(session_id=session_id, client_message_id=client_message_id)
                if post := (await db.execute(known)).mappings().one_or_none():
                    interrupted = update(posts).filter_by(seq=post["seq"], state=PostState.INTERRUPTED)
                    await db.execute(interrupted.values(state=PostState.WAITING))
                    return list(post["message_ids"])
            await self._check_room(db, session_id)
            return await self._keep(db, session_id, tenant, contents, client_message_id)

    async def _check_room(self, db: AsyncConnection, session_id: str) -> None:
        most = self._limits.max_waiting_posts
        if (await db.execute(_waiting(session_id).offset(most - 1))).first() is not None:
            raise Full(f"{most} posts wait in this session: wait for their replies, or terminate it")

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
        await db.execute(insert(posts).values(**row, state=PostState.WAITING, contents=list(contents), message_ids=ids))
        return ids

    async def claim(self, session_id: str) -> Turn | None:
        """Take the session's next piece of work for this server; None when there is none, or another one has it."""
        async with self.database.writing() as db:
            row = await _locked(db, session_id, sessions.c.history, sessions.c.turn_index, sessions.c.turn_text)
            match row and row["status"]:
                case AgentStatus.IDLE if row:
                    return await self._claim_post(db, row)
                case AgentStatus.AWAITING_APPROVAL if row and not await has_pending(db, session_id):
                    return await self._claim_answered(db, row)
        return None

    async def _claim_post(self, db: AsyncConnection, row: RowMapping) -> Turn | None:
        post = (await db.execute(_waiting(row["id"]))).mappings().one_or_none()
        if post is None:
            return None
        await db.execute(update(posts).filter_by(seq=post["seq"]).values(state=PostState.TAKEN))
        turn = Turn(
            session_id=row["id"],
            agent=row["agent"],
            id=new_id("message"),
            index=0,
            text="",
            history=row["history"],
            after=await _last_message(db, row["id"]),
            contents=tuple(post["contents"] or ()),
        )
        await self._begin(db, turn)
        return turn

    async def _claim_answered(self, db: AsyncConnection, row: RowMapping) -> Turn:
        turn = Turn(
            session_id=row["id"],
            agent=row["agent"],
            id=row["turn_id"],
            index=row["turn_index"],
            text=row["turn_text"],
            history=row["history"],
            after=await _last_message(db, row["id"]),
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

    async def say(self, turn: Turn, content: Frame) -> Frame | None:
        """Keep a message of the agent that does not end the turn. None: the turn was taken from us."""
        async with self.database.writing() as db:
            if await held(db, turn, self.database.server_id) is None:
                return None
            return await add_message(db, turn.session_id, agent_sender(turn.agent), content)

    async def complete(self, turn: Turn, content: Frame, history: bytes | None) -> Frame | None:
        """The turn's reply and its end. None: the turn was taken from us, and nothing was written."""
        async with self.database.writing() as db:
            if await held(db, turn, self.database.server_id) is None:
                return None
            await end_turn(db, turn.session_id, turn.id, history)
            return await add_message(db, turn.session_id, agent_sender(turn.agent), content, id=turn.id)

    async def fail(self, turn: Turn, error: str, history: bytes | None) -> Sequence[Frame] | None:
        """The turn's end without a reply: what to show, the `error_message` last. None: it was taken from us."""
        async with self.database.writing() as db:
            if await held(db, turn, self.database.server_id) is None:
                return None
            await end_turn(db, turn.session_id, turn.id, history)
            return await write_failure(db, turn.session_id, turn.agent, turn.id, frames.error_message(error))

    async def drop_posts(self, session_id: str) -> None:
        """What waits, and what runs: that one is not to be posted again. A parked turn stays."""
        dropped = [PostState.WAITING, PostState.INTERRUPTED]
        async with self.database.writing() as db:
            row = await _locked(db, session_id)
            if row and row["status"] == AgentStatus.PROCESSING:
                dropped.append(PostState.TAKEN)
            to_drop = update(posts).filter_by(session_id=session_id).where(posts.c.state.in_(dropped))
            await db.execute(to_drop.values(state=PostState.DONE, contents=None))


async def held(db: AsyncConnection, turn: Turn, server_id: int) -> RowMapping | None:
    """The turn's session, ours until the transaction ends. None: this server does not run the turn any more."""
    row = await _locked(db, turn.session_id)
    owner = (turn.id, AgentStatus.PROCESSING, server_id)
    return row if row and (row["turn_id"], row["status"], row["owner"]) == owner else None


async def write_failure(
    db: AsyncConnection, session_id: str, agent: str, turn_id: str, content: Frame
) -> Sequence[Frame]:
    """Calls that had begun have an unknown outcome from now on; the `error_message` says so."""
    lost = await lose_running_calls(db, session_id, turn_id)
    if lost:
        names = ", ".join(sorted({shown["content"]["tool_name"] for shown in lost}))
        content = {**content, "error": f"{content['error']}; the outcome of {names} is unknown"}
    failed = await add_message(db, session_id, agent_sender(agent), content, id=turn_id)
    return [*lost, failed]


async def end_turn(
    db: AsyncConnection, session_id: str, turn_id: str, history: bytes | None, *, post: PostState = PostState.DONE
) -> None:
    """The session is free again, and what is done with its post said; the caller holds its row."""
    ended: dict[str, Any] = {"status": AgentStatus.IDLE, "owner": None, "turn_id": None, "batch": None}
    if history is not None:
        ended["history"] = history
    of_turn = update(sessions).filter_by(id=session_id, turn_id=turn_id)
    await db.execute(of_turn.values(**ended, turn_index=0, turn_text=""))
    taken = update(posts).filter_by(session_id=session_id, state=PostState.TAKEN)
    left: dict[str, Any] = {} if post is PostState.INTERRUPTED else {"contents": None}
    await db.execute(taken.values(state=post, **left))


async def _locked(db: AsyncConnection, session_id: str, *more: ColumnElement[Any]) -> RowMapping | None:
    """How the session stands, ours until the transaction ends; SQLite has but one writer anyway."""
    query = select(*STANDING, *more).where(sessions.c.id == session_id).with_for_update()
    return (await db.execute(query)).mappings().one_or_none()


def _waiting(session_id: str) -> Select[Any]:
    return select(posts).filter_by(session_id=session_id).where(is_waiting()).order_by(posts.c.seq).limit(1)


def is_waiting() -> ColumnElement[bool]:
    # In the statement's own text: for a parameter no planner takes the index of what waits.
    return posts.c.state == literal(PostState.WAITING.value, literal_execute=True)


def _last(session_id: str) -> ColumnElement[int]:
    newest = select(func.coalesce(func.max(messages.c.seq), 0)).where(messages.c.session_id == session_id)
    return newest.scalar_subquery()


async def _last_message(db: AsyncConnection, session_id: str) -> int:
    return int(await db.scalar(select(_last(session_id))) or 0)


async def _shown_status(db: AsyncConnection, session_id: str, status: str) -> AgentStatus:
    """What is kept and not begun yet counts as processing."""
    waits = status == AgentStatus.IDLE and await _has_waiting(db, session_id)
    answered = status == AgentStatus.AWAITING_APPROVAL and not await has_pending(db, session_id)
    return AgentStatus.PROCESSING if waits or answered else AgentStatus(status)


async def _has_waiting(db: AsyncConnection, session_id: str) -> bool:
    return (await db.execute(_waiting(session_id))).first() is not None
