"""One rule of pauses between tries. Pure but for the dice."""

import random
from datetime import timedelta

FIRST_S = 0.5
LONGEST_S = 300.0


def pause(attempts: int, *, asked_for: float | None = None) -> timedelta:
    """Before the next try, after so many: doubling, with jitter, never shorter than what was asked for."""
    grown = min(LONGEST_S, FIRST_S * 2 ** min(attempts, 16))
    seconds = grown * random.uniform(0.75, 1.25)  # noqa: S311 - spreads retries, hides nothing
    return timedelta(seconds=max(seconds, asked_for or 0.0))
