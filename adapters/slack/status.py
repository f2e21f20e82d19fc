"""What the app says it is doing in a thread while the agent thinks. Decoration: it raises nothing, and is said once."""

import logging
from datetime import timedelta

from adapters.slack.budget import Budget, Refusals
from adapters.slack.refusals import UNSENT, refusals, word
from adapters.slack.workspaces import Workspaces
from gateway.errors import GatewayError, KeyRefused, TryLater, WillNeverArrive
from gateway.events import ThreadRef
from gateway.ports import Clock, Pace

log = logging.getLogger(__name__)

SHARE = Pace(timedelta(seconds=2), burst=10)
AT_WORK = "is thinking…"
WHILE_IT_LASTS = ["Reading what you wrote…", "Thinking it over…", "Still at it…"]


class Status:
    def __init__(self, workspaces: Workspaces, clock: Clock) -> None:
        self._workspaces = workspaces
        self._budget = Budget(SHARE, clock)
        self._refusals = Refusals(clock)

    async def say(self, to: ThreadRef, is_at_work: bool) -> None:
        channel, _, thread = to.key.partition(":")
        if not thread or self._refusals.holds(to) or not self._budget.spend():
            return
        try:
            client = await self._workspaces.of(to.account)
            with refusals():
                await client.assistant_threads_setStatus(
                    channel_id=channel,
                    thread_ts=thread,
                    status=AT_WORK if is_at_work else "",
                    loading_messages=WHILE_IT_LASTS if is_at_work else None,
                )
        except (GatewayError, *UNSENT) as error:
            log.info("it is not shown that the agent is at work: %s", error)
            if isinstance(error, WillNeverArrive | KeyRefused):
                self._refusals.note(to, word(error))
            elif isinstance(error, TryLater):
                self._budget.hold_back(error)
