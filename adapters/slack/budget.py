"""How much of Slack's limits decoration may take, so that what must arrive finds room; and where it has no place."""

from datetime import datetime, timedelta

from gateway.errors import TryLater
from gateway.events import ThreadRef
from gateway.ports import Clock, Pace

LIMITED = timedelta(seconds=30)  # where Slack does not say how long
REFUSED = timedelta(minutes=30)  # before Slack is asked once more for what it refused
OF_THE_APP = {
    "missing_scope",
    "not_allowed_token_type",
    "unknown_method",
    "method_deprecated",
    "team_access_not_granted",
}


class Budget:
    """Of one process, for all its conversations."""

    def __init__(self, share: Pace, clock: Clock) -> None:
        self._share = share
        self._clock = clock
        self._free_at: datetime | None = None

    def spend(self) -> bool:
        """One call, if there is one left."""
        now, share = self._clock(), self._share
        free_at = max(self._free_at or now, now)
        if free_at - now > share.every * (share.burst - 1):
            return False
        self._free_at = free_at + share.every
        return True

    def hold_back(self, error: TryLater) -> None:
        """Slack asks for silence: nothing is left until then."""
        wait = LIMITED if error.retry_after is None else timedelta(seconds=error.retry_after)
        self._free_at = self._clock() + wait + self._share.every * self._share.burst


class Refusals:
    """Where Slack has refused something: in a channel, or in all of a workspace."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[tuple[str, str], datetime] = {}

    def note(self, to: ThreadRef, word: str) -> None:
        """`word` is Slack's."""
        now = self._clock()
        self._until = {place: until for place, until in self._until.items() if until > now}
        self._until[(to.account, "" if word in OF_THE_APP else _channel(to))] = now + REFUSED

    def holds(self, to: ThreadRef) -> bool:
        """Was it refused there not long ago?"""
        untils = (self._until.get((to.account, channel)) for channel in ("", _channel(to)))
        return any(until is not None and until > self._clock() for until in untils)


def _channel(to: ThreadRef) -> str:
    return to.key.partition(":")[0]
