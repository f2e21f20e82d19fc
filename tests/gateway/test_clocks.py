"""Whether two clocks agree, with the time a look takes counted as doubt."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.clocks import by_header, compared

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def s(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("theirs", "after", "ok", "said"),
    [
        (s(0), s(0), True, "agree"),
        (s(1), s(4), True, "agree"),
        (s(-3), s(0.1), True, "3 s apart"),
        (s(9), s(0.1), False, "9 s apart"),
        (s(-9), s(0.1), False, "9 s apart"),
        (s(9), s(6), True, "3 s apart"),
    ],
)
def test_more_than_five_seconds_are_too_many(theirs: datetime, after: datetime, ok: bool, said: str) -> None:
    found = compared("clock: PostgreSQL", theirs, NOW, after)

    assert found.ok is ok
    assert said in found.what
    assert bool(found.advice) is not ok


def test_more_than_a_minute_is_told_with_the_harm_it_does() -> None:
    assert "Slack" in compared("slack", s(-61), NOW, NOW).advice
    assert "Slack" not in compared("slack", s(-59), NOW, NOW).advice


def test_a_header_without_fractions_is_no_difference() -> None:
    (found,) = by_header("slack", "Sat, 21 Nov 2026 09:00:00 GMT", s(0.9), s(0.9))

    assert found.what == "slack: its clock and ours agree"


@pytest.mark.parametrize("date", [None, "", "yesterday", "Sat, 21 Nov 2026 09:00:00 -0000"])
def test_without_a_time_nothing_is_said(date: str | None) -> None:
    assert by_header("slack", date, NOW, NOW) == []
