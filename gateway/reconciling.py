"""Compares what the platform says of parked turns with our rows: at the start, and now and then. Posts nothing.

A few turns at a time, under a lease. What the rows lack is adopted; what the platform has forgotten is withdrawn, and
the lane then learns from the session's history what became of the turn; what is nobody's is denied as unanswered.
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import tool_schemas
from gateway.approvals import Approvals
from gateway.endings import Endings
from gateway.errors import AgentRefused, LaneLost, SessionGone, TryLater
from gateway.events import AgentStatus, ApprovalAsked, HistoryEntry
from gateway.history import Post, after_post, open_requests
from gateway.listening import NO_LONGER_KNOWN
from gateway.ports import AgentLine, AgentPlatform, Clock
from gateway.store import Store, lanes, leases, requests, turns
from gateway.store.tables import ApprovalRow, ConversationRow, TurnRow
from gateway.turns import post_of

log = logging.getLogger(__name__)

AT_ONCE = 5
EVERY = timedelta(minutes=30)
AGAIN = timedelta(minutes=1)  # when an agent was away
LEASE = timedelta(seconds=30)  # looked at twice does no harm
WITHIN_S = 15.0  # for one session
FORGOTTEN = "the agent platform does not wait for it any more"


@dataclass(frozen=True, slots=True)
class Differences:
    """`unknown` is to be adopted, `nobodys` to be denied, `forgotten` to be withdrawn."""

    unknown: Sequence[ApprovalAsked]
    nobodys: Sequence[str]
    forgotten: Sequence[ApprovalRow]


def compare(
    entries: Sequence[HistoryEntry], status: AgentStatus | None, what: Post, rows: Sequence[ApprovalRow], turn_id: int
) -> Differences:
    """`rows`: our requests of this session that are open, or of this turn; read before the history was. Pure."""
    since = after_post(entries, what)
    ours, open_there = {row.request_message_id for row in rows}, open_requests(entries)
    unknown = {name: one for name, one in open_requests(since or ()).items() if name not in ours | what.known}
    told = {entry.message_id for entry in entries if isinstance(entry, ApprovalAsked)}
    # A platform that does not say what it is doing may keep its requests out of the history.
    silent = since is not None and status in (None, AgentStatus.AWAITING_APPROVAL)
    return Differences(
        unknown=tuple(unknown.values()),
        nobodys=[name for name in open_there if name not in ours and name not in unknown],
        forgotten=[
            row
            for row in rows
            if row.turn_id == turn_id
            and row.state == "pending"
            and row.request_message_id not in open_there
            and (row.request_message_id in told or not silent)
        ],
    )


class Reconciling:
    def __init__(
        self, store: Store, platform: AgentPlatform, approvals: Approvals, endings: Endings, clock: Clock
    ) -> None:
        self._store = store
        self._platform = platform
        self._approvals = approvals
        self._endings = endings
        self._clock = clock
        self._holder = uuid.uuid4().hex
        self._left: list[int] = []  # turns of this round
        self._rests_until: datetime | None = None
        self._missed = False  # somebody was away in this round

    async def look(self) -> None:
        """At a few parked turns: at all of them after a start, and each half hour. Safe to call at any time, twice."""
        now = self._clock()
        if await self._store.write(lambda tx: leases.take(tx, "reconciling", self._holder, now, now + LEASE)) is None:
            self._left, self._rests_until = [], None
            return
        if self._rests_until is not None and now < self._rests_until:
            return
        if not self._left:
            self._left, self._missed = await self._store.survey(turns.parked), False
        for _ in range(min(AT_ONCE, len(self._left))):
            if not await self._one(self._left.pop(0)):
                self._missed = True
                self._rests_until = now + AGAIN  # the others may be away too
                return
        self._rests_until = None if self._left else now + (AGAIN if self._missed else EVERY)

    async def _one(self, turn_id: int) -> bool:
        """False: the platform cannot be asked at the moment."""
        turn = await self._store.read(lambda db: turns.get(db, turn_id))
        if (await self._conversation(turn)).parked_turn_id != turn.id or not turn.posted_text:
            return True  # it went on; or its words are not kept any more, and nothing can be told by them
        rows = await self._store.read(lambda db: requests.of_session(db, turn.session_id, turn.id))
        try:
            async with asyncio.timeout(WITHIN_S), self._platform.attach(turn.session_id) as line:
                found = await self._differences(line, turn, rows)
                await self._deny(line, turn, found.nobodys)
        except SessionGone as gone:
            await self._withdraw([row for row in rows if row.turn_id == turn.id], str(gone))
            return True
        except LaneLost:
            return True  # the turn goes on: who owns it sees for itself
        except (AgentRefused, TryLater, TimeoutError) as error:
            log.warning("a parked session could not be looked at: %s", error or type(error).__name__)
            return False
        await self._withdraw(found.forgotten, FORGOTTEN)
        await self._adopt(turn, found.unknown)
        return True

    async def _differences(self, line: AgentLine, turn: TurnRow, rows: Sequence[ApprovalRow]) -> Differences:
        before = await self._store.read(lambda db: turns.before(db, turn))
        return compare(await line.history(), line.status, post_of(turn, before, first_try=False), rows, turn.id)

    async def _deny(self, line: AgentLine, turn: TurnRow, names: Sequence[str]) -> None:
        for name in names:
            if (await self._conversation(turn)).parked_turn_id != turn.id:
                raise LaneLost("the turn goes on")
            try:
                await line.answer(name, NO_LONGER_KNOWN)
            except AgentRefused as error:
                log.warning("a request that is nobody's cannot be denied: %s", error)

    async def _withdraw(self, rows: Sequence[ApprovalRow], why: str) -> None:
        for row in rows:
            log.warning("request %s is not known at the agent platform any more and is withdrawn", row.id)
            await self._store.write(lambda tx, row=row: self._approvals.withdraw(tx, row.id, why))  # type: ignore[misc]

    async def _adopt(self, turn: TurnRow, unknown: Sequence[ApprovalAsked]) -> None:
        if not unknown:
            return
        log.warning("%s request(s) of turn %s were not known here and are adopted", len(unknown), turn.id)
        asked = await tool_schemas.told(self._platform, (await self._conversation(turn)).agent, unknown)
        await self._store.write(lambda tx: self._endings.adopt(tx, turn.id, asked))

    async def _conversation(self, turn: TurnRow) -> ConversationRow:
        return await self._store.read(lambda db: lanes.conversation(db, turn.conversation_id))
