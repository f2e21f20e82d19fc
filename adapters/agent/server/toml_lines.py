"""Where a word stands in a TOML text, so that a mistake can be told with its line. Pure; the text is valid TOML."""

import re
from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
KEYS = rf"{KEY}(?:\s*\.\s*{KEY})*"
HEADER = re.compile(rf"\s*(\[\[?)\s*({KEYS})\s*\]")
ASSIGNED = re.compile(rf"\s*({KEYS})\s*=")
STRINGS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|' + r"'''.*?'''|" + r'"(?:[^"\\\n]|\\.)*"|' + r"'[^'\n]*'|#[^\n]*", re.DOTALL
)


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line of the word at the end of `path`, else of the nearest table or value around it; None: of nothing.

    Inside a value over several lines it is the line of the first such word there.
    """
    wanted = tuple(path)
    known = dict(reversed(list(_places(text))))
    for length in range(len(wanted), 0, -1):
        if (line := known.get(wanted[:length])) is not None:
            return _within(text, line, min(_after(known, line), text.count("\n") + 2), wanted[length:])
    return None


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """Every table and key with its line; what stands inside strings is none."""
    many: dict[Path, int] = {}
    here: Path = ()
    for number, line in enumerate(_without_strings(text).split("\n"), 1):
        if header := HEADER.match(line):
            here = _numbered(_words(_line(text, number), HEADER, 2), many, new=header[1] == "[[")
            for length in range(1, len(here) + 1):
                yield here[:length], number
        elif ASSIGNED.match(line):
            words = _words(_line(text, number), ASSIGNED, 1)
            for length in range(1, len(words) + 1):
                yield (*here, *words[:length]), number


def _without_strings(text: str) -> str:
    """Values that are strings, and comments, blanked; their line breaks stay. Quoted keys are too short to matter."""
    return STRINGS.sub(lambda found: re.sub(r"[^\n]", "_", found[0]), text)


def _line(text: str, number: int) -> str:
    return text.split("\n")[number - 1]


def _words(line: str, form: re.Pattern[str], group: int) -> list[str]:
    found = form.match(line)
    return [one.strip("\"'") for one in re.findall(KEY, found[group])] if found else []


def _numbered(words: Sequence[str], many: dict[Path, int], *, new: bool) -> Path:
    """The words of a header with the number of the table wherever there are several of one name."""
    path: Path = ()
    for at, word in enumerate(words):
        path = (*path, word)
        if new and at == len(words) - 1:
            many[path] = many.get(path, -1) + 1
        if path in many:
            path = (*path, many[path])
    return path


def _after(known: dict[Path, int], line: int) -> int:
    return min((one for one in known.values() if one > line), default=1_000_000_000)


def _within(text: str, first: int, end: int, rest: Path) -> int:
    """The line of the words that are left, in the lines of one value: `inputs = [{ nam = "x" }]`."""
    lines = _without_strings(text).split("\n")[first - 1 : end - 1]
    region, at = "\n".join(lines), 0
    for part in rest:
        found = _nth(region, at, "{", part) if isinstance(part, int) else _word(region, at, part)
        if found is None:
            break
        at = found
    return first + region.count("\n", 0, at)


def _nth(region: str, at: int, mark: str, number: int) -> int | None:
    for _ in range(number + 1):
        at = region.find(mark, at) + 1
        if not at:
            return None
    return at


def _word(region: str, at: int, word: str) -> int | None:
    found = re.compile(rf"(?<![\w-]){re.escape(word)}\s*=").search(region, at)
    return found.start() if found else None
