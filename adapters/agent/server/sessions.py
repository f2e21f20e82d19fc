"""The sessions this server runs: one task for each that is active, one turn at a time, whoever is connected.

The database knows everything; here are only the tasks and the sockets that listen.
"""

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import select

from adapters.agent import frames
from adapters.agent.frames import Content, Frame
from adapters.agent.server import arguments, calls, erasing, interruption, pages, recovery, rows, tables
from adapters.agent.server.agents import Agents
from adapters.agent.server.arguments import ArgumentsWrong
from adapters.agent.server.calls import Answered
from adapters.agent.server.database import patiently
from adapters.agent.server.live import Live, Subscriber
from adapters.agent.server.liveness import AWAY
from adapters.agent.server.pages import Page
from adapters.agent.server.rows import News, SessionRow, Turn
from adapters.agent.server.runtime import Runtime
from adapters.agent.server.store import Store
from adapters.agent.server.turns import RunningTurn
from gateway.errors import Refused, Unreadable
from gateway.events import AgentStatus, Answer, Confirm, Deny

log = logging.getLogger(__name__)

EXPIRED = Deny(reason="UNANSWERED: expired")
LOOK_EVERY_S = 2.0


class Sessions:
    def __init__(
        self,
        store: Store,
        agents: Agents,
        runtime: Runtime,
        *,
        approval_expires_after: timedelta,
    ) -> None:
        self._store = store
        self._agents = agents
        self._expires_after = approval_expires_after
        self._runtime = runtime
        self._live: dict[str, Live] = {}
        self._waited: Collection[recovery.Work] = frozenset()  # at the look before

    async def open(self, tenant: str, agent: str) -> str | None:
        """None: no such agent. Raises `Refused` for one that has no sessions."""
        definition = await self._agents.find(tenant, agent)
        if definition is None:
            return None
        if definition.agent_type == "functional":
            raise Unreadable("the agent is functional, so it has no sessions: run it with POST /agent/{id}/run")
        return await self._store.open_session(tenant, definition.id)

    async def find(self, session_id: str, tenant: str) -> SessionRow | None:
        found = await self._store.session(session_id, tenant)
        live = self._live.get(session_id)
        if found and live and live.seen is None:
            live.seen, live.status = found.last, found.status
        return found

    async def page(self, session_id: str, max_bytes: int, before: str | None) -> Page:
        page = await pages.page(self._store.database, session_id, max_bytes, before=before)
        if not page.messages and not await self._store.standing([session_id]):
            raise Unreadable("unknown session")  # it was erased under a line that is still open
        return page

    def subscribe(self, session_id: str, subscriber: Subscriber) -> None:
        self._of(session_id).subscribers.add(subscriber)

    def unsubscribe(self, session_id: str, subscriber: Subscriber) -> None:
        if live := self._live.get(session_id):
            live.subscribers.discard(subscriber)
            self._forget(session_id, live)

    async def post(
        self,
        session_id: str,
        tenant: str,
        contents: Sequence[Content],
        *,
        client_message_id: str | None,
        kind: frames.PostType,
        sender: Subscriber,
    ) -> None:
        """Keeps the post, acknowledges it to its sender, and lets its turn come."""
        live = self._of(session_id)
        async with live.order:
            ids = await self._store.post(session_id, tenant, contents, client_message_id)
            sender.send(frames.post_ack(kind, session_id, message_ids=ids))
            live.status = AgentStatus.PROCESSING  # from now on, whichever server begins it
        self.wake(session_id)

    async def answer(
        self, session_id: str, request_id: str | None, given: Answer, *, sender: Subscriber | None = None
    ) -> Answered:
        """Raises `Unreadable` for a `Confirm` that the tool cannot run on; the request stays open."""
        if isinstance(given, Confirm):
            await self._check(session_id, request_id, given)
        live = self._of(session_id)
        async with live.order:
            async with self._store.database.writing() as db:
                answered = await calls.answer(db, session_id, request_id, given, rows.now())
            if sender is not None:
                sender.send(_answer_ack(session_id, answered))
            if answered.all_answered:
                live.status = AgentStatus.PROCESSING
            elif answered.result == "taken":
                live.send(frames.participant_status(session_id, AgentStatus.AWAITING_APPROVAL))
        if answered.all_answered:
            self.wake(session_id)
        else:
            self._forget(session_id, live)
        return answered

    async def _check(self, session_id: str, request_id: str | None, given: Confirm) -> None:
        async with self._store.database.reading() as db:
            call = await calls.asked(db, session_id, request_id)
            agent = await db.scalar(select(tables.sessions.c.agent).filter_by(id=session_id))
        definition = await self._agents.of_session(str(agent)) if call else None
        if call and definition and (tool := definition.tool(call.tool_name)):
            try:
                arguments.checked(tool, {**call.arguments, **given.arguments}, by_person=True)
            except ArgumentsWrong as error:
                raise Unreadable(f"confirm: {error}; the request stays open") from error

    async def terminate(self, session_id: str) -> None:
        """Stops the turn, whichever server runs it, and drops the queue; history and open approvals stay."""
        await self._store.drop_posts(session_id)
        if shown := await interruption.take(self._store.database, session_id):
            self._show_end(session_id, shown)
        await self._stop(session_id)

    async def erase(self, session_id: str, tenant: str) -> None:
        """Forgets it whole, ending its turn first. Unknown, or somebody else's: nothing happens."""
        if await self._store.session(session_id, tenant) is None:
            return
        await self.terminate(session_id)
        await erasing.forget(self._store.database, session_id, tenant)
        await self._stop(session_id)  # what was posted in between

    async def _stop(self, session_id: str) -> None:
        live = self._live.get(session_id)
        if live and live.task:
            live.task.cancel()
            await asyncio.wait([live.task])

    def wake(self, session_id: str) -> None:
        live = self._of(session_id)
        live.again = True
        if live.task is None:
            live.task = asyncio.create_task(self._drain(session_id, live))

    async def _drain(self, session_id: str, live: Live) -> None:
        try:
            while live.again:
                live.again = False
                while turn := await self._claim(session_id, live):
                    await self._play(turn, live)
        except AWAY as error:  # `look` finds the session again
            log.warning("session %s stopped: the database is away (%s)", session_id, type(error).__name__)
        except Exception:  # one session's fault stops no other; `look` finds it again
            log.exception("session %s stopped", session_id)
        finally:
            live.task = None
            self._forget(session_id, live)

    async def _claim(self, session_id: str, live: Live) -> Turn | None:
        async with live.order:
            turn = await self._store.claim(session_id)
            if turn is not None:
                if live.seen is not None:
                    await patiently(lambda: self._tell(session_id, live))
                live.saw(turn.after)
                live.send(frames.participant_status(session_id, AgentStatus.PROCESSING))
            return turn

    async def _play(self, turn: Turn, live: Live) -> None:
        gone = f"the agent {turn.agent} does not exist any more"
        try:
            definition = await patiently(lambda: self._agents.of_session(turn.agent))
        except Refused as error:  # it was saved by another release
            definition, gone = None, f"the agent {turn.agent} cannot be run: {error}"
        if definition is not None:
            await RunningTurn(self._store, turn, definition, live.send, self._expires_after).play(self._runtime)
        elif failed := await self._store.fail(turn, gone, None):
            self._show_end(turn.session_id, failed)

    def _show_end(self, session_id: str, shown: Sequence[Frame]) -> None:
        live = self._of(session_id)
        for message in shown:
            live.send(frames.message_notification(session_id, message))
        live.send(frames.participant_status(session_id, AgentStatus.IDLE))
        self._forget(session_id, live)

    async def _catch_up(self) -> None:
        """Tell our clients what the turns of other servers have come to."""
        listening = {session_id: live for session_id, live in self._live.items() if live.only_listens}
        for session_id, last, status in await self._store.standing(listening):
            live = listening[session_id]
            if last == live.seen and status == live.status:
                continue
            with recovery.sparing_others(session_id):
                await self._tell_news(session_id, live)

    async def _tell_news(self, session_id: str, live: Live) -> None:
        async with live.order:
            if live.only_listens:
                news = await self._tell(session_id, live)
                if news.messages or news.status != live.status:
                    live.send(frames.participant_status(session_id, news.status))

    async def _tell(self, session_id: str, live: Live) -> News:
        """Send our clients what they do not have yet."""
        news = await self._store.news(session_id, live.seen or 0, without=live.told)
        for message in news.messages:
            live.send(frames.message_notification(session_id, message))
        live.saw(news.last)
        return news

    async def look(self) -> None:
        """Ends orphaned turns, lets approvals expire, wakes what has work. Safe at any time."""
        await self._store.database.liveness.prove()
        for session_id, shown in await recovery.end_orphans(self._store, self._runs):
            if shown:
                self._show_end(session_id, shown)
            self.wake(session_id)  # for what waits behind it, or goes on
        async with self._store.database.reading() as db:
            late = await calls.expired(db, rows.now())
        for session_id, request_id in late:
            with recovery.sparing_others(session_id):
                await self.answer(session_id, request_id, EXPIRED)
        await self._wake_waiting()
        await self._catch_up()

    async def _wake_waiting(self) -> None:
        """Another server begins by itself what it has just kept: only what has waited since the look before is free."""
        waiting = await recovery.with_work(self._store)
        for work in waiting:
            if self._store.database.is_ours_alone or work in self._waited:
                self.wake(work[0])
        self._waited = waiting

    async def keep_looking(self, every_s: float = LOOK_EVERY_S) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.look()
            except AWAY as error:
                log.warning("the sessions are looked after later: the database is away (%s)", type(error).__name__)
            except Exception:  # nobody else looks: next time
                log.exception("the sessions could not be looked after")

    async def close(self) -> None:
        """Turns that run are written down as interrupted."""
        tasks = [live.task for live in self._live.values() if live.task]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _runs(self, session_id: str) -> bool:
        live = self._live.get(session_id)
        return live is not None and live.task is not None

    def _of(self, session_id: str) -> Live:
        return self._live.setdefault(session_id, Live())

    def _forget(self, session_id: str, live: Live) -> None:
        if live.is_idle and self._live.get(session_id) is live:
            del self._live[session_id]


def _answer_ack(session_id: str, answered: Answered) -> Frame:
    errors = {"taken": "", "already": "already answered", "unknown": "no such open approval request"}
    return frames.post_ack("post_message", session_id, error=errors[answered.result])
