"""The results as a table that a person can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Goal:
    """`most` or `least`, where that side has a goal."""

    words: str
    most: tuple[float | None, float | None] = (None, None)
    least: tuple[float | None, float | None] = (None, None)

    def met(self, side: int, value: float) -> bool | None:
        most, least = self.most[side], self.least[side]
        if most is None and least is None:
            return None
        return (most is None or value <= most) and (least is None or value >= least)


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    keys: tuple[str, ...]
    form: str
    goal: Goal | None = None
    judged: int = 0  # which of the keys the goal is about


NONE = Goal("0", most=(0, 0))
ROWS = (
    Row("enqueue to start, idle: p50 / p95 ms", ("idle_p50_ms", "idle_p95_ms"), ".1f", Goal("p95 <= 20", (20, 20)), 1),
    Row("  counted from the commit", ("idle_commit_p50_ms", "idle_commit_p95_ms"), ".1f"),
    Row("enqueue to start, under load: p50 / p95 ms", ("load_p50_ms", "load_p95_ms"), ".0f"),
    Row("  counted from the commit", ("load_commit_p50_ms", "load_commit_p95_ms"), ".0f"),
    Row("events/s, inbox to empty handler", ("events_per_s",), ".0f", Goal(">= 1000 | >= 200", least=(1000, 200))),
    Row("  of these, received/s", ("received_per_s",), ".0f"),
    Row("  CPU of the receiving process, ms an event", ("cpu_ms",), ".2f"),
    Row("  out of order", ("out_of_order",), ".0f", NONE),
    Row("  handled twice", ("handled_twice",), ".0f", NONE),
    Row("  not handled", ("not_handled",), ".0f", NONE),
    Row("whole turns/s", ("turns_per_s",), ".1f"),
    Row("  without a reply", ("turns_lost",), ".0f", NONE),
    Row("takeover: median / worst s", ("takeover_median_s", "takeover_worst_s"), ".1f", Goal("<= 5", (None, 5)), 1),
    Row("restart: median / worst s", ("restart_median_s", "restart_worst_s"), ".1f"),
)


def met(row: Row, sides: tuple[Numbers, Numbers]) -> bool | None:
    """Whether every side that has the goal and a figure meets it; None: there is nothing to judge."""
    if row.goal is None:
        return None
    key = row.keys[row.judged]
    found = [row.goal.met(number, side[key]) for number, side in enumerate(sides) if key in side]
    judged = [one for one in found if one is not None]
    return all(judged) if judged else None


def table(sqlite: Numbers, postgresql: Numbers) -> str:
    sides = (sqlite, postgresql)
    lines: list[tuple[str, ...]] = [("", "sqlite", "postgresql", "goal", "met")]
    for row in ROWS:
        if any(row.keys[0] in side for side in sides):
            goal = row.goal.words if row.goal else ""
            word = {True: "yes", False: "NO", None: ""}[met(row, sides)]
            lines.append((row.name, *(_cell(row, side) for side in sides), goal, word))
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(_line(line, widths) for line in lines)


def plain(rows: Sequence[Row], columns: Mapping[str, Numbers]) -> str:
    """Without goals: a column for each of these, and the rows that any of them has."""
    lines: list[tuple[str, ...]] = [("", *columns)]
    for row in rows:
        if any(row.keys[0] in column for column in columns.values()):
            lines.append((row.name, *(_cell(row, column) for column in columns.values())))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines = [(name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])) for name, *cells in lines]
    return "\n".join("  ".join(line) for line in lines)


def _cell(row: Row, side: Numbers) -> str:
    return " / ".join(format(side[key], row.form) for key in row.keys) if row.keys[0] in side else "-"


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    name, sqlite, postgresql, goal, word = (
        cell.rjust(width) if 0 < column < 3 else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"{name}  {sqlite}  {postgresql}  {goal}  {word}".rstrip()
