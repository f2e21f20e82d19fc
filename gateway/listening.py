"""Listens to a session until a turn has ended. Where frames stay away, the history tells. Posts and answers nothing.

A platform may lose frames, and several servers behind one address may each know only their own: so the history is read
when nothing came for a while, when what came makes no sense, and before a turn is given up.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from gateway import history
from gateway.errors import AgentRefused, AgentUnavailable
from gateway.events import AgentEvent, AgentStatus, ApprovalAsked, Delta, Deny, Replied, StatusChanged, TurnFailed
from gateway.history import Post
from gateway.ports import AgentLine

log = logging.getLogger(__name__)

NO_LONGER_KNOWN = Deny(reason="UNANSWERED: this request is no longer known")

Hear = Callable[[Delta], None]
"""Takes a piece of the reply, and returns at once."""


def unheard(delta: Delta) -> None:
    """For a reply that is not shown while it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long is waited, in seconds."""

    turn_s: float = 600.0
    clear_s: float = 60.0  # for what is left of a turn that was given up; then the session is left to itself
    begin_s: float = 10.0  # an acknowledged post that the platform has not begun yet
    reread_s: float = 20.0  # of silence; then the history is read


@dataclass(frozen=True, slots=True)
class Asked:
    """The turn ended on these requests; it goes on when all are answered."""

    requests: tuple[ApprovalAsked, ...]


Ended = Replied | TurnFailed | Asked


class Listening:
    def __init__(
        self,
        line: AgentLine,
        what: Post,
        patience: Patience,
        *,
        asked: dict[str, ApprovalAsked] | None = None,
        known: Collection[str] = (),
        in_the_middle: bool = False,
        working: bool = False,
        hear: Hear = unheard,
    ) -> None:
        """`asked` is open already; what is `known`, here or of the post, is not heard once more.

        `in_the_middle`: the turn's own Processing may have come before we listened; `working`: it has.
        `hear` is given the reply's pieces: only of use where they are heard from the first one on.
        """
        self._line = line
        self._what = what
        self._patience = patience
        self._asked = asked or {}
        self._known = frozenset(known) | what.known
        self._may_be_anothers = what.abandoned and not in_the_middle
        self._working = working
        self._hear_piece = hear
        self._withdrawn = False  # a request of the turn before: what follows, up to an Idle, is that turn's
        self._idle = False  # since it worked
        self._looked_since = False
        self._look = False  # at the history, at once
        self._speaking = ""

    async def until_ended(self, within_s: float) -> Ended:
        """Raises `AgentUnavailable` when the line is lost."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    ended = await self._hear() or await self._read()
                    if ended is not None:
                        return ended
        except TimeoutError:
            # With the id it speaks under: what it says later is then known to be this turn's.
            late = TurnFailed(message_id=self._speaking, error=f"no reply within {within_s:.0f} s")
            return await self._read() or late

    async def _hear(self) -> Ended | None:
        """None: nothing came for a while, or what came asks for a look at the history."""
        loop, most_s = asyncio.get_running_loop(), self._patience.begin_s if self._idle else self._patience.reread_s
        try:
            async with asyncio.timeout(most_s) as silence:
                async for event in self._line.events():
                    silence.reschedule(loop.time() + most_s)
                    if isinstance(event, ApprovalAsked) and self._may_be_anothers and self._is_new(event.message_id):
                        await self._withdraw(event)
                        continue
                    ended = self._take(event)
                    if ended is not None or self._look:
                        self._look = False
                        return ended
        except TimeoutError:
            return None
        raise AgentUnavailable("the line to the agent ended")

    async def _withdraw(self, asked: ApprovalAsked) -> None:
        """A turn that was given up still asks: it must not keep this one waiting, nor pass for it."""
        try:
            await self._line.answer(asked.message_id, NO_LONGER_KNOWN)
        except AgentRefused as error:
            log.warning("a request of a turn that was given up cannot be withdrawn: %s", error)
        self._withdrawn = True

    def _take(self, event: AgentEvent) -> Ended | None:
        # An Idle before this turn's Processing belongs to the turn before it.
        match event:
            case Replied() | TurnFailed() if not self._may_be_anothers and self._is_new(event.message_id):
                return event
            case ApprovalAsked() if self._is_new(event.message_id):
                self._asked[event.message_id] = event
            case Delta() if not self._may_be_anothers and self._is_new(event.message_id):
                self._speaking = event.message_id
                self._hear_piece(event)
            case StatusChanged(status=AgentStatus.AWAITING_APPROVAL):
                self._look = self._working and not self._asked
                return Asked(tuple(self._asked.values())) if self._asked else None
            case StatusChanged(status=AgentStatus.IDLE) if self._withdrawn:
                self._withdrawn = False
            case StatusChanged(status=AgentStatus.PROCESSING) if not self._withdrawn:
                self._working, self._may_be_anothers = True, False
                self._idle = self._looked_since = False
            case StatusChanged(status=AgentStatus.IDLE) if self._working and not self._idle:
                self._idle = self._look = True
            case _:
                pass
        return None

    def _is_new(self, message_id: str) -> bool:
        return message_id not in self._known

    async def _read(self) -> Ended | None:
        """What the history says has become of the turn. None: nothing yet."""
        try:
            since = history.after_post(await self._line.history(), self._what) or ()
        except AgentRefused as error:
            log.warning("the history cannot be asked: %s", error)
            since = ()
        if (ended := history.ended(since, self._known)) is not None:
            return ended
        still_open = history.open_requests(since)
        closed = {entry.message_id for entry in since if isinstance(entry, ApprovalAsked) and not entry.open}
        asked = {name: one for name, one in (still_open | self._asked).items() if name not in closed}
        self._asked = {name: one for name, one in asked.items() if self._is_new(name)}
        if self._asked:
            return Asked(tuple(self._asked.values()))
        if self._looked_since:
            return TurnFailed(message_id=self._speaking, error="the turn ended without a reply")
        # Once more in a moment: an Idle may be an earlier turn's, and a history may be late.
        self._looked_since = self._idle
        return None
