"""Messages that Slack shows streaming. What was appended is not taken back, so only what is settled is appended.

Slack ends a stream about five minutes after its start, and whenever a person presses stop.
"""

import contextlib
import logging
from datetime import timedelta
from typing import Any

from adapters.slack.budget import Budget, Refusals
from adapters.slack.markdown import neutral, settled
from adapters.slack.refusals import refusals, word
from adapters.slack.workspaces import Workspaces
from gateway.errors import KeyRefused, TryLater, Uncertain, WillNeverArrive
from gateway.events import Identity, ThreadRef
from gateway.ports import Clock, Pace

log = logging.getLogger(__name__)

STARTS = Pace(timedelta(seconds=6), burst=5)  # of 20 a minute, and as many stops
APPENDS = Pace(timedelta(seconds=1), burst=10)  # of 100 a minute
MARK = ":stream"  # at the end of a handle
MAX_OPEN = 1_000  # far more than the budget lets be open at once


class Streams:
    """The streams that this process has opened, with what stands in each of them."""

    def __init__(self, workspaces: Workspaces, clock: Clock) -> None:
        self._workspaces = workspaces
        self._starts, self._appends = Budget(STARTS, clock), Budget(APPENDS, clock)
        self._shown: dict[str, str] = {}
        self._refusals = Refusals(clock)

    async def start(self, to: ThreadRef, text: str, asked_by: Identity | None) -> str | None:
        """The handle; None: not here, not now, or not with so little text. Raises `TryLater`: it may stand there."""
        channel, _, thread = to.key.partition(":")
        shown = neutral(settled(text))
        if not (thread and shown.strip()) or self._refusals.holds(to) or not self._starts.spend():
            return None
        call: dict[str, Any] = {"channel": channel, "thread_ts": thread, "markdown_text": shown}
        if asked_by is not None:
            call |= {"recipient_user_id": asked_by.address, "recipient_team_id": asked_by.account or None}
        client = await self._workspaces.of(to.account)
        try:
            with refusals():
                answer = await client.chat_startStream(**call)
        except Uncertain as error:
            raise TryLater(str(error)) from error
        except (WillNeverArrive, KeyRefused) as error:
            log.info("a reply is not streamed, but changed again and again: %s", error)
            self._refusals.note(to, word(error))
            return None
        except TryLater as error:
            self._starts.hold_back(error)
            return None
        handle = f"{answer['channel']}:{answer['ts']}{MARK}"
        self._note(handle, shown)
        return handle

    async def append(self, to: ThreadRef, handle: str, text: str) -> None:
        """What is new and settled. Where what stands there is not its beginning, its end must mend it.

        Raises `TryLater` or `WillNeverArrive` when nothing more can be appended.
        """
        before, now = self._shown.get(handle), neutral(settled(text))
        if before is None or not now.startswith(before) or now == before or not self._appends.spend():
            return
        channel, ts = _place(handle)
        client = await self._workspaces.of(to.account)
        try:
            with refusals():
                await client.chat_appendStream(channel=channel, ts=ts, markdown_text=now[len(before) :])
        except Uncertain as error:
            raise TryLater(str(error)) from error
        except TryLater as error:
            self._appends.hold_back(error)
            return
        self._note(handle, now)

    async def ended(self, to: ThreadRef, handle: str) -> str:
        """The handle as that of any message: it streams no more, or cannot be stopped. Twice is safe."""
        if not is_one(handle):
            return handle
        self._shown.pop(handle, None)
        channel, ts = _place(handle)
        # It may have died, or somebody has stopped it. Where Slack is busy, the change that follows says so.
        with contextlib.suppress(WillNeverArrive, TryLater, Uncertain), refusals():
            await (await self._workspaces.of(to.account)).chat_stopStream(channel=channel, ts=ts)
        return handle.removesuffix(MARK)

    def _note(self, handle: str, shown: str) -> None:
        self._shown[handle] = shown
        if len(self._shown) > MAX_OPEN:
            del self._shown[next(iter(self._shown))]


def is_one(handle: str) -> bool:
    return handle.endswith(MARK)


def _place(handle: str) -> tuple[str, str]:
    channel, _, ts = handle.removesuffix(MARK).partition(":")
    return channel, ts
