"""One rule of pauses between tries."""

from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from gateway.retry import FIRST_S, LONGEST_S, pause


@pytest.mark.parametrize(
    ("attempts", "about_s"), [(0, 0.5), (1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (16, 300), (1000, 300)]
)
def test_pauses_double_up_to_five_minutes(attempts: int, about_s: float) -> None:
    for _ in range(20):
        assert timedelta(seconds=about_s * 0.75) <= pause(attempts) <= timedelta(seconds=about_s * 1.25)


def test_two_that_failed_together_do_not_come_back_together() -> None:
    assert len({pause(5) for _ in range(20)}) > 1


@pytest.mark.parametrize("asked_for", [30.0, 3600.0])
def test_nobody_comes_back_before_they_were_asked_to(asked_for: float) -> None:
    assert pause(0, asked_for=asked_for) == timedelta(seconds=asked_for)


@pytest.mark.parametrize("asked_for", [None, 0.0, -5.0])
def test_asked_for_no_pause_there_still_is_one(asked_for: float | None) -> None:
    assert pause(0, asked_for=asked_for) >= timedelta(seconds=FIRST_S * 0.75)


@settings(deadline=None)
@given(attempts=st.integers(min_value=0, max_value=10**9), asked_for=st.none() | st.floats(0, 86_400))
def test_a_pause_is_never_odd(attempts: int, asked_for: float | None) -> None:
    wait = pause(attempts, asked_for=asked_for).total_seconds()

    assert FIRST_S * 0.75 <= wait <= max(LONGEST_S * 1.25, asked_for or 0) + 0.001
