"""One exchange with a session: post or answer, then listen until it has ended. Reads and writes no rows.

After a lost line or a crash the history tells what already happened, so nothing is posted twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from gateway import history
from gateway.errors import AgentRefused, AgentUnavailable, SessionGone
from gateway.events import AgentStatus, Answer, ApprovalAsked, Deny, HistoryEntry, Replied, StatusChanged, TurnFailed
from gateway.history import Post, after_post
from gateway.listening import Asked, Listening, Patience
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


async def post(line: AgentLine, what: Post, look: Look, patience: Patience = PATIENCE) -> Outcome:
    """Post unless an earlier try did, and listen. Raises `AgentUnavailable`, and `SessionGone` when it is of no use.

    `AgentUnavailable` also when the platform was stopped before anything came of the post: the next try posts it again.
    """
    since = None if what.first_try else after_post(await line.history(), what)
    if since is None:
        outcome = await _post(line, what, look, patience)
    elif stops := history.only_stops(since):
        outcome = await _post_again(line, what, look, stops, patience)
    else:
        outcome = await _go_on(line, what, since, patience)
    if isinstance(outcome, TurnFailed) and outcome.resumable:
        raise AgentUnavailable("the agent server stopped in the middle of the turn")
    return await _whole(line, outcome)


async def answer(
    line: AgentLine, answers: Sequence[tuple[str, Answer]], what: Post, look: Look, patience: Patience = PATIENCE
) -> Outcome:
    """Answer a turn's requests (twice is safe), and listen to the rest of it. `what` is the turn's post.

    Raises `AgentUnavailable`, and `AgentRefused` when the platform does not take an answer.
    """
    ours = {request_id for request_id, _ in answers}
    since = after_post(await line.history(), what) or ()
    if (ended := history.ended(since, what.known)) is not None:
        return ended
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


async def _post(line: AgentLine, what: Post, look: Look, patience: Patience) -> Outcome:
    await _clear_the_way(line, what, look, patience)
    await look()
    try:
        await line.post(what.text, client_message_id=what.key)
    except AgentRefused as error:
        return NotTaken(str(error))
    return await Listening(line, what, patience).until_ended(patience.turn_s)


async def _post_again(
    line: AgentLine, what: Post, look: Look, stops: Sequence[TurnFailed], patience: Patience
) -> Outcome:
    """The platform knows the post by its key: it runs it again, and takes no second message."""
    if len(stops) >= MAX_STOPS:
        return replace(stops[-1], resumable=False)
    if line.status is not AgentStatus.PROCESSING:  # where it works, an earlier try has posted again
        await _clear_the_way(line, what, look, patience)
    await look()
    try:
        await line.post(what.text, client_message_id=what.key)
    except AgentRefused as error:
        return TurnFailed(message_id=stops[-1].message_id, error=str(error))
    known = {stop.message_id for stop in stops}
    return await Listening(line, what, patience, known=known, in_the_middle=True).until_ended(patience.turn_s)


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
    if line.status is AgentStatus.IDLE or (says_nothing and not what.abandoned):
        return
    entries = await line.history()
    if says_nothing and history.is_over(entries):
        return
    for request_id in history.open_requests(entries):
        await look()
        await line.answer(request_id, Deny(reason="UNANSWERED: this request is no longer known"))
    try:
        async with asyncio.timeout(patience.clear_s):
            async for event in line.events():
                if event == StatusChanged(status=AgentStatus.IDLE):
                    return
    except TimeoutError as error:
        raise SessionGone("the session is still busy with an earlier turn that was given up") from error


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
