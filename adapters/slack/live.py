"""Shows a reply growing in Slack: a message that streams, or one that is changed again and again.

Never at the expense of what must arrive: it takes no more than its share of what a workspace bears, and skips the rest.
Its end is `SlackChannel.send`.
"""

from datetime import timedelta

from adapters.slack import render, streams
from adapters.slack.budget import Budget
from adapters.slack.posts import Posts
from adapters.slack.status import Status
from adapters.slack.streams import Streams
from gateway.errors import TryLater, Uncertain
from gateway.events import Identity, ThreadRef
from gateway.ports import Clock, Pace

SHARE = Pace(timedelta(seconds=2), burst=10)  # of the 50 chat.update a minute that Slack grants an app in a workspace


class SlackLive:
    """One budget for all conversations of a process. Metadata says `live`, so that no look-up takes it for a reply."""

    def __init__(self, posts: Posts, streams: Streams, status: Status, clock: Clock) -> None:
        self._posts = posts
        self._streams = streams
        self._status = status
        self._budget = Budget(SHARE, clock)

    async def working(self, to: ThreadRef, is_at_work: bool) -> None:
        await self._status.say(to, is_at_work)

    async def open(self, to: ThreadRef, text: str, asked_by: Identity | None = None) -> str | None:
        return await self._streams.start(to, text, asked_by) or await self._post(to, text)

    async def _post(self, to: ThreadRef, text: str) -> str | None:
        if not self._budget.spend():
            return None
        try:
            return (await self._posts.post(to, render.growing(text), "live")).provider_id
        except TryLater as error:
            self._budget.hold_back(error)
            return None
        except Uncertain as error:
            raise TryLater(str(error)) from error

    async def grow(self, to: ThreadRef, handle: str, text: str) -> None:
        if streams.is_one(handle):
            await self._streams.append(to, handle, text)
            return
        if not self._budget.spend():
            return
        try:
            await self._posts.update(to.account, handle, render.growing(text), "live")
        except TryLater as error:
            self._budget.hold_back(error)
        except Uncertain as error:
            raise TryLater(str(error)) from error

    async def rest(self, to: ThreadRef, handle: str) -> None:
        await self._streams.ended(to, handle)
