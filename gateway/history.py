"""What a session's history says of one post: whether it was taken, and what came of it. Pure."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from gateway.events import ApprovalAsked, HistoryEntry, Replied, TurnFailed, UserPosted
from gateway.ports import Blob

Files = Callable[[], Awaitable[Sequence[Blob]]]


async def no_files() -> Sequence[Blob]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a turn puts into the session. `alike` is how often this text stands in its history already.

    `known`: ids of messages that belong to earlier turns, or are dealt with. `abandoned`: the turn before was given up
    while the platform may still have been at work on it; `doubtful`: its text and how often that stood there before it,
    where it may never have been posted, or may yet arrive. `files` are what goes with it, brought when it is posted.
    """

    text: str
    key: str
    alike: int
    first_try: bool
    known: frozenset[str] = frozenset()
    abandoned: bool = False
    doubtful: tuple[str, int] | None = None
    files: Files = no_files


def after_post(history: Sequence[HistoryEntry], what: Post) -> Sequence[HistoryEntry] | None:
    """What followed this post, up to the next one. None: the session never got it.

    The same words may have been posted before, so it is the count that tells, not their mere presence: `history` is the
    whole of it, from the session's beginning.
    """
    same = _places(history, what.text)
    if len(same) <= what.alike:
        return None
    rest = _after_files(history[same[what.alike] + 1 :])
    following = next((i for i, entry in enumerate(rest) if isinstance(entry, UserPosted)), len(rest))
    return rest[:following]


def may_yet_come(history: Sequence[HistoryEntry], what: Post) -> bool:
    """Was a turn given up before this one whose post is not there? On its way, it would take this one's place."""
    if what.doubtful is None:
        return False
    text, before = what.doubtful
    return len(_places(history, text)) <= before


def _after_files(rest: Sequence[HistoryEntry]) -> Sequence[HistoryEntry]:
    """Without the files at its beginning: they came with the text before them."""
    first = next(
        (i for i, entry in enumerate(rest) if not (isinstance(entry, UserPosted) and entry.is_file)), len(rest)
    )
    return rest[first:]


def _places(history: Sequence[HistoryEntry], text: str) -> list[int]:
    return [i for i, entry in enumerate(history) if isinstance(entry, UserPosted) and entry.text == text]


def ended(since: Sequence[HistoryEntry], known: Collection[str] = ()) -> Replied | TurnFailed | None:
    """The end of a turn. A failure after which it may go on is an end only where it is the last word."""
    new = [entry for entry in since if entry.message_id not in known]
    for at, entry in enumerate(new, 1):
        if _is_passing(entry):
            if at == len(new):
                return replace(entry, resumable=False)  # something came before it: it is not for posting again
        elif isinstance(entry, Replied | TurnFailed):
            return entry
    return None


def only_stops(since: Sequence[HistoryEntry]) -> Sequence[TurnFailed]:
    """The resumable failures after a post, when nothing else came of it."""
    stops = [entry for entry in since if isinstance(entry, TurnFailed) and entry.resumable]
    return stops if len(stops) == len(since) else ()


def open_requests(since: Sequence[HistoryEntry]) -> dict[str, ApprovalAsked]:
    """By message id."""
    return {entry.message_id: entry for entry in since if isinstance(entry, ApprovalAsked) and entry.open}


def is_over(history: Sequence[HistoryEntry]) -> bool:
    """Did something come of the last post, so that the session is free?"""
    posts = [i for i, entry in enumerate(history) if isinstance(entry, UserPosted)]
    return not posts or ended(history[posts[-1] + 1 :]) is not None


def _is_passing(entry: HistoryEntry) -> TypeGuard[TurnFailed]:
    return isinstance(entry, TurnFailed) and (entry.resumable or entry.reauthorize)
