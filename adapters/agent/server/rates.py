"""How often each client may ask: a token bucket for each. The clock is passed in."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_CLIENTS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rates:
    """`per_second` on average, `burst` at once; `per_second` of 0 means no limit."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client: str) -> int:
        """0: it may. Otherwise nothing is taken, and in so many seconds it may."""
        if self._per_second <= 0:
            return 0
        bucket, now = self._bucket(client), self._clock()
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens < 1:
            return max(1, math.ceil((1 - bucket.tokens) / self._per_second))
        bucket.tokens -= 1
        return 0

    def _bucket(self, client: str) -> _Bucket:
        if client not in self._buckets and len(self._buckets) >= MAX_CLIENTS:
            # Who asked longest ago has a full bucket by now, or was never many.
            del self._buckets[min(self._buckets, key=lambda one: self._buckets[one].at)]
        return self._buckets.setdefault(client, _Bucket(self._burst, self._clock()))
