"""One line a fact on standard error: time, level, place, words, and the ids it is about. No bodies, no secrets."""

import json
import logging
import re
import traceback
from datetime import UTC, datetime

from gateway import context

# Other packages write request bodies, numbers and statements with their values below WARNING.
OURS = ("gateway", "adapters", "config")
# What would begin a new line, or hide one in a terminal.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def set_up(level: str, form: str = "plain") -> None:
    """`form` is plain or json; `level` is that of our own code."""
    handler = logging.StreamHandler()
    handler.setFormatter(Json() if form == "json" else Plain())
    logging.basicConfig(
        level=max(logging.WARNING, logging.getLevelNamesMapping()[level]), handlers=[handler], force=True
    )
    for name in OURS:
        logging.getLogger(name).setLevel(level)


class Plain(logging.Formatter):
    """`TIME LEVEL LOGGER MESSAGE conversation=3 event=12`, and a traceback below it, indented."""

    def format(self, record: logging.LogRecord) -> str:
        ids = "".join(f" {name}={_quoted(value)}" for name, value in context.ids().items())
        line = f"{_time(record)} {record.levelname} {record.name} {_printable(record.getMessage())}{ids}"
        return "\n    ".join([line, *(_printable(one) for one in _trouble(record))])


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"time": _time(record), "level": record.levelname, "logger": record.name}
        line |= {"message": record.getMessage(), "ids": context.ids()}
        if trouble := _trouble(record):
            line["exception"] = "\n".join(trouble)
        return json.dumps(line)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trouble(record: logging.LogRecord) -> list[str]:
    """The traceback, causes first. Of an error's words only the first line: the others often quote what was read."""
    error = record.exc_info[1] if record.exc_info else None
    lines: list[str] = []
    while error is not None:
        frames = "".join(traceback.format_tb(error.__traceback__)).splitlines()
        words = "".join(traceback.format_exception_only(error)).splitlines()[0]
        lines = ["Traceback (most recent call last):", *frames, words, *lines]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def _printable(words: str) -> str:
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), words)


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[^\s\"=\\]+", _printable(value)) else json.dumps(value)
