"""A clock that a test moves. It runs with the real one, plus what the test has added."""

from datetime import UTC, datetime, timedelta


class Clock:
    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def passes(self, time: timedelta) -> None:
        self._ahead += time
