"""Shows that the agent is at work, and a reply while it is written, where the channel can.

Decoration: it slows no listening and fails no turn.
Only beginnings are shown here: a reply's end goes through the outbox like any other, as a `Say` that `replaces` this.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from gateway.errors import LaneLost, TryLater, WillNeverArrive
from gateway.events import Delta, Identity, ThreadRef
from gateway.ports import Clock, LiveReplies
from gateway.store import Store, Tx, lanes, turns
from gateway.store.lanes import Lane
from gateway.store.store import DATABASE_AWAY
from gateway.store.tables import ConversationRow, TurnRow

log = logging.getLogger(__name__)

MAX_SHOWN = 3_000  # characters of a reply that is still written; the rest comes with its end
END_S = 20.0  # for a write under way when the turn ends: done later, it would undo the end of the reply
CUT_OFF_S = 2.0  # the same, when the turn was cut off: its reply is not said now
LEAVE_S = 1.0  # for taking back what was shown of a turn that was cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How a reply grows, and when the agent is said to be at work."""

    works_after_s: float = 0.5
    opens_after_s: float = 1.0  # what is said sooner is simply said
    every_s: float = 1.2
    within: timedelta = timedelta(minutes=4)  # Slack's own streams die after five
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


GROWTH = Growth()


class Live:
    def __init__(
        self, store: Store, channels: Mapping[str, LiveReplies], clock: Clock, growth: Growth = GROWTH
    ) -> None:
        """`channels`: those that can show a reply growing."""
        self.store = store
        self.channels = channels
        self.clock = clock
        self.growth = growth

    @contextlib.asynccontextmanager
    async def showing(self, lane: Lane, turn: TurnRow, asked_by: Identity | None = None) -> AsyncIterator["Showing"]:
        """Shows what the yielded one hears. Once left, nothing more is written: the ending has the last word."""
        showing = Showing(self, lane, turn, asked_by)
        showing.begin()
        try:
            yield showing
        except BaseException:
            await showing.end(CUT_OFF_S)
            await showing.leave(LEAVE_S)
            raise
        await showing.end(END_S)


class Showing:
    """One turn's reply. Keeps nothing but the newest text, however slow the channel is."""

    def __init__(self, live: Live, lane: Lane, turn: TurnRow, asked_by: Identity | None) -> None:
        self.handle = turn.live_handle or ""  # of the message that shows it; empty: none does
        self._live = live
        self._lane = lane
        self._turn = turn
        self._asked_by = asked_by
        self._speaking = ""
        self._text = ""
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._status: asyncio.Task[None] | None = None
        self._to: ThreadRef | None = None  # where it is shown, once that was looked up
        self._says_at_work = False

    def begin(self) -> None:
        """The agent is at work; said in a while, if nothing else is."""
        if self._live.channels:
            self._status = asyncio.create_task(self._run(self._say_at_work))

    def hear(self, delta: Delta) -> None:
        """One more piece. Another message begins anew, in the same place."""
        if not self._live.channels:
            return
        if delta.message_id != self._speaking:
            self._speaking, self._text = delta.message_id, ""
        new = delta.text[: MAX_SHOWN - len(self._text)]
        if not new:
            return
        self._text += new
        self._news.set()
        self._task = self._task or asyncio.create_task(self._run(self._grow))

    async def end(self, within_s: float) -> None:
        """Returns when nothing more will be written; a write under way is waited for."""
        await self._end_status()
        if self._task is None:
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s), self._writing:
                    self._task.cancel()
        finally:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def leave(self, within_s: float) -> None:
        """Nobody will end this soon, or ever: nothing shows any more that something is to come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._run(self._leave)

    async def _leave(self) -> None:
        # Without a look: whoever has the lane now loses nothing by it.
        channel = self._live.channels.get(self._to.channel) if self._to else None
        if self._to is None or channel is None:
            return
        if self._says_at_work:
            await channel.working(self._to, False)
        if self._task is not None and self.handle:
            await channel.rest(self._to, self.handle)

    async def _run(self, deed: Callable[[], Awaitable[None]]) -> None:
        try:
            await deed()
        except LaneLost:
            log.info("the reply is another owner's to show")
        except (TryLater, WillNeverArrive) as error:
            log.info("the reply is shown no further: %s", error)
        except DATABASE_AWAY as error:
            log.warning("the reply is shown no further: %s", type(error).__name__)
        except Exception:
            # Decoration: the reply itself is heard, kept and sent without it.
            log.exception("the reply is shown no further")

    async def _say_at_work(self) -> None:
        await self._live.growth.sleep(self._live.growth.works_after_s)
        to, channel = await self._where()
        if channel is not None and not self.handle:
            self._says_at_work = True
            await channel.working(to, True)

    async def _end_status(self) -> None:
        if self._status is not None:
            self._status.cancel()
            await asyncio.gather(self._status, return_exceptions=True)

    async def _grow(self) -> None:
        clock, growth = self._live.clock, self._live.growth
        await growth.sleep(growth.opens_after_s)
        until = clock() + growth.within
        while clock() < until:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout((until - clock()).total_seconds()):
                    await self._news.wait()
            if not self._news.is_set() or clock() >= until:
                continue
            self._news.clear()
            async with self._writing:
                if self._text.strip() and not await self._write():
                    return
            await growth.sleep(growth.every_s)
        if self.handle:
            async with self._writing:
                to, channel = await self._where()
                if channel is not None:
                    await channel.rest(to, self.handle)

    async def _write(self) -> bool:
        """False: the reply is not shown here."""
        to, channel = await self._where()
        if channel is None:
            return False
        if self.handle:
            await channel.grow(to, self.handle, self._text)
            return True
        await self._end_status()  # said after the beginning, it would stand below the reply
        self.handle = await channel.open(to, self._text, self._asked_by) or ""
        if self.handle:
            await self._live.store.write(self._save)
        return bool(self.handle)

    async def _where(self) -> tuple[ThreadRef, LiveReplies | None]:
        conversation = await self._live.store.read(self._look)
        self._to = to = ThreadRef(conversation.channel, conversation.account, conversation.thread_key)
        return to, self._live.channels.get(conversation.channel)

    async def _look(self, db: AsyncSession) -> ConversationRow:
        """Where to; a fresh look before what cannot be fenced. Raises `LaneLost`."""
        await lanes.look(db, self._lane)
        return await lanes.conversation(db, self._lane.conversation_id)

    async def _save(self, tx: Tx) -> None:
        # Before the next write: whoever ends this turn after a crash then ends this message too.
        await lanes.hold(tx, self._lane)
        await turns.shown(tx, self._turn.id, self.handle)
