"""One exchange with a session: post or answer, then listen until it has ended. Reads and writes no rows.

After a lost line or a crash the history tells what already happened, so nothing is posted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from gateway import history
from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import AgentStatus, Answer, ApprovalAsked, HistoryEntry, Replied, StatusChanged, TurnFailed
from gateway.history import Post, after_post
from gateway.listening import NO_LONGER_KNOWN, Asked, Hear, Listening, Patience, unheard
from gateway.ports import AgentLine

MAX_STOPS = 5  # of one post; then it may be the post itself that stops the platform
PATIENCE = Patience()

Look = Callable[[], Awaitable[None]]
"""Raises `LaneLost` when the conversation has another owner: a post cannot be fenced, so it is preceded by a look."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The platform refused the post itself: it is not in the session."""

    error: str


Outcome = Replied | TurnFailed | Asked | NotTaken


async def post(
    line: AgentLine, what: Post, look: Look, patience: Patience = PATIENCE, *, hear: Hear = unheard
) -> Outcome:
    """Post unless an earlier try did, and listen. Raises `AgentUnavailable`, and `SessionGone` when it is of no use.

    Also `FileUnavailable`, where a file that goes with it cannot be had: nothing was posted then.

    `AgentUnavailable` also when the platform was stopped before anything came of the post: the next try posts it again.
    `hear` is given the pieces of a reply that is heard from its beginning.
    """
    since = None if what.first_try else after_post(await line.history(), what)
    if since is None:
        outcome = await _post(line, what, look, patience, hear)
    elif stops := history.only_stops(since):
        outcome = await _post_again(line, what, look, stops, patience, hear)
    else:
        outcome = await _go_on(line, what, since, patience)
    if isinstance(outcome, TurnFailed) and outcome.resumable:
        raise AgentUnavailable("the agent server stopped in the middle of the turn")
    return await _whole(line, outcome)


async def answer(
    line: AgentLine, answers: Sequence[tuple[str, Answer]], what: Post, look: Look, patience: Patience = PATIENCE
) -> Outcome:
    """Answer a turn's requests (twice is safe), and listen to the rest of it. `what` is the turn's post.

    Without answers the turn's requests were withdrawn at the platform: what became of it is heard.

    Raises `AgentUnavailable`, and `AgentRefused` when the platform does not take an answer.
    """
    ours = {request_id for request_id, _ in answers}
    since = after_post(await line.history(), what) or ()
    if (ended := history.ended(since, what.known)) is not None:
        return ended
    if not answers and line.status is AgentStatus.IDLE:
        return TurnFailed(message_id="", error="the agent platform gave the turn up")
    if not answers:
        return await _whole(line, await _go_on(line, what, since, patience))
    open_ones = history.open_requests([entry for entry in since if entry.message_id not in what.known])
    new = {request_id: asked for request_id, asked in open_ones.items() if request_id not in ours}
    if new and not ours & open_ones.keys():
        # An earlier try answered, and the turn has parked again since.
        return Asked(tuple(new.values()))
    for request_id, said in answers:
        await look()
        await line.answer(request_id, said)
    working = line.status is AgentStatus.PROCESSING
    listening = Listening(line, what, patience, asked=new, known=ours, in_the_middle=True, working=working)
    return await _whole(line, await listening.until_ended(patience.turn_s))


async def _post(line: AgentLine, what: Post, look: Look, patience: Patience, hear: Hear) -> Outcome:
    await _clear_the_way(line, what, look, patience)
    try:
        await _put(line, what, look)
    except AgentRefused as error:
        if line.status is AgentStatus.IDLE:  # it waited for nothing: the post itself is refused
            return NotTaken(str(error))
        if (ended := await _after_refusal(line, what, look, patience, str(error))) is not None:
            return ended
    return await Listening(line, what, patience, hear=hear).until_ended(patience.turn_s)


async def _put(line: AgentLine, what: Post, look: Look) -> None:
    files = await what.files()
    await look()
    await line.post(what.text, client_message_id=what.key, files=files)


async def _after_refusal(line: AgentLine, what: Post, look: Look, patience: Patience, why: str) -> Outcome | None:
    """A session that waits for approvals takes no post: they are this post's own, or nobody's and in its way.

    None: the way is clear now, and it is posted.
    """
    try:
        entries = await line.history()
        since = after_post(entries, what) or ()
        if history.open_requests(since):
            return await _go_on(line, what, since, patience)
        if not history.open_requests(entries):
            return NotTaken(why)
        await _end_what_runs(line, entries, look, patience)
        await _put(line, what, look)
    except AgentRefused:
        return NotTaken(why)
    return None


async def _post_again(
    line: AgentLine, what: Post, look: Look, stops: Sequence[TurnFailed], patience: Patience, hear: Hear
) -> Outcome:
    """The platform knows the post by its key: it runs it again, and takes no second message."""
    if len(stops) >= MAX_STOPS:
        return replace(stops[-1], resumable=False)
    if line.status is AgentStatus.PROCESSING:  # an earlier try has posted again, and the reply may have begun
        hear = unheard
    else:
        await _clear_the_way(line, what, look, patience)
    try:
        await _put(line, what, look)
    except AgentRefused as error:
        return TurnFailed(message_id=stops[-1].message_id, error=str(error))
    known = {stop.message_id for stop in stops}
    listening = Listening(line, what, patience, known=known, in_the_middle=True, hear=hear)
    return await listening.until_ended(patience.turn_s)


async def _go_on(line: AgentLine, what: Post, since: Sequence[HistoryEntry], patience: Patience) -> Outcome:
    if (ended := history.ended(since, what.known)) is not None:
        return ended
    asked = {name: one for name, one in history.open_requests(since).items() if name not in what.known}
    if asked and line.status is not AgentStatus.PROCESSING:
        return Asked(tuple(asked.values()))
    within_s = patience.begin_s if line.status is AgentStatus.IDLE else patience.turn_s
    working = line.status is AgentStatus.PROCESSING
    listening = Listening(line, what, patience, asked=asked, in_the_middle=True, working=working)
    return await listening.until_ended(within_s)


async def _clear_the_way(line: AgentLine, what: Post, look: Look, patience: Patience) -> None:
    """Let a turn that somebody gave up end first: what it still says must not pass for the answer to this post."""
    says_nothing = line.status is None
    idle = line.status is AgentStatus.IDLE or (says_nothing and not what.abandoned)
    if idle and what.doubtful is None:
        return
    entries = await line.history()
    if history.may_yet_come(entries, what):
        raise SessionGone("a post of a turn that was stopped may still be on its way there")
    if idle or (says_nothing and history.is_over(entries)):
        return
    await _end_what_runs(line, entries, look, patience)


async def _end_what_runs(line: AgentLine, entries: Sequence[HistoryEntry], look: Look, patience: Patience) -> None:
    """What the session still waits for is denied, and its turn is waited for."""
    for request_id in history.open_requests(entries):
        await look()
        await _withdraw(line, request_id)
    try:
        async with asyncio.timeout(patience.clear_s):
            async for event in line.events():
                if event == StatusChanged(status=AgentStatus.IDLE):
                    return
    except TimeoutError as error:
        raise SessionGone("the session is still busy with an earlier turn that was given up") from error


async def _withdraw(line: AgentLine, request_id: str) -> None:
    try:
        await line.answer(request_id, NO_LONGER_KNOWN)
    except AgentRefused as error:
        raise SessionGone("the session waits for an answer that it does not take") from error


async def _whole(line: AgentLine, outcome: Outcome) -> Outcome:
    """A request that came without its arguments has them from the history, where that has them."""
    if not isinstance(outcome, Asked) or all(one.arguments is not None for one in outcome.requests):
        return outcome
    try:
        told = {one.message_id: one for one in await line.history() if isinstance(one, ApprovalAsked)}
    except AgentRefused:
        return outcome
    return Asked(tuple(_with_arguments(one, told.get(one.message_id)) for one in outcome.requests))


def _with_arguments(asked: ApprovalAsked, told: ApprovalAsked | None) -> ApprovalAsked:
    if asked.arguments is not None or told is None:
        return asked
    return replace(asked, arguments=told.arguments)
