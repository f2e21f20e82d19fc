"""One exchange with a session: post or answer, then listen until it has ended. Reads and writes no rows.

After a lost line or a crash the history tells what already happened, so nothing is posted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway.errors import AgentUnavailable
from gateway.events import (
    AgentStatus,
    Answer,
    ApprovalAsked,
    HistoryEntry,
    Replied,
    StatusChanged,
    TurnFailed,
    UserPosted,
)
from gateway.ports import AgentLine

TURN_TIMEOUT_S = 600.0

Look = Callable[[], Awaitable[None]]
"""Raises `LaneLost` when the conversation has another owner: a post cannot be fenced, so it is preceded by a look."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The turn ended on these requests; it goes on when all are answered."""

    requests: tuple[ApprovalAsked, ...]


Outcome = Replied | TurnFailed | Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a turn puts into the session. `alike` is how often this text stands in its history already."""

    text: str
    key: str
    alike: int
    first_try: bool


async def post(line: AgentLine, what: Post, look: Look) -> Outcome:
    """Post unless an earlier try did, and listen. Raises `AgentUnavailable`, `AgentRefused`."""
    if not what.first_try:
        since = after_post(await line.history(), what)
        if since is not None:
            return await _go_on(line, since, known=frozenset())
    await look()
    await line.post(what.text, client_message_id=what.key)
    return await _listen(line, {}, known=frozenset())


async def answer(line: AgentLine, answers: Sequence[tuple[str, Answer]], what: Post, look: Look) -> Outcome:
    """Answer a turn's requests (twice is safe), and listen to the rest of it. `what` is the turn's post."""
    for request_id, said in answers:
        await look()
        await line.answer(request_id, said)
    known = frozenset(request_id for request_id, _ in answers)
    since = after_post(await line.history(), what)
    ended = _ended(since or (), known)
    return ended if ended is not None else await _listen(line, {}, known=known)


def after_post(history: Sequence[HistoryEntry], what: Post) -> Sequence[HistoryEntry] | None:
    """What followed this post, up to the next one. None: the session never got it.

    The same words may have been posted before, so it is the count that tells, not their mere presence.
    """
    same = [i for i, entry in enumerate(history) if isinstance(entry, UserPosted) and entry.text == what.text]
    if len(same) <= what.alike:
        return None
    rest = history[same[what.alike] + 1 :]
    following = next((i for i, entry in enumerate(rest) if isinstance(entry, UserPosted)), len(rest))
    return rest[:following]


async def _go_on(line: AgentLine, since: Sequence[HistoryEntry], known: frozenset[str]) -> Outcome:
    if (ended := _ended(since, known)) is not None:
        return ended
    asked = {entry.message_id: entry for entry in since if isinstance(entry, ApprovalAsked) and entry.open}
    if asked and line.status is not AgentStatus.PROCESSING:
        return Asked(tuple(asked.values()))
    if line.status is AgentStatus.IDLE:
        raise AgentUnavailable("the session is idle and has no answer yet")
    return await _listen(line, asked, known)


def _ended(since: Sequence[HistoryEntry], known: frozenset[str]) -> Replied | TurnFailed | None:
    return next((entry for entry in since if isinstance(entry, Replied | TurnFailed)), None)


async def _listen(line: AgentLine, asked: dict[str, ApprovalAsked], known: frozenset[str]) -> Outcome:
    try:
        async with asyncio.timeout(TURN_TIMEOUT_S):
            return await _until_ended(line, asked, known)
    except TimeoutError:
        return TurnFailed(message_id="", error=f"no reply within {TURN_TIMEOUT_S:.0f} s")


async def _until_ended(line: AgentLine, asked: dict[str, ApprovalAsked], known: frozenset[str]) -> Outcome:
    # An Idle before this turn's Processing belongs to the turn before it.
    working = False
    async for event in line.events():
        match event:
            case Replied() | TurnFailed():
                return event
            case ApprovalAsked() if event.message_id not in known:
                asked[event.message_id] = event
            case StatusChanged(status=AgentStatus.AWAITING_APPROVAL) if asked:
                return Asked(tuple(asked.values()))
            case StatusChanged(status=AgentStatus.PROCESSING):
                working = True
            case StatusChanged(status=AgentStatus.IDLE) if working:
                return TurnFailed(message_id="", error="the turn ended without a reply")
            case _:
                pass
    raise AgentUnavailable("the line to the agent ended")
