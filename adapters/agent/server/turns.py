"""One turn of a session: runs the model, keeps what it says, then sends it; a client never saw what is lost."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.agent import frames
from adapters.agent.frames import Frame
from adapters.agent.server import calls, interruption, tables
from adapters.agent.server.database import patiently
from adapters.agent.server.definitions import AgentDefinition
from adapters.agent.server.liveness import AWAY
from adapters.agent.server.model_errors import showable
from adapters.agent.server.rows import CallState, Turn, new_id
from adapters.agent.server.runtime import (
    Approved,
    Asking,
    Denied,
    Finished,
    Paused,
    Run,
    RunEvent,
    Runtime,
    Said,
    Searched,
    Thought,
)
from adapters.agent.server.store import Store, add_message, agent_sender, held
from adapters.agent.server.tool_definitions import ToolDefinition
from adapters.agent.server.tools import Call, Toolbox, ToolFailed
from gateway.events import AgentStatus

log = logging.getLogger(__name__)

Send = Callable[[Frame], None]
"""To every client that is connected to the session. Never waits."""


class Taken(Exception):
    """Another server held that we died and ended our turn, or its session was erased: nothing more of it may begin."""


class RunningTurn:
    """Also the `ToolRunner` of its run: a tool call is shown when it really runs, with what it really runs on."""

    def __init__(
        self, store: Store, turn: Turn, definition: AgentDefinition, send: Send, expires_after: timedelta
    ) -> None:
        self._store = store
        self._turn = turn
        self._definition = definition
        self._send = send
        self._expires_after = expires_after
        self._text = turn.text
        self._index = turn.index

    async def play(self, runtime: Runtime) -> None:
        """Until the turn is over or parked; every way out of here but a lost database leaves it written.

        When it was taken from us, or its end is kept and we did not hear so, nothing of its end is sent.
        """
        run: Run | None = None
        try:
            await runtime.prepare(self._definition)
            run = runtime.run(self._definition, self, self._turn.history if self._remembers else None)
            await self._follow(run, await self._started(run))
        except asyncio.CancelledError:
            # Shielded: whoever stopped us waits for this to be written.
            await asyncio.shield(self._stop(run))
            raise
        except Taken:
            pass
        except AWAY as error:
            log.warning("a turn of agent %s lost the database: %s", self._definition.name, type(error).__name__)
            await patiently(lambda: self._stop(run))
        except Exception as error:  # noqa: BLE001  whatever a model raises ends its turn, not the session
            log.warning("a turn of agent %s failed: %s", self._definition.name, type(error).__name__)
            failed = showable(error)
            await patiently(lambda: self._fail(failed, run.history if run else None))

    @property
    def _remembers(self) -> bool:
        return self._definition.memory.session or bool(self._turn.answered)

    async def _started(self, run: Run) -> AsyncGenerator[RunEvent]:
        turn = self._turn
        if not turn.answered:
            return run.start(turn.contents)
        answers: dict[str, Approved | Denied] = {}
        for call in turn.answered:
            if call.arguments is not None:
                answers[call.tool_call_id] = Approved(call.arguments)
            else:
                answers[call.tool_call_id] = Denied(call.reason)
                content = self._call_content(call.tool_call_id, call.tool_name, "denied", {})
                await self._show(content)
        return run.resume(answers)

    async def _follow(self, run: Run, events: AsyncGenerator[RunEvent]) -> None:
        last: RunEvent | None = None
        async with aclosing(events):
            async for event in events:
                await self._take(event)
                last = event
        # Only now: leaving the run is what completes its history.
        match last:
            case Paused(calls=asked):
                await patiently(lambda: self._park(asked, run.history))
            case Finished() as finished:
                await patiently(lambda: self._complete(finished, run.history))
            case _:
                raise RuntimeError("the model's run ended without a result")

    async def _take(self, event: RunEvent) -> None:
        match event:
            case Said():
                self._say(event)
            case Thought(text=text):
                await self._show(frames.thinking(text))
            case Searched(query=query, results=results):
                await self._show(frames.search_message(query, results))

    def _say(self, said: Said) -> None:
        if said.starts and said.text and self._text and not self._text.endswith("\n\n"):
            self._delta("\n\n")
        self._delta(said.text)

    def _delta(self, text: str) -> None:
        if text:
            self._send(frames.message_delta(self._turn.session_id, self._turn.id, self._index, text))
            self._index += 1
            self._text += text

    async def _show(self, content: Frame) -> None:
        message = await patiently(lambda: self._store.say(self._turn, content))
        if message is None:
            raise Taken
        self._notify(message)

    async def _park(self, asked: Sequence[Asking], history: bytes | None) -> None:
        session_id, batch = self._turn.session_id, new_id("batch")
        async with self._store.database.writing() as db:
            if await held(db, self._turn, self._store.database.server_id) is None:
                return
            shown = [await self._ask(db, asking, batch) for asking in asked]
            parked = {"turn_index": self._index, "turn_text": self._text, "batch": batch, "history": history}
            session = update(tables.sessions).filter_by(id=session_id)
            await db.execute(session.values(**parked, status=AgentStatus.AWAITING_APPROVAL, owner=None))
        self._show_all(shown, AgentStatus.AWAITING_APPROVAL)

    async def _ask(self, db: AsyncConnection, asking: Asking, batch: str) -> Frame:
        tool_id = self._definition.tool_id(asking.tool_name)
        content = frames.tool_call_approval(
            asking.tool_call_id, tool_id, asking.tool_name, asking.arguments, asking.why
        )
        message = await add_message(db, self._turn.session_id, agent_sender(self._turn.agent), content)
        await calls.ask(
            db,
            session_id=self._turn.session_id,
            turn_id=self._turn.id,
            batch=batch,
            request_id=message["id"],
            content=content,
            expires_after=self._expires_after,
        )
        return message

    async def _complete(self, finished: Finished, history: bytes | None) -> None:
        usage = {"input_tokens": finished.input_tokens, "output_tokens": finished.output_tokens}
        message = await self._store.complete(self._turn, frames.complete(self._text, usage), history)
        self._end(None if message is None else [message])

    async def _fail(self, error: str, history: bytes | None) -> None:
        self._end(await self._store.fail(self._turn, error, history))

    async def _stop(self, run: Run | None) -> None:
        self._end(await interruption.stop(self._store.database, self._turn, run.history if run else None))

    def _end(self, shown: Sequence[Frame] | None) -> None:
        if shown:
            self._show_all(shown, AgentStatus.IDLE)

    def _show_all(self, shown: Sequence[Frame], status: AgentStatus) -> None:
        for message in shown:
            self._notify(message)
        self._send(frames.participant_status(self._turn.session_id, status))

    def _notify(self, message: Frame) -> None:
        self._send(frames.message_notification(self._turn.session_id, message))

    def _call_content(self, call_id: str, tool_name: str, status: str, given: Mapping[str, Any]) -> Frame:
        return frames.tool_call(call_id, self._definition.tool_id(tool_name), tool_name, status, given)

    # --- ToolRunner ---

    def call(self, tool_call_id: str) -> Call:
        key = f"{self._turn.id}:{tool_call_id}"
        return Call(self._store.database, self._definition, self._turn.session_id, key)

    async def run(
        self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any], toolbox: Toolbox
    ) -> dict[str, Any]:
        await self._begin(tool, tool_call_id, given)
        try:
            result = await toolbox.run(tool, self.call(tool_call_id), given)
        except ToolFailed as error:
            await self._finish(tool_call_id, CallState.FAILED, {"error": str(error)})
            raise
        await self._finish(tool_call_id, CallState.COMPLETED, result)
        self._send(
            frames.message_notification(
                self._turn.session_id,
                {"id": new_id("live"), "content": frames.tool_result(tool_call_id, tool.name, result)},
            )
        )
        if tool.searches_the_web:
            await self._show(frames.search_message(result["query"], result["results"]))
        return result

    async def _begin(self, tool: ToolDefinition, tool_call_id: str, given: Mapping[str, Any]) -> None:
        content = self._call_content(tool_call_id, tool.name, "in_progress", given)
        turn = self._turn
        async with self._store.database.writing() as db:
            if await held(db, turn, self._store.database.server_id) is None:
                raise Taken
            message = await add_message(db, turn.session_id, agent_sender(turn.agent), content)
            if not await calls.begin(db, turn.session_id, turn.id, content, message["id"]):
                raise ToolFailed("this call ran before, or may have: it is not run again")
        self._notify(message)

    async def _finish(self, tool_call_id: str, state: CallState, result: Mapping[str, Any]) -> None:
        turn = self._turn

        async def deed() -> Frame:
            async with self._store.database.writing() as db:
                return await calls.finish(db, turn.session_id, turn.id, tool_call_id, state, dict(result))

        self._notify(await patiently(deed))
