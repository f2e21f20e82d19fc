"""One exchange with a session: post or answer, then listen until it has ended. Reads and writes no rows.

After a lost line or a crash the history tells what already happened, so nothing is posted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import (
    AgentStatus,
    Answer,
    ApprovalAsked,
    Deny,
    HistoryEntry,
    Replied,
    StatusChanged,
    TurnFailed,
    UserPosted,
)
from gateway.ports import AgentLine

TURN_TIMEOUT_S = 600.0
CLEAR_TIMEOUT_S = 60.0  # for what is left of a turn that was given up; then the session is left to itself
IDLE_GRACE_S = 10.0  # an acknowledged post that the platform has not begun yet
MAX_STOPS = 5  # of one post; then it may be the post itself that stops the platform

Look = Callable[[], Awaitable[None]]
"""Raises `LaneLost` when the conversation has another owner: a post cannot be fenced, so it is preceded by a look."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The turn ended on these requests; it goes on when all are answered."""

    requests: tuple[ApprovalAsked, ...]


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The platform refused the post itself: it is not in the session."""

    error: str


Outcome = Replied | TurnFailed | Asked | NotTaken


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a turn puts into the session. `alike` is how often this text stands in its history already."""

    text: str
    key: str
    alike: int
    first_try: bool


async def post(line: AgentLine, what: Post, look: Look) -> Outcome:
    """Post unless an earlier try did, and listen. Raises `AgentUnavailable`, and `SessionGone` when it is of no use.

    `AgentUnavailable` also when the platform was stopped before anything came of the post: the next try posts it again.
    """
    since = None if what.first_try else after_post(await line.history(), what)
    if since is None:
        outcome = await _post(line, what, look)
    elif stops := _only_stops(since):
        outcome = await _post_again(line, what, look, stops)
    else:
        outcome = await _go_on(line, since)
    if isinstance(outcome, TurnFailed) and outcome.resumable:
        raise AgentUnavailable("the agent server stopped in the middle of the turn")
    return outcome


async def answer(line: AgentLine, answers: Sequence[tuple[str, Answer]], what: Post, look: Look) -> Outcome:
    """Answer a turn's requests (twice is safe), and listen to the rest of it. `what` is the turn's post.

    Raises `AgentUnavailable`, and `AgentRefused` when the platform does not take an answer.
    """
    ours = {request_id for request_id, _ in answers}
    since = after_post(await line.history(), what) or ()
    if (ended := _ended(since)) is not None:
        return ended
    open_ones = {entry.message_id: entry for entry in since if isinstance(entry, ApprovalAsked) and entry.open}
    new = {request_id: asked for request_id, asked in open_ones.items() if request_id not in ours}
    if new and not ours & open_ones.keys():
        # An earlier try answered, and the turn has parked again since.
        return Asked(tuple(new.values()))
    for request_id, said in answers:
        await look()
        await line.answer(request_id, said)
    return await _listen(line, new, known=ours)


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


async def _post(line: AgentLine, what: Post, look: Look) -> Outcome:
    await _clear_the_way(line, look)
    await look()
    try:
        await line.post(what.text, client_message_id=what.key)
    except AgentRefused as error:
        return NotTaken(str(error))
    return await _listen(line, {})


async def _post_again(line: AgentLine, what: Post, look: Look, stops: Sequence[TurnFailed]) -> Outcome:
    """The platform knows the post by its key: it runs it again, and takes no second message."""
    if len(stops) >= MAX_STOPS:
        return replace(stops[-1], resumable=False)
    if line.status is not AgentStatus.PROCESSING:  # where it works, an earlier try has posted again
        await _clear_the_way(line, look)
    await look()
    try:
        await line.post(what.text, client_message_id=what.key)
    except AgentRefused as error:
        return TurnFailed(message_id=stops[-1].message_id, error=str(error))
    return await _listen(line, {}, known={stop.message_id for stop in stops})


async def _go_on(line: AgentLine, since: Sequence[HistoryEntry]) -> Outcome:
    if (ended := _ended(since)) is not None:
        return ended
    asked = {entry.message_id: entry for entry in since if isinstance(entry, ApprovalAsked) and entry.open}
    if asked and line.status is not AgentStatus.PROCESSING:
        return Asked(tuple(asked.values()))
    return await _listen(line, asked, within_s=IDLE_GRACE_S if line.status is AgentStatus.IDLE else TURN_TIMEOUT_S)


async def _clear_the_way(line: AgentLine, look: Look) -> None:
    """Let a turn that somebody gave up end first: what it still says must not pass for the answer to this post."""
    if line.status in (None, AgentStatus.IDLE):
        return
    for entry in await line.history():
        if isinstance(entry, ApprovalAsked) and entry.open:
            await look()
            await line.answer(entry.message_id, Deny(reason="UNANSWERED: this request is no longer known"))
    try:
        async with asyncio.timeout(CLEAR_TIMEOUT_S):
            async for event in line.events():
                if event == StatusChanged(status=AgentStatus.IDLE):
                    return
    except TimeoutError as error:
        raise SessionGone("the session is still busy with an earlier turn that was given up") from error


def _ended(since: Sequence[HistoryEntry]) -> Replied | TurnFailed | None:
    """A resumable failure is an end only where it is the last word: what follows it is another run's."""
    for at, entry in enumerate(since, 1):
        if _is_stop(entry):
            if at == len(since):
                return replace(entry, resumable=False)  # something came before it: it is not for posting again
        elif isinstance(entry, Replied | TurnFailed):
            return entry
    return None


def _only_stops(since: Sequence[HistoryEntry]) -> Sequence[TurnFailed]:
    """The resumable failures after a post, when nothing else came of it."""
    stops = [entry for entry in since if _is_stop(entry)]
    return stops if len(stops) == len(since) else ()


def _is_stop(entry: HistoryEntry) -> TypeGuard[TurnFailed]:
    return isinstance(entry, TurnFailed) and entry.resumable


async def _listen(
    line: AgentLine,
    asked: dict[str, ApprovalAsked],
    known: set[str] | frozenset[str] = frozenset(),
    within_s: float = TURN_TIMEOUT_S,
) -> Outcome:
    try:
        async with asyncio.timeout(within_s):
            return await _until_ended(line, asked, known)
    except TimeoutError:
        return TurnFailed(message_id="", error=f"no reply within {within_s:.0f} s")


async def _until_ended(line: AgentLine, asked: dict[str, ApprovalAsked], known: set[str] | frozenset[str]) -> Outcome:
    # An Idle before this turn's Processing belongs to the turn before it.
    working = False
    async for event in line.events():
        match event:
            case Replied() | TurnFailed() if event.message_id not in known:
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
