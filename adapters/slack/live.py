"""Shows a reply growing in Slack: one message, changed again and again. Its end is `SlackChannel.send`.

Never at the expense of what must arrive: it takes no more than its share of what a workspace bears, and skips the rest.
"""

from datetime import datetime, timedelta

from adapters.slack import render
from adapters.slack.posts import Posts
from gateway.errors import TryLater, Uncertain
from gateway.events import ThreadRef
from gateway.ports import Clock, Pace

SHARE = Pace(timedelta(seconds=2), burst=10)  # of the 50 chat.update a minute that Slack grants an app in a workspace
LIMITED = timedelta(seconds=30)  # where Slack does not say how long


class SlackLive:
    """One budget for all conversations of a process. Metadata says `live`, so that no look-up takes it for a reply."""

    def __init__(self, posts: Posts, clock: Clock) -> None:
        self._posts = posts
        self._clock = clock
        self._free_at: datetime | None = None

    async def open(self, to: ThreadRef, text: str) -> str | None:
        if not self._in_budget():
            return None
        try:
            return (await self._posts.post(to, render.growing(text), "live")).provider_id
        except TryLater as error:
            self._holds_back(error)
            return None
        except Uncertain as error:
            raise TryLater(str(error)) from error

    async def grow(self, to: ThreadRef, handle: str, text: str) -> None:
        if not self._in_budget():
            return
        try:
            await self._posts.update(to.account, handle, render.growing(text), "live")
        except TryLater as error:
            self._holds_back(error)
        except Uncertain as error:
            raise TryLater(str(error)) from error

    def _in_budget(self) -> bool:
        now = self._clock()
        free_at = max(self._free_at or now, now)
        if free_at - now > SHARE.every * (SHARE.burst - 1):
            return False
        self._free_at = free_at + SHARE.every
        return True

    def _holds_back(self, error: TryLater) -> None:
        """Slack asks for silence: nothing grows until then, in no conversation."""
        wait = LIMITED if error.retry_after is None else timedelta(seconds=error.retry_after)
        self._free_at = self._clock() + wait + SHARE.every * SHARE.burst
