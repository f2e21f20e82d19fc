"""What the command line prints can be read, and does nothing to the terminal that shows it."""

from datetime import UTC, datetime, timedelta, timezone

from config.cli.show import as_json, columns, table, visible, when

BERLIN = datetime(2026, 11, 21, 10, 0, tzinfo=timezone(timedelta(hours=1)))


def test_columns_are_as_wide_as_needed_and_lines_end_where_the_words_do() -> None:
    assert table(("ID", "WHY"), [("in-1", "no"), ("out-12", "")]) == "ID      WHY\nin-1    no\nout-12"


def test_what_would_steer_a_terminal_or_deceive_an_eye_is_spelled_out() -> None:
    assert visible("\x1b[2Jgone\r\u202eback\u200b\n") == "\\u001b[2Jgone\\u000d\\u202eback\\u200b\\u000a"
    assert visible("one\n\ttwo\x07", keep="\n\t") == "one\n\ttwo\\u0007"
    assert visible("Zürich, 40 €, 猫 🙂") == "Zürich, 40 €, 猫 🙂"
    assert columns([("a\nb", "c")]) == "a\\u000ab  c"


def test_time_is_utc_for_people_and_for_scripts() -> None:
    assert when(BERLIN) == "2026-11-21 09:00:00"
    assert when(None) == "-"
    assert as_json({"at": BERLIN, "no": None}) == '{\n  "at": "2026-11-21T09:00:00+00:00",\n  "no": null\n}'
    assert datetime.fromisoformat("2026-11-21T09:00:00+00:00") == BERLIN.astimezone(UTC)
